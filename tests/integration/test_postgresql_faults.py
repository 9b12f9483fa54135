"""PostgreSQL frozen, killed, cut off in the middle of a commit: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, event
from sqlalchemy import Engine as SqlEngine

from faults.proxy import Cut, Proxy
from flushing import Recorder, stored
from postgres import PostgresServer, alter, frozen, name_in
from sortition.errors import StoreUnavailable
from sortition.store import BatchWriter, Database, installation
from sortition.store.postgresql import silence_s
from store_samples import Delta, contents, make_batch, make_cell
from waiting import wait_until

ID = "id-default-search"
TIMEOUT_S = 0.3
# A flush that finds a connection broken tries one new one.
DEADLINE_S = silence_s(TIMEOUT_S) + 2 + 1


@pytest.fixture
def recorder(postgresql_url: str) -> Iterator[Recorder]:
    one = Recorder(postgresql_url, timeout_s=TIMEOUT_S)
    yield one
    one.close()


def test_a_frozen_server_ends_a_flush_in_time_and_stops_nobody(recorder: Recorder, postgres: PostgresServer) -> None:
    recorder.use("before")
    recorder.flusher.flush()
    with frozen(postgres):
        recorder.use("u")
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"said nothing for|timeout expired"):
            recorder.flusher.flush()
        assert time.monotonic() - started < DEADLINE_S
        for index in range(100):
            recorder.use(f"u{index}")
        assert recorder.flusher.state.failures == 1
    recorder.flusher.flush()
    assert stored(recorder.db) == recorder.truth
    assert sum(recorder.truth.values()) == 102


@pytest.mark.parametrize("moment", ["before_cursor_execute", "commit"])
def test_a_server_that_freezes_in_the_middle_of_a_flush_counts_it_once(
    recorder: Recorder, postgres: PostgresServer, moment: str
) -> None:
    recorder.use("u")
    frozen_now: list[bool] = []
    with ExitStack() as until_the_end:

        def freeze(*_: object) -> None:
            if not frozen_now:
                frozen_now.append(True)
                until_the_end.enter_context(frozen(postgres))

        event.listen(SqlEngine, moment, freeze)
        until_the_end.callback(event.remove, SqlEngine, moment, freeze)
        with pytest.raises(StoreUnavailable, match="said nothing for"):
            recorder.flusher.flush()
        recorder.use("v")
    recorder.flusher.flush()
    assert stored(recorder.db) == recorder.truth
    assert recorder.flusher.state.flushed_batch == 2


def test_a_server_that_is_killed_loses_nothing_that_was_stored() -> None:
    with PostgresServer() as server:
        one = Recorder(server.new_database(), timeout_s=1, interval_s=0.01)
        one.flusher.start()
        for round in range(4):
            for index in range(50):
                one.use(f"u{round}-{index}")
            before = one.flusher.state.flushed_batch
            wait_until(lambda: one.flusher.state.flushed_batch > before)  # noqa: B023
            server.kill()
            one.use("while it was away")
            server.start()
        wait_until(lambda: stored(one.db) == one.truth, within_s=30, what="everything recorded")
        one.close()
    assert sum(one.truth.values()) == 204


@pytest.fixture
def sockets() -> Iterator[Path]:
    # Not in pytest's own directories: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="sortition-proxy-") as directory:
        yield Path(directory)


@pytest.fixture
def proxy(postgres: PostgresServer, sockets: Path) -> Iterator[Proxy]:
    made = Proxy(sockets, postgres.socket)
    yield made
    made.close()


@pytest.fixture
def proxied_url(sockets: Path, postgresql_url: str) -> str:
    """The database behind the proxy."""
    return f"postgresql://postgres@/{name_in(postgresql_url)}?host={sockets}"


@pytest.mark.parametrize("cut", Cut)
def test_a_commit_that_is_cut_off_counts_once(proxied_url: str, proxy: Proxy, cut: Cut) -> None:
    committed = cut is not Cut.NOT_SENT
    with closing(Database.open(proxied_url, timeout_s=TIMEOUT_S)) as db:
        writer = BatchWriter(db, "one")
        batch = make_batch(1, [Delta(make_cell(ID, [1.0]))])
        proxy.plan(cut)
        with pytest.raises(StoreUnavailable):
            writer.apply(batch)
        assert proxy.cuts == 1
        assert writer.high_water == 0, "nobody said that it was applied"
        assert len(contents(db)["cells"]) == committed
        assert writer.apply(batch) is not committed
        assert [row[5] for row in contents(db)["cells"]] == [1]
        assert writer.high_water == 1


def test_a_flusher_whose_commits_are_cut_off_again_and_again_stores_everything_once(
    proxied_url: str, proxy: Proxy
) -> None:
    one = Recorder(proxied_url, timeout_s=TIMEOUT_S)
    for round in range(12):
        one.use(f"u{round}")
        proxy.plan([Cut.NOT_SENT, Cut.REPLY_LOST, Cut.REPLY_LOST][round % 3])
        with pytest.raises(StoreUnavailable):
            one.flusher.flush()
        if round % 2:
            # More was recorded since the batch that is in doubt was sealed.
            one.use(f"v{round}")
        one.flusher.flush()
        assert stored(one.db) == one.truth
    assert proxy.cuts == 12
    one.close()


def test_a_lock_that_is_not_granted_is_unavailable_in_time(recorder: Recorder, postgresql_url: str) -> None:
    recorder.use("u")
    with psycopg.connect(postgresql_url) as holder:
        holder.execute("SELECT * FROM writers FOR UPDATE")
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            recorder.flusher.flush()
        assert time.monotonic() - started < DEADLINE_S
    recorder.flusher.flush()
    assert stored(recorder.db) == recorder.truth


def test_a_statement_that_takes_too_long_is_given_up_and_the_next_one_works(postgresql_url: str) -> None:
    with closing(Database.open(postgresql_url, timeout_s=0.1)) as db:
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"said nothing for 1\.1 s"), db.read() as tx:
            tx.exec_driver_sql("SELECT pg_sleep(30)")
        assert time.monotonic() - started < DEADLINE_S
        with db.read() as tx:
            assert tx.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_server_that_talks_without_end_is_given_up_too(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortition.store.postgresql._STATEMENT_FACTOR", 1)

    def listen_to(db: Database) -> None:
        with db.read() as tx:
            # A word every now and then, so that it is never silent; its own limit is switched off.
            tx.exec_driver_sql("SET LOCAL statement_timeout = 0")
            tx.exec_driver_sql("SELECT repeat('x', 100000), pg_sleep(0.02) FROM generate_series(1, 100000)")

    too_long = pytest.raises(StoreUnavailable, match=r"took more than 1\.1 s")
    with closing(Database.open(postgresql_url, timeout_s=0.1)) as db, too_long:
        listen_to(db)


def serializable(url: str) -> None:
    alter(url, f"ALTER DATABASE {name_in(url)} SET default_transaction_isolation = 'serializable'")


def test_a_serialization_failure_is_run_again(postgresql_url: str) -> None:
    serializable(postgresql_url)
    attempts: list[int] = []

    def work(tx: Connection) -> int:
        before = installation.revision(tx)
        attempts.append(before)
        if len(attempts) < 3:
            alter(postgresql_url, "UPDATE installation SET revision = revision + 10")
        return installation.touch(tx)

    with closing(Database.open(postgresql_url)) as db:
        assert db.run(work) == 21
        assert attempts == [0, 10, 20]
        with db.read() as tx:
            assert installation.revision(tx) == 21


def test_what_fails_to_serialize_for_ever_is_unavailable(postgresql_url: str) -> None:
    serializable(postgresql_url)
    attempts: list[None] = []

    def work(tx: Connection) -> None:
        installation.revision(tx)
        attempts.append(None)
        alter(postgresql_url, "UPDATE installation SET revision = revision + 10")
        installation.touch(tx)

    with closing(Database.open(postgresql_url)) as db:
        with pytest.raises(StoreUnavailable, match="could not serialize access"):
            db.run(work)
        assert len(attempts) == 8
        with db.read() as tx:
            assert installation.revision(tx) == 80, "and nothing of it is stored"


def test_other_failures_are_not_run_again(postgresql_url: str) -> None:
    attempts: list[None] = []

    def work(tx: Connection) -> None:
        attempts.append(None)
        tx.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with closing(Database.open(postgresql_url)) as db, pytest.raises(StoreUnavailable):
        db.run(work)
    assert len(attempts) == 1


def test_a_deadlock_is_run_again(postgresql_url: str) -> None:
    barrier = threading.Barrier(2)
    attempts: list[str] = []

    def crossing(first: str, second: str) -> None:
        def work(tx: Connection) -> None:
            attempts.append(first)
            tx.exec_driver_sql(f"UPDATE writers SET high_water = high_water + 1 WHERE name = '{first}'")
            if len(attempts) <= 2:
                barrier.wait(10)
            tx.exec_driver_sql(f"UPDATE writers SET high_water = high_water + 1 WHERE name = '{second}'")

        with closing(Database.open(postgresql_url)) as db:
            db.run(work)

    with closing(Database.open(postgresql_url)) as db:
        BatchWriter(db, "a")
        BatchWriter(db, "b")
        threads = [threading.Thread(target=crossing, args=pair) for pair in (("a", "b"), ("b", "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [row[3] for row in contents(db)["writers"]] == [2, 2]
    assert len(attempts) == 3, "one of the two had to make room"


def test_eight_writers_of_a_serializable_database_store_everything_once(postgresql_url: str) -> None:
    serializable(postgresql_url)
    wrong: list[BaseException] = []

    def write(index: int) -> None:
        try:
            with closing(Database.open(postgresql_url)) as db:
                writer = BatchWriter(db, f"w{index}")
                for number in range(1, 11):
                    assert writer.apply(make_batch(number, [Delta(make_cell(ID, [1.0, 2.0]))]))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    with closing(Database.open(postgresql_url)) as db:
        assert [row[5] for row in contents(db)["cells"]] == [20] * 8
