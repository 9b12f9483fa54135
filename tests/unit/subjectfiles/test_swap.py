"""A file is the old one or the new one, whole, whatever happens; and there is a backup."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from sortition.errors import Conflict, FailedPrecondition, NotFound, Unavailable
from sortition.subjectfiles import swap as swapping
from sortition.subjectfiles.place import Place, digest, place
from sortition.subjectfiles.swap import backup_of, swap

OLD = b"old\r\n\xef\xbb\xbf" * 1000
NEW = b"new\n" * 3000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a.md").write_bytes(OLD)
    (root / "sub" / "a.md").chmod(0o640)
    (root / "link.md").symlink_to("sub/a.md")
    return root


@pytest.fixture
def found(root: Path) -> Place:
    return place(root, "link.md")


def test_content_changes_and_the_link_and_the_mode_stay(root: Path, found: Place) -> None:
    file = root / "sub" / "a.md"
    with file.open("rb") as reading:
        done = swap(found, digest(OLD), NEW)
        # Whoever has it open reads the old one to its end: it is another file under the same name.
        assert reading.read() == OLD
    assert done.changed
    assert file.read_bytes() == NEW
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert (root / "link.md").is_symlink()
    assert done.backup is not None
    assert done.backup.read_bytes() == OLD
    assert stat.S_IMODE(done.backup.stat().st_mode) == 0o600
    assert stat.S_IMODE((root / ".sortition").stat().st_mode) == 0o700
    assert (root / ".sortition" / ".gitignore").read_text() == "*\n"
    assert sorted(os.listdir(root / "sub")) == ["a.md"]
    swap(found, digest(NEW), backup_of(root, digest(OLD)) or b"")
    assert file.read_bytes() == OLD


def test_the_same_again_changes_nothing(root: Path, found: Place) -> None:
    swap(found, digest(OLD), NEW)
    before = (root / "sub" / "a.md").stat()
    again = swap(found, digest(OLD), NEW)
    assert not again.changed
    assert again.backup is None
    assert (root / "sub" / "a.md").stat().st_ino == before.st_ino


def test_what_somebody_else_wrote_is_not_replaced(root: Path, found: Place) -> None:
    (root / "sub" / "a.md").write_bytes(b"theirs")
    with pytest.raises(Conflict):
        swap(found, digest(OLD), NEW)
    assert (root / "sub" / "a.md").read_bytes() == b"theirs"
    (root / "sub" / "a.md").unlink()
    with pytest.raises(NotFound):
        swap(found, digest(OLD), NEW)


def test_a_damaged_backup_is_none(root: Path, found: Place) -> None:
    done = swap(found, digest(OLD), NEW)
    assert done.backup is not None
    assert backup_of(found.root, digest(OLD)) == OLD
    done.backup.write_bytes(OLD[:-1])
    assert backup_of(found.root, digest(OLD)) is None
    assert backup_of(found.root, digest(b"another")) is None


def test_backups_are_bounded(root: Path, found: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "MAX_BACKUPS", 3)
    contents = [OLD, *(b"%d" % number for number in range(6))]
    for before, after in pairwise(contents):
        swap(found, digest(before), after)
    assert len(os.listdir(root / ".sortition" / "backups")) == 3
    assert backup_of(found.root, digest(contents[-2])) == contents[-2]


def test_two_at_once_are_one_after_the_other(root: Path, found: Place) -> None:
    with swapping._alone(found.root), pytest.raises(Unavailable, match="try again"):
        swap(found, digest(OLD), NEW)
    assert (root / "sub" / "a.md").read_bytes() == OLD


@pytest.mark.parametrize("where", [".sortition", ".sortition/backups"])
def test_backups_do_not_leave_the_root(root: Path, found: Place, tmp_path: Path, where: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / where).parent.mkdir(exist_ok=True)
    (root / where).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FailedPrecondition, match="symbolic link"):
        swap(found, digest(OLD), NEW)
    assert not os.listdir(tmp_path / "elsewhere")


def test_a_disk_that_fails_leaves_the_old_file(root: Path, found: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FailedPrecondition, match="No space left"):
        swap(found, digest(OLD), NEW)
    assert (root / "sub" / "a.md").read_bytes() == OLD
    assert os.listdir(root / "sub") == ["a.md"]


def killed(root: Path, step: int) -> subprocess.CompletedProcess[bytes]:
    path = os.pathsep.join(str(each) for each in (*map(Path, sys.path), Path(__file__).parents[2]))
    return subprocess.run(
        [sys.executable, "-m", "file_crashes", str(root), "link.md", str(step)],
        input=NEW, capture_output=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def test_killed_before_any_step_it_is_old_or_new_and_a_repeat_finishes_it(root: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    shutil.copytree(root, fresh, symlinks=True)
    steps = int(killed(root, 0).stdout)
    assert steps >= 12
    seen = set()
    for step in range(1, steps + 1):
        shutil.rmtree(root)
        shutil.copytree(fresh, root, symlinks=True)
        assert killed(root, step).returncode == -9, step
        file = root / "sub" / "a.md"
        content = file.read_bytes()
        seen.add(content)
        assert content in (OLD, NEW), step
        assert content == OLD or backup_of(root, digest(OLD)) == OLD, step
        swap(place(root, "link.md"), digest(OLD), NEW)
        assert file.read_bytes() == NEW
        assert backup_of(root, digest(OLD)) == OLD
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert seen == {OLD, NEW}
