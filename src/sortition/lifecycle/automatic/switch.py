"""The kill switch of one sidecar: what it sees do harm it pauses by itself, whether the database is there or not.

Watching and pausing need this process alone. Telling the database, and learning what it has, is done by a thread of its
own, so that a database which does not answer keeps nobody from pausing.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection

from sortition.analyzer.analyze import analyze
from sortition.analyzer.harm import harms
from sortition.core import Engine
from sortition.lifecycle.automatic.acts import Automatic
from sortition.lifecycle.automatic.book import Book
from sortition.lifecycle.automatic.hold import Hold
from sortition.lifecycle.decision import HELD, decide
from sortition.lifecycle.repeating import Repeating, stop_all
from sortition.model import ExperimentSpec, ExperimentStatus, JsonObject, validate
from sortition.rpc.v1 import snapshot_pb2
from sortition.state.holds import read_holds, write_holds
from sortition.store import cells
from sortition.store.database import Database
from sortition.store.records import AllocationRecord, ExperimentData, ExperimentRecord
from sortition.store.writer import high_water_of

__all__ = ["KillSwitch"]

_log = structlog.get_logger("sortition.lifecycle.automatic")

_INTERVAL_S: Final = 1.0
# Between two readings of what the database has: what other sidecars saw counts here too.
_BASE_S: Final = 15.0
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class _Attached:
    """The database, once it was reached."""

    db: Database
    automatic: Automatic
    writer: Callable[[], str]


class KillSwitch:
    """Watches the running experiments whose policy says auto_rollback, and pauses those that do harm, here and at once.

    The pause is kept in a file until the database knows of it and a snapshot says so: it survives the process.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        snapshot: Path,
        kept: Path,
        now: Callable[[], datetime],
        interval_s: float = _INTERVAL_S,
    ) -> None:
        """Makes a switch that is not watching yet, and pauses what was paused before.

        Args:
            engine: What answers.
            snapshot: The file of the last good snapshot.
            kept: The file of what is paused; its directory exists.
            now: The clock; aware, in UTC.
            interval_s: Seconds between two looks.
        """
        self.book = Book()
        self._engine = engine
        self._snapshot = snapshot
        self._kept = kept
        self._now = now
        self._attached: _Attached | None = None
        self._version = 0
        self._watched: dict[str, ExperimentRecord] = {}
        self._running: frozenset[str] = frozenset()
        self._judged: dict[str, int] = {}
        self._based_at = 0.0
        self._based_on: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._holds: dict[str, Hold] = {one.experiment_id: one for one in self._read()}
        self._looking = [
            Repeating("kill switch", work, every_s=interval_s, name=name)
            for name, work in (("watch", self.look), ("report", self.report))
        ]
        if self._holds:
            engine.hold(list(self._holds))

    @property
    def held(self) -> tuple[str, ...]:
        """The keys of the experiments that are paused here and by nobody else yet."""
        with self._lock:
            return tuple(one.key for one in self._holds.values())

    def attach(self, db: Database, automatic: Automatic, writer: Callable[[], str]) -> None:
        """Tells where to report to.

        Args:
            db: The database.
            automatic: What stores the pause.
            writer: Returns the name that this sidecar writes under.
        """
        self._attached = _Attached(db, automatic, writer)

    def start(self) -> None:
        """Begins to watch."""
        for one in self._looking:
            one.start()

    def stop(self) -> None:
        """Ends watching; what is paused stays so."""
        stop_all(self._looking)

    def look(self) -> None:
        """Looks once at what this sidecar knows, and pauses what does harm. Never waits for the database."""
        self._follow()
        with self._lock:
            wanted = {id: record for id, record in self._watched.items() if id not in self._holds}
        if not wanted:
            return
        pending = self._engine.pending(list(wanted))
        for id, record in wanted.items():
            data = self.book.data(record, pending)
            seen = sum(cell.n for cell in data.cells.values())
            # The same outcomes say the same.
            if self._judged.get(id) == seen:
                continue
            self._judged[id] = seen
            self._judge(record, data)

    def report(self) -> None:
        """Tells the database of what is paused here, and learns what it has.

        Raises:
            SortitionError: The database is away; to be tried again.
        """
        attached = self._attached
        if attached is None:
            return
        with self._lock:
            unreported = [one for one in self._holds.values() if not one.reported]
        for one in unreported:
            attached.automatic.hold(one)
            self._change({one.experiment_id: replace(one, reported=True)})
        with self._lock:
            watched = dict(self._watched)
        due = time.monotonic() >= self._based_at + _BASE_S or not watched.keys() <= self._based_on
        if watched and due:
            with attached.db.read() as tx:
                self.book.rebase(high_water_of(tx, attached.writer()), _stored(tx, watched))
            self._based_at, self._based_on = time.monotonic(), frozenset(watched)

    def _follow(self) -> None:
        """Learns of the snapshot that is loaded, and lets go of what it has ended or paused."""
        version = self._engine.snapshot_version
        if version != self._version:
            content = _content(self._snapshot, version)
            if content is None:
                # It is being written; or cannot be, and then what is watched stays what it was.
                return
            records = {one.id: _record(one) for one in content.experiments if _is_watched(one)}
            with self._lock:
                self._watched = records
                self._running = frozenset(
                    one.id
                    for one in content.experiments
                    if one.status == snapshot_pb2.ExperimentStatus.EXPERIMENT_STATUS_RUNNING
                )
            self._judged = {id: seen for id, seen in self._judged.items() if id in records}
            self.book.watch(records)
            self._version = version
        with self._lock:
            over = [one for one in self._holds.values() if one.reported and one.experiment_id not in self._running]
        if over and self._version:
            self._change({one.experiment_id: None for one in over})

    def _judge(self, record: ExperimentRecord, data: ExperimentData) -> None:
        at = self._now()
        found = harms(record, data, at)
        if not found:
            return
        reasons = [str(one) for one in found]
        # First of all; everything else can be done again.
        with self._lock:
            self._engine.hold([*self._holds, record.id])
        decision = decide(record, data, analyze(record, data, at), kind=HELD)
        act: JsonObject = {"act": HELD, "variant": record.spec.control.name, "reasons": list(reasons)}
        hold = Hold(record.id, record.spec.organization, record.spec.key, replace(decision, act=act))
        self._change({record.id: hold})
        _log.error("experiment paused here", experiment=f"{hold.organization}/{hold.key}", reasons=reasons)

    def _change(self, changes: dict[str, Hold | None]) -> None:
        """Changes what is paused, in the engine and in the file; None takes a pause away."""
        with self._lock:
            together = {**self._holds, **changes}
            self._holds = {id: one for id, one in together.items() if one is not None}
            self._engine.hold(list(self._holds))
            write_holds(self._kept, [one.to_json() for one in self._holds.values()])

    def _read(self) -> list[Hold]:
        try:
            return [Hold.from_json(one) for one in read_holds(self._kept)]
        except (ValueError, KeyError, TypeError) as error:
            _log.error("what was paused here is not known", path=str(self._kept), error=str(error))
            return []


def _content(path: Path, version: int) -> snapshot_pb2.SnapshotContent | None:
    """Returns the content of the snapshot on disk, if it has this version."""
    try:
        snapshot = snapshot_pb2.Snapshot.FromString(path.read_bytes())
    except (OSError, ValueError):
        return None
    return snapshot_pb2.SnapshotContent.FromString(snapshot.content) if snapshot.version == version else None


def _is_watched(one: snapshot_pb2.SnapshotExperiment) -> bool:
    return one.status == snapshot_pb2.ExperimentStatus.EXPERIMENT_STATUS_RUNNING and bool(one.declared)


def _record(one: snapshot_pb2.SnapshotExperiment) -> ExperimentRecord:
    return ExperimentRecord(
        id=one.id,
        spec=validate(ExperimentSpec, json.loads(one.declared)),
        status=ExperimentStatus.RUNNING,
        revision=0,
        created_at=_LONG_AGO,
        allocations=tuple(
            AllocationRecord(each.generation, tuple((part.end, part.variant) for part in each.ranges))
            for each in one.allocations
        ),
    )


def _stored(tx: Connection, watched: dict[str, ExperimentRecord]) -> dict[str, ExperimentData]:
    return {id: cells.experiment_data(tx, record) for id, record in watched.items()}
