"""One file is committed, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sortition.errors import FailedPrecondition
from sortition.subjectfiles.git import commit_file, require_repository


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")):
        monkeypatch.setenv(name, value)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    git(tmp_path, "init", "--quiet")
    return tmp_path


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=60, check=True).stdout


def test_only_this_file_is_committed(root: Path) -> None:
    (root / "sub").mkdir()
    names = ("sub/a*.md", "sub/ab.md", "other")
    for name in names:
        (root / name).write_text("1")
    # The first commit of all, and a name with a star in it.
    assert commit_file(root / "sub" / "a*.md", "First\n\nn: 3\n")
    assert git(root, "log", "--format=%B", "-1").strip() == "First\n\nn: 3"
    git(root, "add", "other")
    for name in names:
        (root / name).write_text("2")
    commit = commit_file(root / "sub" / "a*.md", "Second")
    assert commit == git(root, "rev-parse", "HEAD").strip()
    assert git(root, "show", "--name-only", "--format=").split() == ["sub/a*.md"]
    assert git(root, "status", "--porcelain").splitlines() == ["AM other", "?? sub/ab.md"]
    assert commit_file(root / "sub" / "a*.md", "Third") == ""


def test_what_git_or_a_hook_refuses_is_said(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(FailedPrecondition, match="no git repository"):
        require_repository(tmp_path_factory.mktemp("plain") / "a")
    (root / "a").write_text("1")
    require_repository(root / "a")
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(FailedPrecondition, match="not today"):
        commit_file(root / "a", "x")
