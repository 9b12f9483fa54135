"""A lifecycle over a fresh database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sortition.store import Database, sqlite_url
from unit.lifecycle.world import World

# Those whose every test is about what is stored; the others would only repeat them more slowly.
ON_EACH_KIND = ("test_alerts", "test_complete", "test_endings", "test_peeks", "test_running", "test_subjects")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world_kind" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_EACH_KIND:
        metafunc.parametrize("world_kind", ["sqlite", "postgresql"])


@pytest.fixture
def world_kind() -> str:
    return "sqlite"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that nothing was done to; copied, because migrating takes longer than most of these tests."""
    path = tmp_path_factory.mktemp("template") / "sortition.db"
    Database.open(sqlite_url(path)).close()
    return path


@pytest.fixture
def world(world_kind: str, request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> Iterator[World]:
    if world_kind == "sqlite":
        shutil.copy(migrated, tmp_path / "sortition.db")
        url = sqlite_url(tmp_path / "sortition.db")
    else:
        url = request.getfixturevalue("postgresql_url")
    db = Database.open(url)
    yield World(db, tmp_path, url)
    db.close()
