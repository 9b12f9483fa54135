"""Puts another content into a file, behind a backup of what is there.

Each step leaves the old file or the new one, whole, and its backup; done again, it finishes what was begun. A backup
has the SHA-256 of its content as its name, so that it can be made twice, and is known to be sound when it is read.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sortition.errors import Conflict, FailedPrecondition, Unavailable
from sortition.files import replace_file
from sortition.subjectfiles.place import KEPT, Place, digest

__all__ = ["MAX_BACKUPS", "Swapped", "backup_of", "swap"]

MAX_BACKUPS: Final = 200
"""How many backups are kept below one root; the oldest goes first. Every version's content is with the sidecar too."""


@dataclass(frozen=True)
class Swapped:
    """What was done to a file.

    Attributes:
        changed: Whether it held anything else before.
        backup: Where what it held before is kept; None where nothing was changed.
    """

    changed: bool
    backup: Path | None = None


def swap(place: Place, before: str, after: bytes) -> Swapped:
    """Replaces what is in a file, after a backup; its mode, and a symbolic link that leads to it, stay.

    Args:
        place: The file.
        before: The SHA-256 of what it holds now.
        after: What it is to hold.

    Raises:
        Conflict: It holds something else by now.
        FailedPrecondition: It cannot be written.
        NotFound: It is not there any more.
        Unavailable: Somebody else does the same below this root now.
    """
    try:
        with _alone(place.root):
            content, mode = place.read()
            if content == after:
                return Swapped(changed=False)
            if digest(content) != before:
                raise Conflict(f"{place.path} was changed by somebody else just now; nothing was written; look again")
            backup = _backup(place.root, content, mode)
            replace_file(place.target, after, mode=mode)
            return Swapped(changed=True, backup=backup)
    except OSError as error:
        raise FailedPrecondition(f"{place.path} cannot be written: {error.strerror or error}") from None


def backup_of(root: Path, sha256: str) -> bytes | None:
    """Returns a content that was replaced below `root`; None where there is no sound backup of it."""
    try:
        content = (_backups(root) / sha256).read_bytes()
    except OSError:
        return None
    return content if digest(content) == sha256 else None


def _backups(root: Path) -> Path:
    return root / KEPT / "backups"


def _backup(root: Path, content: bytes, mode: int) -> Path:
    backup = _backups(root) / digest(content)
    # Nobody may read in the backup what they may not read in the file.
    replace_file(backup, content, mode=mode & 0o600)
    kept = sorted(_backups(root).iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for old in kept[:-MAX_BACKUPS]:
        if old != backup:
            old.unlink()
    return backup


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Holds off everybody else who changes files below `root` by this program."""
    kept = root / KEPT
    for directory in (kept, _backups(root)):
        if directory.is_symlink():
            raise FailedPrecondition(f"{directory} is a symbolic link; backups are kept below the root itself")
    if not _backups(root).is_dir():
        _backups(root).mkdir(mode=0o700, parents=True, exist_ok=True)
        kept.chmod(0o700)
        for directory in (kept, root):
            _sync(directory)
    ignore = kept / ".gitignore"
    if not ignore.exists():
        # Backups are this machine's own.
        replace_file(ignore, b"*\n")
    lock = os.open(kept, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(f"somebody else changes files below {root} by this program now; try again") from None
        yield
    finally:
        os.close(lock)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
