"""A lifecycle over a real database and a real engine, with a clock that a test sets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text

from sortition.core import Engine
from sortition.lifecycle import Actor, AuditLog, Experiments, SnapshotKeeper, Subjects
from sortition.lifecycle.snapshot import snapshot_version
from sortition.model import ExperimentSpec, ExperimentStatus, JsonObject, SubjectRef, validate
from sortition.rpc.v1 import recording_pb2
from sortition.store import BatchWriter, Database
from sortition.store.records import ExperimentRecord

__all__ = ["START", "World"]

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class World:
    """One sidecar without its server.

    Attributes:
        db: Its database.
        url: Where that is.
        engine: Its engine, which follows every change at once.
        keeper: What makes it follow.
        experiments: The lifecycle of experiments.
        subjects: That of subjects.
        audit: The audit log.
        now: The time; a test moves it.
        events: What was called back, in order: "flush" and "changed".
        ann: Somebody with a reason.
    """

    organization = "default"
    ref = SubjectRef(kind="agent", id="search-agent")
    ann = Actor("ann", "because")

    def __init__(self, db: Database, directory: Path, url: str = "") -> None:
        self.db = db
        self.url = url
        self.engine = Engine(unit_key=db.installation_key)
        self.keeper = SnapshotKeeper(db, self.engine, directory / "snapshot.pb")
        self.now = START
        self.events: list[str] = []
        self._writer = BatchWriter(db, "test")
        self.engine.resume(self._writer.high_water)
        ids = iter(range(1, 10_000))
        self.experiments = Experiments(
            db,
            flush=self._flush,
            changed=self._changed,
            now=lambda: self.now,
            new_id=lambda: f"{self.organization}-{next(ids)}",
        )
        self.subjects = Subjects(db, changed=self._changed, now=lambda: self.now)
        self.audit = AuditLog(db)

    def _flush(self) -> None:
        self.events.append("flush")
        while (batch := self.engine.seal()) is not None:
            self._writer.apply(batch)
            self.engine.commit(batch.number)

    def _changed(self) -> None:
        self.events.append("changed")
        self.keeper.refresh()

    def spec(self, **replaced: Any) -> ExperimentSpec:
        plain: dict[str, Any] = {
            "key": "search-strategy",
            "organization": self.organization,
            "subject": self.ref,
            "metrics": [{"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"}],
            "variants": [
                {"name": "old", "weight": 50, "control": True, "config": {"strategy": "one"}},
                {"name": "new", "weight": 50, "config": {"strategy": "all", "limits": {"workers": 2}}},
            ],
            "decision": {"min_samples": 100},
        }
        return validate(ExperimentSpec, {**plain, **replaced})

    def create(self, **replaced: Any) -> ExperimentRecord:
        return self.experiments.create(self.spec(**replaced), self.ann)

    def standing(self, status: ExperimentStatus, *, archived: bool = False, **replaced: Any) -> ExperimentRecord:
        """Creates an experiment and brings it to a status."""
        record = self.create(**replaced)
        path: dict[ExperimentStatus, list[Callable[..., Any]]] = {
            ExperimentStatus.DRAFT: [],
            ExperimentStatus.RUNNING: [self.experiments.start],
            ExperimentStatus.PAUSED: [self.experiments.start, self.experiments.pause],
            ExperimentStatus.COMPLETED: [self.experiments.start, self.experiments.complete],
            ExperimentStatus.CANCELLED: [self.experiments.cancel],
        }
        for act in [*path[status], *([self.experiments.archive] if archived else [])]:
            act(self.organization, record.spec.key, self.ann)
        return self.experiments.get(self.organization, record.spec.key)

    def run(self, rates: dict[str, float], units: int = 300, key: str = "search-strategy") -> None:
        """Sends `units` through a running experiment; of each variant's, the given share succeeds."""
        self.run_from(rates, 0, units, key)

    def run_from(self, rates: dict[str, float], first: int, last: int, key: str = "search-strategy") -> None:
        """Sends the units of these numbers, the last one left out."""
        served = dict.fromkeys(rates, 0)
        for number in range(first, last):
            unit = f"unit-{number}"
            variant = self.engine.assign_unit(key, unit, self.organization, now_ms=self.now_ms).variant
            assert variant is not None
            # Every k-th succeeds, so that the share is exact and nothing is drawn.
            before, served[variant] = served[variant], served[variant] + 1
            succeeded = int(served[variant] * rates[variant]) > int(before * rates[variant])
            outcome = recording_pb2.Outcome(experiment=key, organization=self.organization, unit=unit, variant=variant)
            outcome.observations.add(metric="found", flag=succeeded)
            self.engine.record(recording_pb2.RecordRequest(outcome=outcome).SerializeToString(), self.now_ms)

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def pass_time(self, **by: float) -> None:
        self.now += timedelta(**by)

    def config(self) -> JsonObject:
        current = self.subjects.get(self.organization, self.ref).current
        assert current is not None
        return current.config

    def version(self) -> int:
        """Returns the version of the snapshot that the engine should have."""
        with self.db.read() as tx:
            return snapshot_version(tx)

    def log(self) -> list[tuple[str, str, str]]:
        """Returns the audit log, oldest first, as (actor, action, object)."""
        events, _ = self.audit.listing(limit=1000)
        return [(event.actor, event.action, event.object) for event in reversed(events)]

    def dump(self) -> dict[str, list[Any]]:
        """Returns every row of every table."""
        with self.db.read() as tx:
            names = sorted(inspect(tx).get_table_names())
            return {name: [tuple(row) for row in tx.execute(text(f'SELECT * FROM "{name}"'))] for name in names}
