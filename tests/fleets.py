"""Several sidecars on one database, without servers and threads: a test says who does what, and when."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from sortition.core import Assignment, Engine
from sortition.lifecycle import Actor, Changes, Experiments, SnapshotKeeper, Switcher
from sortition.lifecycle.weights import Reweighted
from sortition.model import ExperimentSpec, validate
from sortition.rpc.v1 import recording_pb2
from sortition.state.snapshot import load_local
from sortition.state.units import KeptUnits
from sortition.store import BatchWriter, Database, sqlite_url
from sortition.store.cells import experiment_data
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["ANN", "ANNOUNCED_S", "KEY", "START", "Fleet", "Sidecar", "fresh_database", "spec_with"]

KEY = "search-strategy"
ANN = Actor("ann", "because")
START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ANNOUNCED_S = 10.0


def spec_with(weights: Mapping[str, float], **replaced: Any) -> ExperimentSpec:
    """Returns an experiment with variants of these weights, the first of them the control."""
    plain: dict[str, Any] = {
        "key": KEY,
        "subject": {"kind": "agent", "id": "search-agent"},
        "metrics": [{"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"}],
        "variants": [
            {"name": name, "weight": weight, "control": index == 0, "config": {"way": name}}
            for index, (name, weight) in enumerate(weights.items())
        ],
        "decision": {"min_samples": 100},
    }
    return validate(ExperimentSpec, {**plain, **replaced})


_template = tempfile.TemporaryDirectory(prefix="fleets-")


@cache
def _migrated() -> Path:
    path = Path(_template.name) / "template.db"
    Database.open(sqlite_url(path)).close()
    return path


def fresh_database(directory: Path) -> Database:
    """Returns a database that nothing was done to; copied, because migrating takes longer than most tests."""
    shutil.copy(_migrated(), directory / "shared.db")
    return Database.open(sqlite_url(directory / "shared.db"))


class Fleet:
    """A database, the time, and the sidecars on it."""

    def __init__(self, db: Database, directory: Path) -> None:
        self.db = db
        self.directory = directory
        self.now = START
        self.seconds = 0.0
        self.sidecars: list[Sidecar] = []

    def add(self) -> Sidecar:
        name = f"sidecar-{len(self.sidecars)}"
        (self.directory / name).mkdir()
        self.sidecars.append(Sidecar(self, self.directory / name, name))
        return self.sidecars[-1]

    def pass_time(self, seconds: float) -> None:
        self.seconds += seconds
        self.now += timedelta(seconds=seconds)

    def settle(self) -> None:
        """Lets everything that is announced take effect everywhere."""
        for _ in range(2):
            for one in self.sidecars:
                one.tick()
            self.pass_time(ANNOUNCED_S)
            for one in self.sidecars:
                one.tick()
        for one in self.sidecars:
            one.tick()


class Sidecar:
    """One engine with what surrounds it."""

    def __init__(self, fleet: Fleet, directory: Path, name: str) -> None:
        self.fleet = fleet
        self.directory = directory
        self._writer = BatchWriter(fleet.db, name)
        self.engine = self._new_engine()
        self.attach()

    def _new_engine(self) -> Engine:
        engine = Engine(unit_key=self.fleet.db.installation_key)
        engine.resume(self._writer.high_water)
        return engine

    def attach(self) -> None:
        db, fleet = self.fleet.db, self.fleet
        self.kept = KeptUnits(self.engine, self.directory / "units")
        self.kept.load()
        self.keeper = SnapshotKeeper(db, self.engine, self.directory / "snapshot")
        changes = Changes(db, changed=self.refresh, now=lambda: fleet.now)
        self.switcher = Switcher(
            db, self.kept, changes, flush=self.flush, announced_s=ANNOUNCED_S, clock=lambda: fleet.seconds
        )
        self.experiments = Experiments(
            db, flush=self.flush, changed=self.refresh, now=lambda: fleet.now, new_id=lambda: "the-id"
        )

    def restart(self, *, with_database: bool = True) -> None:
        """Ends and begins again; what was not flushed is in no log here, so it is flushed."""
        self.flush()
        self.engine = self._new_engine()
        self.attach()
        if with_database:
            self.refresh()
        else:
            assert load_local(self.engine, self.directory / "snapshot")

    def refresh(self) -> None:
        self.keeper.refresh()

    def tick(self) -> None:
        """Sees what is new, and does its part in every change of weights."""
        self.refresh()
        self.switcher.tick()

    def flush(self) -> None:
        while (batch := self.engine.seal()) is not None:
            self._writer.apply(batch)
            self.engine.commit(batch.number)

    def create(self, spec: ExperimentSpec) -> ExperimentRecord:
        self.experiments.create(spec, ANN)
        return self.experiments.start("default", spec.key, ANN)

    def reweight(self, **weights: float) -> Reweighted:
        return self.experiments.reweight("default", KEY, weights, ANN)

    def assign(self, unit: str, *, expose: bool = True) -> Assignment:
        return self.engine.assign_unit(KEY, unit, expose=expose, now_ms=self.now_ms)

    def record(self, unit: str, found: bool, variant: str = "") -> recording_pb2.RecordResponse:
        return self.record_metric(unit, "found", found, variant)

    def record_metric(self, unit: str, metric: str, flag: bool, variant: str = "") -> recording_pb2.RecordResponse:
        outcome = recording_pb2.Outcome(experiment=KEY, unit=unit, variant=variant)
        outcome.observations.add(metric=metric, flag=flag)
        request = recording_pb2.RecordRequest(outcome=outcome)
        return recording_pb2.RecordResponse.FromString(self.engine.record(request.SerializeToString(), self.now_ms))

    @property
    def now_ms(self) -> int:
        return int(self.fleet.now.timestamp() * 1000)

    def stored(self) -> ExperimentRecord:
        return self.experiments.get("default", KEY)

    def data(self) -> ExperimentData:
        self.flush()
        with self.fleet.db.read() as tx:
            return experiment_data(tx, self.experiments.get("default", KEY))
