"""Where snapshots come from."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

__all__ = ["SnapshotFile", "SnapshotSource"]


@runtime_checkable
class SnapshotSource(Protocol):
    """Something that has snapshots, such as a file, a database or a sidecar."""

    def snapshots(self, stopped: threading.Event) -> Iterator[bytes]:
        """Yields the current serialized Snapshot and every later one, waiting in between, until `stopped` is set.

        It may raise `SortitionError`, `OSError` or `grpc.RpcError`, and is called again after a pause.
        """
        ...


class SnapshotFile:
    """The snapshot in a file, such as the last good one in a state directory, read again when it is replaced."""

    def __init__(self, path: str | os.PathLike[str], *, poll_s: float = 0.5) -> None:
        """Binds to a file, which need not be there yet.

        Args:
            path: The file, replaced as a whole when it changes.
            poll_s: Seconds between two looks.
        """
        self.path = Path(path)
        self._poll_s = poll_s

    def snapshots(self, stopped: threading.Event) -> Iterator[bytes]:
        """See `SnapshotSource`."""
        seen: tuple[int, ...] = ()
        while not stopped.is_set():
            found = self.path.stat()
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            if version != seen:
                yield self.path.read_bytes()
                seen = version
            stopped.wait(self._poll_s)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({os.fspath(self.path)!r})"
