"""Files that are replaced whole."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_file"]


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces a file, so that at every moment, a power cut included, there is the old one or the new one, whole.

    One process at a time may replace a file: whoever calls holds a lock, or owns the directory.

    Args:
        path: The file; its directory exists.
        content: What it holds from then on.
        mode: Who may do what with it; by default only its owner reads and writes it.

    Raises:
        OSError: It cannot be written. The old file is there as it was, unless only the directory was not synced.
    """
    # A fixed name: what a crash leaves behind is overwritten, not collected.
    draft = path.with_name(f".{path.name}.sortition.tmp")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    # The name is the directory's content, and is lost with the power unless that is on the disk too.
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
