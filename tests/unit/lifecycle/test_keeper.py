"""The engine follows the database, and outlives it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from sqlalchemy import Connection

from sortition.core import Engine
from sortition.errors import StoreUnavailable
from sortition.lifecycle import Experiments, SnapshotKeeper, compile_snapshot
from sortition.model import ExperimentStatus
from sortition.state.snapshot import load_local
from sortition.store import Database, sqlite_url
from unit.lifecycle.world import World
from waiting import wait_until


class Reachable:
    """A database that a test can take away."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.away = False
        self.reads = 0

    @contextmanager
    def read(self) -> Iterator[Any]:
        self.reads += 1
        if self.away:
            raise StoreUnavailable("the database is away")
        with self._db.read() as tx:
            yield tx

    def as_database(self) -> Database:
        return cast("Database", self)


def engine() -> Engine:
    return Engine(unit_key=b"k" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept.pb"


def test_a_change_is_answered_from_at_once(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    assert world.engine.snapshot_version == world.version()
    assert world.engine.assign_unit("search-strategy", "u", now_ms=world.now_ms).variant is not None


def test_changes_made_elsewhere_are_found_by_polling(world: World, path: Path, tmp_path: Path) -> None:
    mine = engine()
    watching = SnapshotKeeper(world.db, mine, path, poll_s=0.01)
    watching.start()
    try:
        assert mine.snapshot_version == 1
        other = Database.open(sqlite_url(tmp_path / "sortition.db"))
        elsewhere = Experiments(other, flush=lambda: None, changed=lambda: None, now=lambda: world.now)
        elsewhere.create(world.spec(), world.ann)
        elsewhere.start("default", "search-strategy", world.ann)
        other.close()
        wait_until(lambda: mine.snapshot_version == world.version())
        assert mine.assign_unit("search-strategy", "u", now_ms=world.now_ms).variant is not None
    finally:
        watching.stop()
    assert path.exists()


def test_nothing_is_compiled_while_nothing_changes(world: World, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[bytes] = []

    def compile_and_count(tx: Connection) -> bytes:
        compiled.append(compile_snapshot(tx))
        return compiled[-1]

    monkeypatch.setattr("sortition.lifecycle.keeper.compile_snapshot", compile_and_count)
    db = Reachable(world.db)
    watching = SnapshotKeeper(db.as_database(), engine(), path, poll_s=0.001)
    watching.start()
    wait_until(lambda: db.reads > 20)
    watching.stop()
    assert len(compiled) == 1


def test_the_last_good_snapshot_is_enough_to_start(world: World, path: Path) -> None:
    world.standing(ExperimentStatus.RUNNING)
    assert SnapshotKeeper(world.db, engine(), path).refresh()
    db = Reachable(world.db)
    db.away = True
    mine = engine()
    watching = SnapshotKeeper(db.as_database(), mine, path, poll_s=0.01)
    watching.start()
    try:
        assert mine.snapshot_version == world.version()
        assert mine.snapshot_hash == world.engine.snapshot_hash
        world.experiments.pause("default", "search-strategy", world.ann)
        db.away = False
        wait_until(lambda: mine.snapshot_version == world.version())
    finally:
        watching.stop()


def test_the_database_is_asked_before_the_disk(world: World, path: Path, tmp_path: Path) -> None:
    world.standing(ExperimentStatus.RUNNING)
    assert SnapshotKeeper(world.db, engine(), path).refresh()
    fresh = Database.open(sqlite_url(tmp_path / "restored.db"))
    mine = engine()
    watching = SnapshotKeeper(fresh, mine, path)
    watching.start()
    watching.stop()
    fresh.close()
    assert mine.snapshot_version == 1, "the database counts, though the file has a higher version"


def test_a_database_that_went_back_is_reported_and_the_engine_keeps_what_it_has(
    world: World, path: Path, tmp_path: Path
) -> None:
    world.standing(ExperimentStatus.RUNNING)
    assert SnapshotKeeper(world.db, engine(), path).refresh()
    fresh = Database.open(sqlite_url(tmp_path / "restored.db"))
    mine = engine()
    watching = SnapshotKeeper(fresh, mine, path)
    assert watching.load_local()
    with structlog.testing.capture_logs() as logs:
        assert not watching.refresh()
        assert not watching.refresh()
    fresh.close()
    assert ["an older copy was restored; restart this sidecar" in entry["error"] for entry in logs] == [True]
    assert mine.snapshot_version == world.version()


def test_without_a_database_the_engine_keeps_what_it_has(world: World, path: Path) -> None:
    db = Reachable(world.db)
    mine = engine()
    kept = SnapshotKeeper(db.as_database(), mine, path)
    assert kept.refresh()
    world.create()
    db.away = True
    with structlog.testing.capture_logs() as logs:
        assert not kept.refresh()
        assert not kept.refresh()
        assert mine.snapshot_version == 1
        db.away = False
        assert kept.refresh()
    assert mine.snapshot_version == world.version()
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("error", "snapshot not refreshed"),
        ("info", "snapshot refreshed again"),
    ], "an outage is said once, and so is its end"


def test_the_file_is_private_whole_and_alone(world: World, path: Path) -> None:
    kept = SnapshotKeeper(world.db, engine(), path)
    leftover = path.with_name(f".{path.name}.sortition.tmp")
    leftover.write_bytes(b"half a snapshot")
    leftover.chmod(0o644)
    assert kept.refresh()
    first = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not leftover.exists()
    world.create()
    assert kept.refresh()
    assert path.read_bytes() != first
    assert engine().load_snapshot(path.read_bytes())


def test_a_crash_while_writing_leaves_the_old_file(world: World, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = SnapshotKeeper(world.db, engine(), path)
    assert kept.refresh()
    first = path.read_bytes()
    world.create()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, structlog.testing.capture_logs() as logs:
        patched.setattr("os.fsync", full)
        assert kept.refresh(), "answers do not depend on the file"
    assert path.read_bytes() == first
    assert list(path.parent.glob(".*.tmp")) == []
    assert [entry["event"] for entry in logs] == ["last good snapshot not written"]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "noise", "directory"])
def test_a_damaged_file_is_ignored_and_reported(world: World, path: Path, damage: str) -> None:
    world.create()
    SnapshotKeeper(world.db, engine(), path).refresh()
    good = path.read_bytes()
    path.unlink()
    if damage == "directory":
        path.mkdir()
    else:
        flipped = good[:60] + bytes([good[60] ^ 1]) + good[61:]
        path.write_bytes({"empty": b"", "cut": good[:-5], "flipped": flipped, "noise": b"\xff" * 64}[damage])
    mine = engine()
    with structlog.testing.capture_logs() as logs:
        assert not load_local(mine, path)
    assert not mine.ready
    assert [entry["event"] for entry in logs] == ["last good snapshot not loaded"]


def test_without_a_file_there_is_nothing_to_load(path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        assert not load_local(engine(), path)
    assert logs == []


def test_stopping_ends_the_thread_and_starting_again_works(world: World, path: Path) -> None:
    mine = engine()
    watching = SnapshotKeeper(world.db, mine, path, poll_s=0.01)
    for _ in range(2):
        watching.start()
        watching.start()
        world.create(key=f"k{world.version()}")
        wait_until(lambda: mine.snapshot_version == world.version())
        watching.stop()
        watching.stop()
    before = mine.snapshot_version
    world.create(key="unseen")
    assert mine.snapshot_version == before
