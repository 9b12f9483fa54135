"""Feeds an engine with snapshots."""

from __future__ import annotations

import logging
import random
import threading
from typing import Final

import grpc

from sortition.client.local.source import SnapshotSource
from sortition.core import Engine
from sortition.errors import SortitionError
from sortition.rpc.v1 import snapshot_pb2

__all__ = ["Feeder"]

_log = logging.getLogger("sortition.client")

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0
# A thread that waits for a sidecar is woken by closing the connection; a file or database is asked now and then.
_JOIN_S: Final = 2.0


class Feeder:
    """A thread that loads every snapshot of a source into an engine, which keeps its own while the source is away."""

    def __init__(self, engine: Engine, source: SnapshotSource) -> None:
        self._engine = engine
        self._source = source
        self._stopped = threading.Event()
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="sortition-feed", daemon=True)
        self._complaint = ""

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Waits until a snapshot is loaded; returns whether one is."""
        return self._engine.ready or (self._looked.wait(timeout_s) and self._engine.ready)

    def stop(self) -> None:
        """Lets the thread end."""
        self._stopped.set()

    def join(self) -> None:
        """Waits for its end, for a while."""
        self._thread.join(_JOIN_S)

    def _feed(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                for snapshot in self._source.snapshots(self._stopped):
                    self._load(snapshot)
                    failures = 0
            except (SortitionError, OSError, grpc.RpcError) as error:
                self._complain(str(error))
            except Exception:
                # Nobody would notice that this thread has ended; the next attempt may go better.
                _log.exception("no snapshot came")
            # At random, so that the processes of one sidecar do not come back together.
            longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
            self._stopped.wait(longest * random.uniform(0.5, 1))
            failures += 1

    def _load(self, snapshot: bytes) -> None:
        """Loads one; a damaged or contradictory one is told of and ignored, like one of an older state."""
        try:
            if not self._engine.load_snapshot(snapshot):
                self._compare(snapshot)
            elif self._complaint:
                self._complaint = ""
                _log.info("snapshots come again, version %d", self._engine.snapshot_version)
        except SortitionError as error:
            self._complain(str(error))
        if self._engine.ready:
            self._looked.set()

    def _compare(self, snapshot: bytes) -> None:
        header = snapshot_pb2.Snapshot.FromString(snapshot)
        held = self._engine.snapshot_hash
        if (header.version, header.content_hash[: len(held)]) != (self._engine.snapshot_version, held):
            # Versions only grow, so this is another installation, or a restored older state of it.
            self._complain(
                f"version {header.version} was offered and version {self._engine.snapshot_version} is loaded: the state"
                " behind it was replaced; restart this process"
            )

    def _complain(self, why: str) -> None:
        """Says once what would otherwise be said at every attempt."""
        if why != self._complaint and not self._stopped.is_set():
            self._complaint = why
            _log.warning("no new snapshot, version %d is used (0 is none): %s", self._engine.snapshot_version, why)
