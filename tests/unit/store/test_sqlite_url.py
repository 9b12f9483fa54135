"""Any file can be named by a URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from sortition.errors import StoreError
from sortition.store import Database, sqlite_url
from sortition.store.sqlite import path_of


@pytest.mark.parametrize("name", ["x.db", "with space.db", "100%.db", "a?b#c&d=e.db", "ünï.db", "per%20cent.db"])
def test_the_file_that_is_named_is_the_one_that_is_made(tmp_path: Path, name: str) -> None:
    db = Database.open(sqlite_url(tmp_path / name))
    key = db.installation_key
    assert db.name == str(tmp_path / name)
    db.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    again = Database.open(sqlite_url(tmp_path / name), create=False)
    assert again.installation_key == key
    again.close()


def test_plain_urls_work_as_people_write_them() -> None:
    assert path_of("sqlite:////var/lib/x.db") == Path("/var/lib/x.db")
    assert path_of("sqlite:///x.db") == Path("x.db")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:x.db", "sqlite:///:memory:", "sqlite://host/x.db"])
def test_a_url_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="names no file"):
        Database.open(url)


@pytest.mark.parametrize("url", ["", "mysql://host/x", "/var/lib/x.db", "postgres://host/x"])
def test_another_kind_of_database_is_refused_by_name(url: str) -> None:
    with pytest.raises(StoreError, match=r"use sqlite:///path or postgresql://host/name"):
        Database.open(url)
