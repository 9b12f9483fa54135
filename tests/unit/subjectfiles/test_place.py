"""No path leads out of the root, and nothing but text is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sortition.errors import InvalidArgument, NotFound
from sortition.subjectfiles.place import MAX_FILE, place, read_text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "prompts").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "prompts" / "a.md").write_text("hello")
    (tmp_path / "secret").write_text("secret")
    (root / "out").symlink_to(tmp_path)
    (root / "out.md").symlink_to(tmp_path / "secret")
    (root / "in.md").symlink_to("prompts/a.md")
    (root / "hooks").symlink_to(".git")
    (root / "loop").symlink_to("loop")
    return root


@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "/etc/passwd", "../secret", "prompts/../../secret", "prompts/..", "out/secret", "out.md", "out"),
        *(
            ".git/config",
            "prompts/.GIT/x",
            ".sortition/x",
            "hooks/post-commit",
            "loop",
            "a\0b",
            "a\\b",
            "a\nb",
            "x" * 513,
        ),
    ],
)
def test_what_is_not_below_the_root_is_refused(root: Path, path: str) -> None:
    with pytest.raises(InvalidArgument):
        place(root, path)


def test_a_link_inside_of_the_root_leads_to_its_file(root: Path) -> None:
    found = place(root, "in.md")
    assert found.target == root.resolve() / "prompts" / "a.md"
    assert found.read()[0] == b"hello"


def test_what_cannot_be_a_subject_is_not_read(root: Path) -> None:
    with pytest.raises(NotFound, match="--root"):
        place(root, "prompts/b.md").read()
    with pytest.raises(InvalidArgument, match="no regular file"):
        place(root, "prompts").read()
    os.mkfifo(root / "pipe")
    with pytest.raises(InvalidArgument, match="no regular file"):
        place(root, "pipe").read()
    (root / "large").write_bytes(b"x" * MAX_FILE)
    assert len(place(root, "large").read()[0]) == MAX_FILE
    (root / "large").write_bytes(b"x" * (MAX_FILE + 1))
    with pytest.raises(InvalidArgument, match=str(MAX_FILE)):
        place(root, "large").read()


@pytest.mark.parametrize(("content", "said"), [(b"a\xff", "byte 1"), (b"a\0b", "binary"), (b"\xed\xa0\x80", "UTF-8")])
def test_only_text_is_taken(content: bytes, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        read_text(content, "a.md")


def test_text_keeps_every_byte() -> None:
    content = "\ufeffa\r\nb\rc\u2028\x1b\n\n".encode()
    assert read_text(content, "a.md").encode() == content
