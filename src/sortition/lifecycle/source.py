"""Snapshots straight from the database, for clients that assign in their own process without a sidecar."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

from sortition.lifecycle.snapshot import compile_snapshot, snapshot_version
from sortition.store.database import Database

__all__ = ["SnapshotDatabase"]


class SnapshotDatabase:
    """The snapshot of what a database holds, compiled again when it changes: ``Client(mode="local", source=…)``."""

    def __init__(self, url: str, *, poll_s: float = 0.5) -> None:
        """Binds to a database, which is opened when the first snapshot is asked for.

        Args:
            url: Where it is, as for the sidecar; it has to exist.
            poll_s: Seconds between two looks.
        """
        self._url = url
        self._poll_s = poll_s

    def snapshots(self, stopped: threading.Event) -> Iterator[bytes]:
        """Yields the current serialized Snapshot and every later one until `stopped` is set.

        Raises:
            StoreUnavailable: The database cannot be reached now.
            StoreError: It cannot be used.
        """
        with closing(Database.open(self._url, create=False)) as db:
            seen = 0
            while not stopped.is_set():
                with db.read() as tx:
                    version = snapshot_version(tx)
                    found = compile_snapshot(tx) if version != seen else b""
                if found:
                    yield found
                    seen = version
                stopped.wait(self._poll_s)
