"""Commits one file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from sortition.errors import FailedPrecondition, Unavailable

__all__ = ["commit_file", "require_repository"]

# Hooks may run a whole test suite.
_TIMEOUT_S: Final = 300.0
_MAX_SAID: Final = 500


def require_repository(file: Path) -> None:
    """Checks that a file is in the working tree of a git repository.

    Raises:
        FailedPrecondition: It is not, or there is no git.
    """
    if _git(file, "rev-parse", "--is-inside-work-tree", check=False) != "true":
        raise FailedPrecondition(f"{file} is in no git repository; leave --git-commit out")


def commit_file(file: Path, message: str) -> str:
    """Commits what a file holds, and nothing else, whatever else is staged.

    Returns:
        The commit's id; empty where the last commit has it already.

    Raises:
        FailedPrecondition: git refuses, or a hook does.
        Unavailable: It took too long.
    """
    if not _git(file, "status", "--porcelain", "--untracked-files=all", "--", file.name):
        return ""
    _git(file, "add", "--", file.name)
    _git(file, "commit", "--quiet", "--only", "--file=-", "--", file.name, text=message)
    return _git(file, "rev-parse", "HEAD")


def _git(file: Path, *arguments: str, text: str = "", check: bool = True) -> str:
    # A name with a star in it is a name, and nobody is there to be asked for a password.
    environment = {**os.environ, "GIT_LITERAL_PATHSPECS": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        ended = subprocess.run(
            ["git", *arguments], cwd=file.parent, env=environment, input=text, capture_output=True, text=True,
            timeout=_TIMEOUT_S, check=False, errors="replace",
        )  # fmt: skip
    except FileNotFoundError:
        raise FailedPrecondition("there is no git on this machine; leave --git-commit out") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"git {arguments[0]} gave no answer within {_TIMEOUT_S:g} s") from None
    if check and ended.returncode != 0:
        said = " ".join((ended.stderr or ended.stdout).split())[:_MAX_SAID]
        raise FailedPrecondition(f"git {arguments[0]} ended with {ended.returncode}: {said}")
    return ended.stdout.strip()
