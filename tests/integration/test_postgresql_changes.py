"""A change reaches every sidecar at once where PostgreSQL tells of it, and in time where nobody does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from postgres import PostgresServer, alter, name_in
from sortition.core import Engine
from sortition.lifecycle import SnapshotKeeper
from sortition.lifecycle.snapshot import snapshot_version
from sortition.store import Database, installation, sqlite_url
from waiting import wait_until

# Longer than any test, so that what is found was heard.
NEVER_S = 1000.0
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%%'"


@pytest.fixture
def here(postgresql_url: str) -> Iterator[Database]:
    with closing(Database.open(postgresql_url, timeout_s=5)) as db:
        yield db


@pytest.fixture
def elsewhere(postgresql_url: str) -> Iterator[Database]:
    with closing(Database.open(postgresql_url, timeout_s=5)) as db:
        yield db


def touch(db: Database) -> int:
    """Counts a change; returns the version of the snapshot behind it."""
    with db.write() as tx:
        installation.touch(tx)
        return snapshot_version(tx)


def listening(url: str) -> list[int]:
    return [pid for (pid,) in alter(url, LISTENERS)]


def test_a_change_made_elsewhere_is_heard(here: Database, elsewhere: Database, tmp_path: Path) -> None:
    engine = Engine(unit_key=here.installation_key)
    keeper = SnapshotKeeper(here, engine, tmp_path / "kept", poll_s=NEVER_S, listen=here.listen)
    keeper.start()
    try:
        wait_until(lambda: listening(here.name))
        for _ in range(3):
            version = touch(elsewhere)
            wait_until(lambda: engine.snapshot_version == version, within_s=5, what="the change")  # noqa: B023
    finally:
        keeper.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sortition-")]


def test_a_lost_connection_is_made_again_and_what_happened_meanwhile_is_noticed(
    here: Database, elsewhere: Database, tmp_path: Path
) -> None:
    engine = Engine(unit_key=here.installation_key)
    keeper = SnapshotKeeper(here, engine, tmp_path / "kept", poll_s=NEVER_S, listen=here.listen)
    keeper.start()
    try:
        for _ in range(2):
            (old,) = wait_until(lambda: listening(here.name))
            alter(here.name, "SELECT pg_terminate_backend(%s)", old)
            # Told to nobody, as nobody listens.
            version = touch(elsewhere)
            wait_until(lambda: engine.snapshot_version == version, within_s=10, what="the change")  # noqa: B023
    finally:
        keeper.stop()
    assert engine.snapshot_version == 3


def test_what_is_rolled_back_is_not_told(here: Database, elsewhere: Database) -> None:
    heard: list[None] = []
    listener = here.listen(lambda: heard.append(None))
    assert listener is not None
    wait_until(lambda: len(heard) == 1, what="that it listens")

    def change_and_fail() -> None:
        with elsewhere.write() as tx:
            installation.touch(tx)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    touch(elsewhere)
    wait_until(lambda: len(heard) == 2)
    touch(elsewhere)
    wait_until(lambda: len(heard) == 3)
    listener.stop()
    assert not listener.listening
    assert len(heard) == 3


def test_a_listener_can_be_stopped_while_there_is_no_database(postgres: PostgresServer, postgresql_url: str) -> None:
    db = Database.open(postgresql_url, timeout_s=0.2)
    alter(
        postgresql_url.replace(name_in(postgresql_url), "postgres"),
        f"ALTER DATABASE {name_in(postgresql_url)} ALLOW_CONNECTIONS false",
    )
    listener = db.listen(lambda: None)
    assert listener is not None
    listener.stop()
    assert not listener.listening
    db.close()


def test_a_server_that_cannot_tell_is_used_all_the_same(postgres: PostgresServer, postgresql_url: str) -> None:
    name = name_in(postgresql_url)
    for statement in (
        f"CREATE ROLE silent_{name} LOGIN",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO silent_{name}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO silent_{name}",
        "REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM public",
    ):
        alter(postgresql_url, statement)
    try:
        with closing(Database.open(postgresql_url.replace("postgres@", f"silent_{name}@"))) as db:
            assert touch(db) == 2
    finally:
        for statement in (f"DROP OWNED BY silent_{name}", f"DROP ROLE silent_{name}"):
            alter(postgresql_url, statement)


def test_sqlite_tells_nobody(tmp_path: Path) -> None:
    with closing(Database.open(sqlite_url(tmp_path / "x.db"))) as db:
        assert db.listen(lambda: None) is None
