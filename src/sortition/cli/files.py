"""Files that commands write for people."""

from __future__ import annotations

import sys
from pathlib import Path

from sortition.errors import AlreadyExists, InvalidArgument

__all__ = ["STDOUT", "check_new", "write_new"]

STDOUT = Path("-")
"""Where a file is not written but shown."""


def check_new(target: Path, *, force: bool) -> None:
    """Refuses a file that `write_new` would refuse, before anything is done that takes long or costs.

    Raises:
        AlreadyExists: It is there.
        InvalidArgument: It is in no directory.
    """
    if target == STDOUT:
        return
    if not force and target.exists():
        raise _there(target)
    if not target.parent.is_dir():
        raise InvalidArgument.of([("--output", f"is in a directory that does not exist: {target.parent}; make it")])


def write_new(target: Path, text: str, *, force: bool) -> None:
    """Writes a file that is not there yet; to stdout where it is ``-``.

    Args:
        target: The file.
        text: What it is to hold.
        force: Whether one that is there is replaced.

    Raises:
        AlreadyExists: It is there.
        InvalidArgument: It cannot be written.
    """
    if target == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        with target.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise _there(target) from None
    except OSError as error:
        raise InvalidArgument.of([("--output", f"cannot be written: {target}: {error.strerror or error}")]) from None


def _there(target: Path) -> AlreadyExists:
    return AlreadyExists(f"{target} is there already; name another file with --output, or give --force")
