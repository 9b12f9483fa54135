"""What an engine recorded is in the database exactly once, whatever the database does meanwhile."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event
from sqlalchemy import Engine as SqlEngine

from flushing import Recorder, stored
from sortition.core import exposure_hash
from sortition.errors import Conflict, InternalError, StoreUnavailable
from sortition.flusher import Flusher, FlushState
from sortition.store import Database
from sortition.store.sqlite import path_of
from store_samples import contents
from waiting import wait_until

# On SQLite every moment counts as one without a lock; a PostgreSQL server needs some to answer at all.
HASTY_S = {"sqlite": 0.05, "postgresql": 0.3}


def hasty_sidecar(url: str) -> Recorder:
    """Returns a sidecar that soon gives up waiting for a lock."""
    return Recorder(url, timeout_s=HASTY_S[url.partition(":")[0]])


@pytest.fixture
def sidecar(database_url: str) -> Iterator[Recorder]:
    one = Recorder(database_url)
    yield one
    one.close()


@pytest.fixture
def hasty(database_url: str) -> Iterator[Recorder]:
    one = hasty_sidecar(database_url)
    yield one
    one.close()


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Holds the lock of the database from another connection; it can be read."""
    connection: Any
    if url.startswith("sqlite"):
        connection = sqlite3.connect(path_of(url), isolation_level=None, timeout=10)
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection = psycopg.connect(url)
        connection.execute("LOCK TABLE writers IN EXCLUSIVE MODE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_a_flush_stores_everything_that_was_recorded(sidecar: Recorder) -> None:
    for index in range(200):
        sidecar.use(f"u{index % 150}", 0.5 + index)
    assert stored(sidecar.db) == {}
    sidecar.flusher.flush()
    assert stored(sidecar.db) == sidecar.truth
    assert sum(sidecar.truth.values()) == 200
    exposures = contents(sidecar.db)["exposures"]
    assert len(exposures) == 150
    assert {row[2] for row in exposures} == {0, 1}


def test_a_unit_keeps_the_day_and_variant_of_its_first_exposure(sidecar: Recorder) -> None:
    sidecar.use("u")
    sidecar.flusher.flush()
    first = contents(sidecar.db)["exposures"]
    sidecar.use("u")
    sidecar.flusher.flush()
    assert contents(sidecar.db)["exposures"] == first
    assert sum(stored(sidecar.db).values()) == 2


def test_nothing_recorded_writes_nothing(sidecar: Recorder) -> None:
    sidecar.flusher.flush()
    assert sidecar.flusher.state == FlushState(0)
    assert sidecar.changes == []
    assert sidecar.writer.high_water == 0


def test_the_state_says_what_is_stored_and_when(sidecar: Recorder) -> None:
    sidecar.use("u")
    sidecar.flusher.flush()
    state = sidecar.flusher.state
    assert (state.flushed_batch, state.failures, state.last_error) == (1, 0, "")
    assert state.flushed_at is not None
    assert state.flushed_at.utcoffset() is not None
    assert sidecar.changes == [state]


def test_the_background_flushes_by_itself(sidecar: Recorder) -> None:
    sidecar.flusher.start()
    for round in range(3):
        sidecar.use(f"u{round}")
        wait_until(lambda: stored(sidecar.db) == sidecar.truth, what="the flush in the background")
    with pytest.raises(InternalError, match="once"):
        sidecar.flusher.start()


def test_what_was_recorded_behind_a_batch_in_flight_is_stored_too(hasty: Recorder, database_url: str) -> None:
    hasty.use("before")
    with locked(database_url), pytest.raises(StoreUnavailable, match="lock"):
        hasty.flusher.flush()
    hasty.use("after")
    hasty.flusher.flush()
    assert stored(hasty.db) == hasty.truth
    assert sum(hasty.truth.values()) == 2
    assert hasty.flusher.state.flushed_batch == 2


def test_a_database_that_is_away_loses_nothing_and_stops_nobody(hasty: Recorder, database_url: str) -> None:
    hasty.use("u0")
    with locked(database_url):
        hasty.flusher.start()
        wait_until(lambda: hasty.flusher.state.failures >= 2, what="the second failure")
        assert "lock" in hasty.flusher.state.last_error
        assert hasty.flusher.state.flushed_at is None
        for index in range(100):
            hasty.use(f"u{index}")
        assert stored(hasty.db) == {}
    wait_until(lambda: stored(hasty.db) == hasty.truth, what="the flush after the lock was released")
    wait_until(lambda: hasty.flusher.state.failures == 0)
    assert hasty.flusher.state.last_error == ""
    assert [state.failures for state in hasty.changes[:2]] == [1, 2]


def test_a_commit_whose_answer_was_lost_counts_once(sidecar: Recorder) -> None:
    with sidecar.db.read() as tx:
        dialect = type(tx.dialect)
    commit = dialect.do_commit
    lost: list[bool] = []

    def lose_the_answer(self: Any, connection: Any) -> None:
        commit(self, connection)
        if threading.current_thread() is flushing and not lost:
            lost.append(True)
            # What means "try again" to the store: with PostgreSQL's driver that is an error the server did not send.
            raise self.loaded_dbapi.OperationalError("database is locked")

    flushing = threading.current_thread()

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


def test_everybody_who_flushes_finds_what_they_recorded(sidecar: Recorder) -> None:
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


def test_a_flush_does_not_wait_for_ever_for_another(sidecar: Recorder) -> None:
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


def test_a_defect_does_not_end_the_background(sidecar: Recorder, caplog: pytest.LogCaptureFixture) -> None:
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


def test_a_listener_that_fails_stops_no_flush(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    one = Recorder(database_url)

    def fail() -> None:
        raise ZeroDivisionError("planted")

    flusher = Flusher(one.engine, one.writer, on_change=fail)
    one.use("u")
    with caplog.at_level(logging.ERROR):
        flusher.flush()
    assert stored(one.db) == one.truth
    assert "listener" in caplog.text
    one.close()


def test_stopping_stores_what_is_left(database_url: str) -> None:
    one = Recorder(database_url, interval_s=1000)
    one.flusher.start()
    one.use("u")
    one.flusher.stop(10)
    assert stored(one.db) == one.truth
    assert not [thread for thread in threading.enumerate() if thread.name == "flusher"]
    one.flusher.stop(10)
    one.db.close()


def test_stopping_without_a_database_gives_up_and_can_go_on(database_url: str) -> None:
    one = hasty_sidecar(database_url)
    one.flusher.start()
    with locked(database_url):
        one.use("u")
        with pytest.raises(StoreUnavailable, match=r"not in the database after 0\.4 s"):
            one.flusher.stop(0.4)
    one.flusher.stop(10)
    assert stored(one.db) == one.truth
    one.db.close()


def test_stopping_retries_until_the_database_is_back(database_url: str) -> None:
    one = hasty_sidecar(database_url)
    one.use("u")
    release = threading.Event()

    def hold() -> None:
        with locked(database_url):
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


def test_stopping_does_not_chase_those_who_go_on_recording(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Recorder(database_url)
    one.use("u")
    with monkeypatch.context() as patched:
        patched.setattr(one, "after_flush", lambda: one.use("u"))
        with pytest.raises(StoreUnavailable, match=r"still being recorded after 0\.3 s"):
            one.flusher.stop(0.3)
    one.flusher.stop(10)
    assert stored(one.db) == one.truth
    assert len(one.changes) > 1
    one.db.close()


def test_a_sidecar_whose_name_was_given_to_another_goes_on_under_its_own(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    older = Recorder(database_url)
    older.use("before")
    older.flusher.flush()
    newer = Recorder(database_url)
    older.use("u")
    newer.use("v")
    older.flusher.flush()
    newer.flusher.flush()
    assert older.flusher.writer.startswith("one~")
    assert newer.flusher.writer == "one"
    assert "took the writer name one; this one writes nothing under it any more" in caplog.text
    assert f"goes on as {older.flusher.writer}" in caplog.text
    assert older.flusher.state.failures == 0
    older.use("w")
    older.close()
    newer.close()
    db = Database.open(database_url)
    assert stored(db) == older.truth + newer.truth
    db.close()


def test_a_sidecar_whose_state_directory_was_taken_stops_flushing(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    older, newer = Recorder(database_url, owner="here"), Recorder(database_url, owner="here")
    older.use("u")
    older.flusher.start()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "flusher"], what="the end of flushing")
    assert "works with the state directory of this one" in older.flusher.state.last_error
    assert (older.flusher.state.failures, older.flusher.state.fenced) == (1, True)
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


def test_a_restarted_sidecar_goes_on_behind_its_last_batch(database_url: str) -> None:
    truth: Counter[str] = Counter()
    for start in range(3):
        one = Recorder(database_url)
        assert one.flusher.state.flushed_batch == start
        one.use(f"u{start}")
        one.close()
        truth += one.truth
    db = Database.open(database_url)
    assert stored(db) == truth
    assert contents(db)["writers"] == [(1, "one", 3, 3)]
    db.close()


def test_two_sidecars_add_up(database_url: str) -> None:
    one, two = Recorder(database_url, "one"), Recorder(database_url, "two")
    for index in range(20):
        one.use(f"u{index}")
        two.use(f"u{index}")
    one.flusher.flush()
    two.flusher.flush()
    assert stored(one.db) == one.truth + two.truth
    assert len(contents(one.db)["exposures"]) == 20, "both saw the same units"
    one.close()
    two.close()
