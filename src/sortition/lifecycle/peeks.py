"""Counts how often results are shown to somebody, without keeping whoever asks waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Final

import structlog

from sortition.errors import SortitionError
from sortition.lifecycle.repeating import Repeating
from sortition.model import ExperimentStatus
from sortition.store import peeks as rows
from sortition.store.database import Database
from sortition.store.peeks import PeekKey
from sortition.store.records import ExperimentRecord, PeekRecord

__all__ = ["INTERVAL_S", "Peeks"]

INTERVAL_S: Final = 2.0
"""Seconds between writes: what a sidecar that is killed forgets at most."""

# Experiments times days that wait to be written. What can be looked at can be written soon; beyond this bound, peeks at
# yet another experiment are not counted.
_MAX_WAITING: Final = 10_000
_STOP_S: Final = 10.0
# So long is waited for a write under way before what is known is shown.
_HANGING_S: Final = 1.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_OPEN: Final = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)

_log = structlog.get_logger("sortition.lifecycle")


class Peeks:
    """The peeks of one sidecar: counted in memory, and added to those of all sidecars every two seconds."""

    def __init__(self, db: Database, *, now: Callable[[], datetime]) -> None:
        """Binds the count to a database; nothing is written before `start` or `write`.

        Args:
            db: The database.
            now: The clock; aware, in UTC.
        """
        self._db = db
        self._now = now
        self._lock = threading.Lock()
        self._waiting: dict[PeekKey, PeekRecord] = {}
        self._under_way: dict[PeekKey, PeekRecord] = {}
        # Two writes at once would lose sight of what each has under way.
        self._writing = threading.Lock()
        self._writes = Repeating("peek count", self.write, every_s=INTERVAL_S, name="peeks")

    def count(self, record: ExperimentRecord, *, early: bool) -> None:
        """Counts one look at a running or paused experiment; one at another experiment is none.

        Args:
            record: The experiment.
            early: Whether it came before a look that may decide.
        """
        if record.status not in _OPEN:
            return
        at = self._now()
        day = (at - _EPOCH).days
        key = (record.id, str(record.spec.decision.policy), day)
        with self._lock:
            if key in self._waiting or len(self._waiting) < _MAX_WAITING:
                peek = PeekRecord(1, int(early), frozenset([day]), at, at)
                self._waiting[key] = self._waiting.get(key, PeekRecord()) + peek

    def of(self, record: ExperimentRecord) -> PeekRecord:
        """Returns all peeks at an experiment: those that are stored, and those of this sidecar that are not yet.

        It reads for itself: whoever calls holds no transaction, which would show what was stored when that began.

        Raises:
            StoreUnavailable: The database cannot be reached.
            StoreError: It cannot be used.
        """
        # Between writes, so that each peek is in one of the two; where a write hangs, those under way may show twice.
        alone = self._writing.acquire(timeout=_HANGING_S)
        try:
            with self._db.read() as tx:
                total = rows.of(tx, record.id)
            with self._lock:
                for found in (self._waiting, self._under_way):
                    total = sum((peek for (id, _, _), peek in found.items() if id == record.id), total)
            return total
        finally:
            if alone:
                self._writing.release()

    def write(self) -> None:
        """Stores what was counted since the last time. What cannot be stored waits for the next time.

        Raises:
            StoreUnavailable: The database cannot be reached.
            StoreError: It cannot be used.
        """
        with self._writing:
            with self._lock:
                self._under_way, self._waiting = self._waiting, {}
            try:
                if self._under_way:
                    with self._db.write() as tx:
                        rows.add(tx, self._db.kind, self._under_way)
            except SortitionError:
                with self._lock:
                    for key, peek in self._under_way.items():
                        self._waiting[key] = peek + self._waiting.get(key, PeekRecord())
                raise
            finally:
                with self._lock:
                    self._under_way = {}

    def start(self) -> None:
        """Begins to write by itself."""
        self._writes.start()

    def stop(self) -> None:
        """Writes what was counted, and ends."""
        self._writes.stop(_STOP_S)
        try:
            self.write()
        except SortitionError as error:
            _log.warning("peeks not stored", error=error.message)
