"""What an engine recorded is in the database exactly once, whatever the database does meanwhile."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event
from sqlalchemy import Engine as SqlEngine

from sortition.core import Engine, exposure_hash
from sortition.errors import Conflict, InternalError, StoreUnavailable
from sortition.flusher import Flusher, FlushState
from sortition.rpc.v1 import assignment_pb2, recording_pb2, snapshot_pb2
from sortition.store import BatchWriter, Database, sqlite_url
from store_samples import contents
from waiting import wait_until

VARIANTS = ("control", "treatment")


def snapshot() -> bytes:
    experiment = snapshot_pb2.SnapshotExperiment(
        id="exp-1",
        organization="default",
        key="search",
        status=snapshot_pb2.EXPERIMENT_STATUS_RUNNING,
        variants=[
            snapshot_pb2.SnapshotVariant(name=name, control=name == "control", config=b"{}") for name in VARIANTS
        ],
        metrics=[
            snapshot_pb2.SnapshotMetric(name="seconds", kind=snapshot_pb2.METRIC_KIND_DURATION, quantiles=True),
            snapshot_pb2.SnapshotMetric(name="found", kind=snapshot_pb2.METRIC_KIND_BINARY),
        ],
        allocations=[
            snapshot_pb2.SnapshotAllocation(
                generation=1,
                ranges=[
                    snapshot_pb2.BucketRange(end=5000, variant=0),
                    snapshot_pb2.BucketRange(end=10_000, variant=1),
                ],
            )
        ],
    )
    experiment.subject.kind = "agent"
    experiment.subject.id = "a"
    subject = snapshot_pb2.SnapshotSubject(organization="default", version=1, config=b"{}")
    subject.ref.CopyFrom(experiment.subject)
    content = snapshot_pb2.SnapshotContent(subjects=[subject], experiments=[experiment]).SerializeToString()
    return snapshot_pb2.Snapshot(
        version=1, content_hash=hashlib.sha256(content).digest(), content=content
    ).SerializeToString()


class Sidecar:
    """An engine with its place in a database, and a count of its own of what it was told."""

    def __init__(self, path: Path, name: str = "one", *, timeout_s: float = 5, interval_s: float = 0.02) -> None:
        self.db = Database.open(sqlite_url(path), timeout_s=timeout_s)
        self.engine = Engine(unit_key=self.db.installation_key)
        assert self.engine.load_snapshot(snapshot())
        self.writer = BatchWriter(self.db, name)
        self.changes: list[FlushState] = []
        self.flusher = Flusher(self.engine, self.writer, interval_s=interval_s, on_change=self.note)
        self.truth: Counter[str] = Counter()

    def note(self) -> None:
        self.changes.append(self.flusher.state)

    def use(self, unit: str, seconds: float = 1.0) -> str:
        """Assigns a unit and records its outcome; returns its variant."""
        asked = assignment_pb2.AssignRequest(experiment="search", unit=unit).SerializeToString()
        variant = assignment_pb2.AssignResponse.FromString(self.engine.assign(asked)).variant
        outcome = recording_pb2.Outcome(experiment="search", unit=unit, variant=variant)
        outcome.observations.add(metric="seconds", number=seconds)
        outcome.observations.add(metric="found", flag=True)
        told = recording_pb2.RecordRequest(outcome=outcome).SerializeToString()
        assert recording_pb2.RecordResponse.FromString(self.engine.record(told)).accepted == 2
        self.truth[variant] += 1
        return variant

    def close(self) -> None:
        self.flusher.stop(10)
        self.db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sortition.db"


@pytest.fixture
def sidecar(path: Path) -> Iterator[Sidecar]:
    one = Sidecar(path)
    yield one
    one.close()


@pytest.fixture
def hasty(path: Path) -> Iterator[Sidecar]:
    """A sidecar that soon gives up waiting for a lock."""
    one = Sidecar(path, timeout_s=0.05)
    yield one
    one.close()


def stored(db: Database) -> Counter[str]:
    """Returns the observations of each variant; both metrics have to agree, as they were recorded together."""
    counts: dict[int, Counter[str]] = {0: Counter(), 1: Counter()}
    for row in contents(db)["cells"]:
        counts[row[2]][VARIANTS[row[1]]] += row[5]
    assert counts[0] == counts[1]
    return counts[0]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of the database from another connection."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def test_a_flush_stores_everything_that_was_recorded(sidecar: Sidecar) -> None:
    for index in range(200):
        sidecar.use(f"u{index % 150}", 0.5 + index)
    assert stored(sidecar.db) == {}
    sidecar.flusher.flush()
    assert stored(sidecar.db) == sidecar.truth
    assert sum(sidecar.truth.values()) == 200
    exposures = contents(sidecar.db)["exposures"]
    assert len(exposures) == 150
    assert {row[2] for row in exposures} == {0, 1}


def test_a_unit_keeps_the_day_and_variant_of_its_first_exposure(sidecar: Sidecar) -> None:
    sidecar.use("u")
    sidecar.flusher.flush()
    first = contents(sidecar.db)["exposures"]
    sidecar.use("u")
    sidecar.flusher.flush()
    assert contents(sidecar.db)["exposures"] == first
    assert sum(stored(sidecar.db).values()) == 2


def test_nothing_recorded_writes_nothing(sidecar: Sidecar) -> None:
    sidecar.flusher.flush()
    assert sidecar.flusher.state == FlushState(0)
    assert sidecar.changes == []
    assert sidecar.writer.high_water == 0


def test_the_state_says_what_is_stored_and_when(sidecar: Sidecar) -> None:
    sidecar.use("u")
    sidecar.flusher.flush()
    state = sidecar.flusher.state
    assert (state.flushed_batch, state.failures, state.last_error) == (1, 0, "")
    assert state.flushed_at is not None
    assert state.flushed_at.utcoffset() is not None
    assert sidecar.changes == [state]


def test_the_background_flushes_by_itself(sidecar: Sidecar) -> None:
    sidecar.flusher.start()
    for round in range(3):
        sidecar.use(f"u{round}")
        wait_until(lambda: stored(sidecar.db) == sidecar.truth, what="the flush in the background")
    with pytest.raises(InternalError, match="once"):
        sidecar.flusher.start()


def test_what_was_recorded_behind_a_batch_in_flight_is_stored_too(hasty: Sidecar, path: Path) -> None:
    hasty.use("before")
    with locked(path), pytest.raises(StoreUnavailable, match="locked"):
        hasty.flusher.flush()
    hasty.use("after")
    hasty.flusher.flush()
    assert stored(hasty.db) == hasty.truth
    assert sum(hasty.truth.values()) == 2
    assert hasty.flusher.state.flushed_batch == 2


def test_a_database_that_is_away_loses_nothing_and_stops_nobody(hasty: Sidecar, path: Path) -> None:
    hasty.use("u0")
    with locked(path):
        hasty.flusher.start()
        wait_until(lambda: hasty.flusher.state.failures >= 2, what="the second failure")
        assert "locked" in hasty.flusher.state.last_error
        assert hasty.flusher.state.flushed_at is None
        for index in range(100):
            hasty.use(f"u{index}")
        assert stored(hasty.db) == {}
    wait_until(lambda: stored(hasty.db) == hasty.truth, what="the flush after the lock was released")
    wait_until(lambda: hasty.flusher.state.failures == 0)
    assert hasty.flusher.state.last_error == ""
    assert [state.failures for state in hasty.changes[:2]] == [1, 2]


def test_a_commit_whose_answer_was_lost_counts_once(sidecar: Sidecar) -> None:
    with sidecar.db.read() as tx:
        dialect = type(tx.dialect)
    commit = dialect.do_commit
    lost: list[bool] = []

    def lose_the_answer(self: object, connection: sqlite3.Connection) -> None:
        changed = connection.in_transaction and not lost
        commit(self, connection)  # type: ignore[arg-type]
        if changed:
            lost.append(True)
            raise sqlite3.OperationalError("database is locked")

    sidecar.use("u")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", lose_the_answer)
        with pytest.raises(StoreUnavailable):
            sidecar.flusher.flush()
        assert sidecar.flusher.state.flushed_batch == 0
        sidecar.use("v")
        sidecar.flusher.flush()
    assert lost == [True]
    assert stored(sidecar.db) == sidecar.truth
    assert sidecar.flusher.state.flushed_batch == 2


def test_everybody_who_flushes_finds_what_they_recorded(sidecar: Sidecar) -> None:
    sidecar.flusher.start()
    wrong: list[str] = []
    key = sidecar.db.installation_key

    def work(worker: int) -> None:
        for index in range(25):
            unit = f"w{worker}-{index}"
            sidecar.use(unit)
            sidecar.flusher.flush()
            if exposure_hash(key, "exp-1", unit) not in {row[1] for row in contents(sidecar.db)["exposures"]}:
                wrong.append(unit)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert sum(stored(sidecar.db).values()) == 100
    assert len(contents(sidecar.db)["exposures"]) == 100


def test_a_flush_does_not_wait_for_ever_for_another(sidecar: Sidecar) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        inside.set()
        go_on.wait(30)

    sidecar.use("u")
    event.listen(SqlEngine, "commit", hold)
    thread = threading.Thread(target=sidecar.flusher.flush)
    try:
        thread.start()
        assert inside.wait(10)
        with pytest.raises(StoreUnavailable, match=r"did not end within 0\.05 s"):
            sidecar.flusher.flush(0.05)
    finally:
        go_on.set()
        thread.join(10)
        event.remove(SqlEngine, "commit", hold)
    assert stored(sidecar.db) == sidecar.truth


def test_a_defect_does_not_end_the_background(sidecar: Sidecar, caplog: pytest.LogCaptureFixture) -> None:
    failures: list[bool] = []

    def fail(connection: Connection) -> None:
        if len(failures) < 2:
            failures.append(True)
            raise ZeroDivisionError("planted")

    sidecar.use("u")
    event.listen(SqlEngine, "commit", fail)
    try:
        with caplog.at_level(logging.ERROR):
            sidecar.flusher.start()
            wait_until(lambda: len(failures) == 2, what="the second failure")
    finally:
        event.remove(SqlEngine, "commit", fail)
    wait_until(lambda: stored(sidecar.db) == sidecar.truth)
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)


def test_a_listener_that_fails_stops_no_flush(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = Sidecar(path)

    def fail() -> None:
        raise ZeroDivisionError("planted")

    flusher = Flusher(one.engine, one.writer, on_change=fail)
    one.use("u")
    with caplog.at_level(logging.ERROR):
        flusher.flush()
    assert stored(one.db) == one.truth
    assert "listener" in caplog.text
    one.close()


def test_stopping_stores_what_is_left(path: Path) -> None:
    one = Sidecar(path, interval_s=1000)
    one.flusher.start()
    one.use("u")
    one.flusher.stop(10)
    assert stored(one.db) == one.truth
    assert not [thread for thread in threading.enumerate() if thread.name == "flusher"]
    one.flusher.stop(10)
    one.db.close()


def test_stopping_without_a_database_gives_up_and_can_go_on(path: Path) -> None:
    one = Sidecar(path, timeout_s=0.05)
    one.flusher.start()
    with locked(path):
        one.use("u")
        with pytest.raises(StoreUnavailable, match=r"not in the database after 0\.4 s"):
            one.flusher.stop(0.4)
    one.flusher.stop(10)
    assert stored(one.db) == one.truth
    one.db.close()


def test_stopping_retries_until_the_database_is_back(path: Path) -> None:
    one = Sidecar(path, timeout_s=0.05)
    one.use("u")
    release = threading.Event()

    def hold() -> None:
        with locked(path):
            held.set()
            release.wait(30)

    held = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    stopping = threading.Thread(target=one.flusher.stop, args=(30,))
    stopping.start()
    wait_until(lambda: one.flusher.state.failures >= 2, what="the second failure")
    release.set()
    stopping.join(30)
    holder.join(10)
    assert stored(one.db) == one.truth
    one.db.close()


def test_stopping_does_not_chase_those_who_go_on_recording(path: Path) -> None:
    one = Sidecar(path)
    enough = threading.Event()

    def record() -> None:
        while not enough.is_set():
            one.use("u")

    recorder = threading.Thread(target=record)
    recorder.start()
    wait_until(lambda: one.truth)
    try:
        with pytest.raises(StoreUnavailable, match=r"still being recorded after 0\.3 s"):
            one.flusher.stop(0.3)
    finally:
        enough.set()
        recorder.join(10)
    one.flusher.stop(10)
    assert stored(one.db) == one.truth
    one.db.close()


def test_a_sidecar_whose_name_was_taken_stops_flushing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    older, newer = Sidecar(path), Sidecar(path)
    older.use("u")
    older.flusher.start()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "flusher"], what="the end of flushing")
    assert "took the writer name one" in older.flusher.state.last_error
    assert older.flusher.state.failures == 1
    assert "flushing ends" in caplog.text
    with pytest.raises(Conflict):
        older.flusher.flush()
    with pytest.raises(Conflict):
        older.flusher.stop(5)
    newer.use("v")
    newer.flusher.flush()
    assert stored(newer.db) == newer.truth
    older.db.close()
    newer.close()


def test_a_restarted_sidecar_goes_on_behind_its_last_batch(path: Path) -> None:
    truth: Counter[str] = Counter()
    for start in range(3):
        one = Sidecar(path)
        assert one.flusher.state.flushed_batch == start
        one.use(f"u{start}")
        one.close()
        truth += one.truth
    db = Database.open(sqlite_url(path))
    assert stored(db) == truth
    assert contents(db)["writers"] == [(1, "one", 3, 3)]
    db.close()


def test_two_sidecars_add_up(path: Path) -> None:
    one, two = Sidecar(path, "one"), Sidecar(path, "two")
    for index in range(20):
        one.use(f"u{index}")
        two.use(f"u{index}")
    one.flusher.flush()
    two.flusher.flush()
    assert stored(one.db) == one.truth + two.truth
    assert len(contents(one.db)["exposures"]) == 20, "both saw the same units"
    one.close()
    two.close()
