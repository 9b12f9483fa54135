"""A lifecycle over a fresh database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sortition.store import Database, sqlite_url
from unit.lifecycle.world import World


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that nothing was done to; copied, because migrating takes longer than most of these tests."""
    path = tmp_path_factory.mktemp("template") / "sortition.db"
    Database.open(sqlite_url(path)).close()
    return path


@pytest.fixture
def world(migrated: Path, tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "sortition.db"
    shutil.copy(migrated, path)
    db = Database.open(sqlite_url(path))
    yield World(db, tmp_path)
    db.close()
