"""Errors of the database become the right error of sortition, shown on errors that SQLite really raised."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from sortition.errors import InternalError, StoreError, StoreUnavailable
from sortition.store.failures import is_locked, translate


def raised(connection: sqlite3.Connection, sql: str) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as caught:
        connection.execute(sql)
    return caught.value


def wrapped(cause: sqlite3.Error) -> OperationalError:
    return OperationalError("SELECT 1", {}, cause)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    connection.close()
    return path


def test_a_lock_is_unavailable(file: Path) -> None:
    holder, other = sqlite3.connect(file, isolation_level=None), sqlite3.connect(file, timeout=0)
    holder.execute("BEGIN EXCLUSIVE")
    error = raised(other, "SELECT * FROM t")
    holder.close()
    other.close()
    assert is_locked(error)
    assert is_locked(wrapped(error))
    assert type(translate(wrapped(error), "x.db")) is StoreUnavailable


def test_a_full_disk_is_unavailable(file: Path) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA max_page_count = 2")
    error = raised(connection, "CREATE TABLE big AS SELECT zeroblob(100000)")
    connection.close()
    assert "full" in str(error)
    assert not is_locked(error)
    assert type(translate(wrapped(error), "x.db")) is StoreUnavailable


def test_a_file_that_may_not_be_written_says_what_to_do(file: Path) -> None:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
    error = raised(connection, "INSERT INTO t VALUES (1)")
    connection.close()
    told = translate(wrapped(error), "x.db")
    assert type(told) is StoreError
    assert "cannot be written" in told.message
    assert told.message.startswith("x.db: ")


def test_another_kind_of_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir, " * 1000)
    connection = sqlite3.connect(tmp_path / "letter.txt")
    error = raised(connection, "SELECT * FROM t")
    connection.close()
    told = translate(error, "letter.txt")
    assert type(told) is StoreError
    assert "not a sortition database" in told.message


def test_a_constraint_is_a_defect_here(file: Path) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("INSERT INTO t VALUES (1)")
    error = raised(connection, "INSERT INTO t VALUES (1)")
    connection.close()
    told = translate(IntegrityError("INSERT", {}, error), "x.db")
    assert type(told) is InternalError
    assert "UNIQUE" in told.message


class ServerError(Exception):
    """An error as psycopg raises it: with the server's SQLSTATE, or without one when no server answered."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("said the server")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (None, StoreUnavailable),
        ("08006", StoreUnavailable),
        ("40001", StoreUnavailable),
        ("40P01", StoreUnavailable),
        ("53300", StoreUnavailable),
        ("55P03", StoreUnavailable),
        ("57P01", StoreUnavailable),
        ("25006", StoreError),
        ("42501", StoreError),
        ("42P01", StoreError),
        ("XX001", StoreError),
    ],
)
def test_a_servers_state_decides(state: str | None, kind: type[Exception]) -> None:
    told = translate(DBAPIError("SELECT 1", {}, ServerError(state)), "postgresql://db/x")
    assert type(told) is kind


def test_a_broken_connection_is_unavailable_whatever_the_state() -> None:
    error = DBAPIError("SELECT 1", {}, ServerError("42P01"), connection_invalidated=True)
    assert type(translate(error, "postgresql://db/x")) is StoreUnavailable
