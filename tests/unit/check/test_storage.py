"""The checks of a state directory and its database: nothing there, all well, and each thing that may be wrong."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from engines import KEY, NOW_MS, experiment, snapshot
from sortition.check import Finding, State, clock, storage
from sortition.check.finding import Probe, run
from sortition.core import Engine
from sortition.settings import Settings
from sortition.store import BatchWriter, Database, audit, sqlite_url
from sortition.store.inspection import inspect_database
from store_samples import Delta, make_batch, make_cell

Found = Callable[[Iterator[Probe], str], Finding]
TODAY = int(datetime.now(timezone.utc).timestamp() // 86_400)


@pytest.fixture
def used(chosen: Settings) -> Settings:
    """The settings of a sidecar that has a state directory and a database."""
    chosen.state_dir.mkdir(mode=0o700)
    Database.open(sqlite_url(chosen.state_dir / "sortition.db")).close()
    return chosen


def contents(path: Path) -> dict[str, str]:
    return {
        str(each.relative_to(path)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(path.rglob("*"))
        if each.is_file() and not each.name.endswith(("-shm", "-wal"))
    }


def test_where_no_sidecar_ran_there_is_nothing_to_check(chosen: Settings) -> None:
    assert {one.state for one in run(storage.probes(chosen))} == {State.SKIPPED}
    assert not chosen.state_dir.exists(), "a check makes nothing"


def test_a_sound_directory_stays_as_it_is(used: Settings) -> None:
    before = contents(used.state_dir)
    found = {one.name: one for one in [*run(storage.probes(used)), *run(clock.probes(used))]}
    states = {name: one.state for name, one in found.items()}
    assert states.pop("log") is State.SKIPPED
    # It has no entries yet, and a file has no clock.
    assert found.pop("database").state is State.SKIPPED
    assert {name: state for name, state in states.items() if name != "database"} == dict.fromkeys(
        ["state directory", "room", "time", "steady", "files"], State.OK
    )
    assert contents(used.state_dir) == before


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701])
def test_a_directory_that_others_can_read(found: Found, used: Settings, mode: int) -> None:
    used.state_dir.chmod(mode)
    finding = found(storage.probes(used), "state directory")
    assert finding.state is State.FAILED
    assert f"can be read by others (mode {mode:04o}); run: chmod 700" in finding.detail


def test_a_full_disk(found: Found, used: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=63 * 1024**2))
    finding = found(storage.probes(used), "room")
    assert finding.state is State.FAILED
    assert "63 MiB left" in finding.detail
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=65 * 1024**2))
    assert "less than the log may grow to (1,024 MiB)" in found(storage.probes(used), "room").detail


def test_a_damaged_log(found: Found, used: Settings) -> None:
    log = used.state_dir / "log" / "one"
    log.mkdir(parents=True)
    engine = Engine(unit_key=KEY, log_dir=log, log_identity=bytes(16))
    engine.load_snapshot(snapshot(1, experiment()))
    engine.resume(0)
    for number in range(20):
        engine.assign_unit("search", f"unit-{number}", now_ms=NOW_MS)
    assert found(storage.probes(used), "log").detail == "1 log, sound", "while it is written"
    engine.close()
    assert found(storage.probes(used), "log").state is State.OK
    (segment,) = [each for each in log.iterdir() if each.stat().st_size > 500]
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    finding = found(storage.probes(used), "log")
    assert finding.state is State.FAILED
    assert finding.detail.endswith("see `sortition log inspect`")


def test_a_sound_database(found: Found, used: Settings) -> None:
    finding = found(storage.probes(used), "database")
    assert finding.state is State.OK
    assert "every page sound, and can be written" in finding.detail


def test_a_damaged_database(found: Found, used: Settings) -> None:
    path = used.state_dir / "sortition.db"
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = plain.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'ix_audit_action_id'").fetchone()
        (size,) = plain.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert found(storage.probes(used), "database").state is State.FAILED


def test_a_file_that_is_no_database(found: Found, used: Settings) -> None:
    (used.state_dir / "sortition.db").write_bytes(b"something else" * 1000)
    assert found(storage.probes(used), "database").state is State.FAILED


def test_a_database_of_a_later_version(found: Found, used: Settings) -> None:
    with closing(sqlite3.connect(used.state_dir / "sortition.db")) as plain, plain:
        plain.execute("UPDATE sortition_schema SET version_num = '9999'")
        plain.execute("UPDATE installation SET compatible_down_to = '9998'")
    finding = found(storage.probes(used), "database")
    assert finding.state is State.FAILED
    assert "upgrade sortition" in finding.detail


def test_an_older_database_is_not_migrated(found: Found, used: Settings) -> None:
    url = sqlite_url(used.state_dir / "sortition.db")
    Database.downgrade(url, "0001")
    finding = found(storage.probes(used), "database")
    assert finding.state is State.OK
    assert "older schema 0001; the next sidecar brings it up to date" in finding.detail
    assert inspect_database(url).revision == "0001"


def test_a_database_that_somebody_else_writes_to(found: Found, used: Settings) -> None:
    quick = used.model_copy(update={"database_timeout_s": 0.1})
    with closing(sqlite3.connect(used.state_dir / "sortition.db", isolation_level=None)) as plain:
        plain.execute("BEGIN IMMEDIATE")
        finding = found(storage.probes(quick), "database")
    assert finding.state is State.FAILED
    assert "locked" in finding.detail


def test_a_server_has_a_clock_and_looks_after_its_pages(
    found: Found, chosen: Settings, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = chosen.model_copy(update={"database_url": postgresql_url})
    finding = found(storage.probes(served), "database")
    assert finding.state is State.OK, finding.detail
    assert finding.detail.endswith(", and can be written")
    assert found(clock.probes(served), "database").state is State.OK
    monkeypatch.setattr(clock, "_wall", lambda: time.time() + 60)
    finding = found(clock.probes(served), "database")
    assert finding.state is State.FAILED
    assert "s from the clock; set one of the two" in finding.detail


def entered(settings: Settings, at: datetime) -> None:
    with closing(Database.open(sqlite_url(settings.state_dir / "sortition.db"))) as db, db.write() as tx:
        audit.append(tx, at=at, actor="ann", action="test", organization="default", object="o", reason="", details={})


def test_entries_of_a_time_to_come(found: Found, used: Settings) -> None:
    entered(used, datetime.now(timezone.utc) - timedelta(hours=1))
    assert found(clock.probes(used), "database").state is State.OK
    entered(used, datetime.now(timezone.utc) + timedelta(hours=1))
    finding = found(clock.probes(used), "database")
    assert finding.state is State.FAILED
    assert "the newest entry" in finding.detail


def test_outcomes_of_a_day_to_come(found: Found, used: Settings) -> None:
    with closing(Database.open(sqlite_url(used.state_dir / "sortition.db"))) as db:
        BatchWriter(db, "one").apply(make_batch(1, [Delta(make_cell("id", [1.0]), day=TODAY + 2)]))
    finding = found(clock.probes(used), "database")
    assert finding.state is State.FAILED
    assert "holds outcomes of" in finding.detail


def test_a_clock_that_was_never_set(found: Found, used: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_wall", lambda: 300.0)
    finding = found(clock.probes(used), "time")
    assert finding.state is State.FAILED
    assert "the clock says 1970-01-01 00:05 UTC" in finding.detail


def test_a_clock_that_is_set_while_it_is_watched(found: Found, used: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([1000.0, 1060.0])
    monkeypatch.setattr(clock, "_wall", lambda: next(ticks))
    finding = found(clock.probes(used), "steady")
    assert finding.state is State.FAILED
    assert "the clock was set by +59." in finding.detail


def test_files_of_another_clock(found: Found, used: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_wall", lambda: time.time() - 7200)
    finding = found(clock.probes(used), "files")
    assert finding.state is State.FAILED
    assert "are dated +7200" in finding.detail
