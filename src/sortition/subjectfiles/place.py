"""Files below a root directory, and no others."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from sortition.errors import InvalidArgument, NotFound

__all__ = ["KEPT", "MAX_FILE", "Place", "digest", "place", "read_text"]

MAX_FILE: Final = 128 * 1024
"""The largest file that can be a subject, in bytes."""
KEPT: Final = ".sortition"
"""The directory below the root in which backups are kept."""

_MAX_PATH: Final = 512
# What git runs by itself is in there, and backups have to stay what they are.
_FORBIDDEN: Final = frozenset({".git", KEPT})


@dataclass(frozen=True)
class Place:
    """A file below a root.

    Attributes:
        root: The directory, without symbolic links.
        path: The path that was declared, relative to it.
        target: The file itself: where a symbolic link leads.
    """

    root: Path
    path: str
    target: Path

    def read(self) -> tuple[bytes, int]:
        """Returns what the file holds, and its mode.

        Raises:
            NotFound: It is not there.
            InvalidArgument: It is no regular file, cannot be read, or is too large.
        """
        try:
            # A pipe would be waited for.
            handle = os.open(self.target, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(f"{self.path} is not in {self.root}; run this where the files are, or name --root") from None
        except OSError as error:
            raise InvalidArgument(f"{self.path} cannot be read: {error.strerror or error}") from None
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            raise InvalidArgument(f"{self.path} is no regular file")
        with os.fdopen(handle, "rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise InvalidArgument(f"{self.path} has {found.st_size} bytes; the limit for a subject is {MAX_FILE}")
        return content, stat.S_IMODE(found.st_mode)


def place(root: Path, path: str) -> Place:
    """Returns the file at `path` below `root`; it need not be there.

    Args:
        root: A directory.
        path: Relative, with slashes.

    Raises:
        InvalidArgument: The path is not below the root, by itself or by a symbolic link.
    """
    parts = PurePosixPath(path).parts
    if not parts or len(path.encode("utf-8", "surrogatepass")) > _MAX_PATH or not path.isprintable() or "\\" in path:
        raise InvalidArgument(f"{path!r:.80} is no path: it must be relative, with slashes, of 1 to {_MAX_PATH} bytes")
    if path.startswith("/") or ".." in parts:
        raise InvalidArgument(f"{path!r} leads out of the root; give a path below it, without ..")
    try:
        top = root.resolve(strict=True)
        target = (top / path).resolve()
    except (OSError, RuntimeError) as error:
        raise InvalidArgument(f"{path!r} cannot be found in {root}: {error}") from None
    if not target.is_relative_to(top):
        raise InvalidArgument(f"{path!r} leads out of {top} by a symbolic link; name a --root that holds both")
    inner = target.relative_to(top).parts
    if not inner or any(part.lower() in _FORBIDDEN for part in (*parts, *inner)):
        raise InvalidArgument(f"{path!r} cannot be a subject: {', '.join(sorted(_FORBIDDEN))} are left alone")
    return Place(top, path, target)


def read_text(content: bytes, path: str) -> str:
    """Returns a file's content as text, from which `encode` makes exactly these bytes again.

    Raises:
        InvalidArgument: It is no text in UTF-8.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArgument(
            f"{path} is not UTF-8: byte {error.start} cannot be read; only text can be a subject"
        ) from None
    if "\0" in text:
        raise InvalidArgument(
            f"{path} holds a zero byte at {text.index(chr(0))}, so it is binary; only text can be a subject"
        )
    return text


def digest(content: bytes) -> str:
    """Returns the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
