"""A unit that somebody else's assignment puts into two variants is noticed, whichever sidecars see it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import select

from engines import NOW_MS, experiment, snapshot
from sortition.core import Engine
from sortition.rpc.v1 import recording_pb2
from sortition.store import BatchWriter, Database, schema, sqlite_url


class Sidecar:
    """An engine that flushes when it is told to."""

    def __init__(self, db: Database, name: str, log: Path | None = None) -> None:
        self.engine = Engine(unit_key=db.installation_key, log_dir=log, log_identity=bytes(16) if log else None)
        self.engine.load_snapshot(snapshot(1, experiment(external=True)))
        self._writer = BatchWriter(db, name)
        self.engine.resume(self._writer.high_water)

    def see(self, unit: str, variant: str) -> None:
        outcome = recording_pb2.Outcome(experiment="search", unit=unit, variant=variant)
        outcome.observations.add(metric="score", number=1.0)
        self.engine.record(recording_pb2.RecordRequest(outcome=outcome).SerializeToString(), NOW_MS)

    def flush(self) -> None:
        while (batch := self.engine.seal()) is not None:
            self._writer.apply(batch)
            self.engine.commit(batch.number)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with closing(Database.open(sqlite_url(tmp_path / "sortition.db"))) as opened:
        yield opened


def crossed(db: Database) -> list[bool]:
    with db.read() as tx:
        return [bool(row[0]) for row in tx.execute(select(schema.exposures.c.crossed))]


def test_in_one_batch(db: Database) -> None:
    one = Sidecar(db, "one")
    for unit, variant in (("a", "v0"), ("a", "v1"), ("b", "v0"), ("b", "v0"), ("c", "v1")):
        one.see(unit, variant)
    one.flush()
    assert sorted(crossed(db)) == [False, False, True]


def test_in_two_batches(db: Database) -> None:
    one = Sidecar(db, "one")
    one.see("a", "v1")
    one.flush()
    assert crossed(db) == [False]
    one.see("a", "v0")
    one.flush()
    assert crossed(db) == [True]


@pytest.mark.parametrize("order", [("v0", "v1"), ("v1", "v0")])
def test_by_two_sidecars(db: Database, order: tuple[str, str]) -> None:
    for name, variant in zip(("one", "two"), order, strict=True):
        sidecar = Sidecar(db, name)
        sidecar.see("a", variant)
        sidecar.flush()
    assert crossed(db) == [True]


def test_across_a_restart(db: Database, tmp_path: Path) -> None:
    """Both are only in the log when the process ends."""
    with ExitStack() as ended:
        one = Sidecar(db, "one", tmp_path / "log")
        ended.callback(one.engine.close)
        one.see("a", "v0")
        one.see("a", "v1")
        one.see("b", "v1")
    again = Sidecar(db, "one", tmp_path / "log")
    again.see("b", "v1")
    again.flush()
    assert sorted(crossed(db)) == [False, True]
    again.engine.close()
