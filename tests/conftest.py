"""What tests of every kind share: the databases, and a PostgreSQL server that the first test that needs it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres import PostgresServer
from sortition.store import Database, sqlite_url

KINDS = ["sqlite", "postgresql"]

# Tables are as wide as a test says, and not as the terminal of whoever runs it.
os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgresql_url(postgres: PostgresServer) -> Iterator[str]:
    """A database of the test's own, with the schema in it."""
    url = postgres.new_database()
    yield url
    postgres.drop(url)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the test's own, once of each kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "sortition.db")
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """The same, open."""
    database = Database.open(database_url, timeout_s=5)
    yield database
    database.close()
