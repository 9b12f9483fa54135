"""Opening a database: made, migrated, shared, or refused with a reason."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest

from sortition.errors import StoreError, StoreUnavailable
from sortition.store import BatchWriter, Database, installation, sqlite_url
from sortition.store.migrations import VERSION_TABLE
from store_samples import contents


def opened(path: Path, *, create: bool = True, timeout_s: float = 10) -> Database:
    return Database.open(sqlite_url(path), create=create, timeout_s=timeout_s)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database that was made and closed."""
    path = tmp_path / "sortition.db"
    opened(path).close()
    return path


@contextmanager
def changed(path: Path, *statements: str) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    yield
    connection.close()


def test_a_new_database_has_a_random_key_that_stays(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "one.db"), opened(tmp_path / "other.db")
    assert len(one.installation_key) == 32
    assert one.installation_key != other.installation_key
    one.close()
    again = opened(tmp_path / "one.db", create=False)
    assert again.installation_key == one.installation_key
    assert again.kind == "sqlite"
    again.close()
    other.close()


def test_only_its_owner_can_read_a_new_database(tmp_path: Path) -> None:
    db = opened(tmp_path / "x.db")
    BatchWriter(db, "one")
    assert {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {
        "x.db": 0,
        "x.db-wal": 0,
        "x.db-shm": 0,
    }
    db.close()


def test_connections_are_safe_against_power_loss(file: Path) -> None:
    db = opened(file)
    for transaction in (db.write, db.read):
        with transaction() as tx:
            settings = [
                tx.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        assert settings == ["wal", 2, 1, 10_000]
    db.close()


def test_a_reading_transaction_cannot_write(file: Path) -> None:
    db = opened(file)
    with pytest.raises(StoreError, match="cannot be written"), db.read() as tx:
        installation.touch(tx)
    db.close()


def test_a_reading_transaction_sees_one_state_and_blocks_nobody(file: Path) -> None:
    db = opened(file, timeout_s=5)
    with db.read() as reader:
        before = installation.revision(reader)
        with db.write() as writer:
            installation.touch(writer)
        assert installation.revision(reader) == before
    with db.read() as reader:
        assert installation.revision(reader) == before + 1
    db.close()


def test_writing_transactions_come_one_after_another(file: Path) -> None:
    first, second = opened(file), opened(file)

    def count(db: Database) -> None:
        for _ in range(50):
            with db.write() as tx:
                installation.touch(tx)

    threads = [threading.Thread(target=count, args=(db,)) for db in (first, first, second, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with first.read() as tx:
        assert installation.revision(tx) == 200
    first.close()
    second.close()


def test_a_database_that_is_missing_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such database"):
        opened(tmp_path / "x.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing/x\.db: cannot be created"):
        opened(tmp_path / "missing" / "x.db")


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="check that it is a file"):
        opened(tmp_path)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Takes from this process the superuser's right to open everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.usefixtures("nobody")
def test_a_directory_that_may_not_be_written_is_refused() -> None:
    with pytest.raises(StoreError, match="cannot be created"):
        opened(Path("/usr/lib/sortition-test.db"))


def test_a_file_that_may_not_be_written_is_refused(file: Path, request: pytest.FixtureRequest) -> None:
    file.chmod(0o444)
    # Those that pytest made, and let nobody else into.
    for directory in takewhile(lambda each: each.stat().st_mode & 0o077 == 0, file.parents):
        directory.chmod(0o755)
    request.getfixturevalue("nobody")
    with pytest.raises(StoreError, match=r"sortition\.db: .*cannot be written|this user may read and write it"):
        opened(file)


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    db = opened(tmp_path / "x.db", create=False)
    assert len(db.installation_key) == 32
    db.close()


def test_another_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 500)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a sortition database"):
        opened(path)
    assert path.read_bytes() == before


def test_somebody_elses_tables_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with changed(path, "CREATE TABLE experiments (experiment_id INTEGER)", "CREATE TABLE runs (id INTEGER)"):
        pass
    with pytest.raises(StoreError, match=r"tables that sortition did not make \(experiments\)"):
        opened(path)
    connection = sqlite3.connect(path)
    assert {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")} == {"experiments", "runs"}
    connection.close()


@pytest.mark.parametrize("keep", [50, 4096, 5000, 8192])
def test_a_database_that_was_cut_off_is_refused(file: Path, keep: int) -> None:
    whole = file.read_bytes()
    assert len(whole) > 10_000
    file.write_bytes(whole[:keep])
    with pytest.raises(StoreError, match=r"damaged|not a sortition database"):
        opened(file)


def test_a_database_with_a_page_overwritten_is_refused(file: Path) -> None:
    whole = bytearray(file.read_bytes())
    whole[100:4096] = b"\xa5" * 3996
    file.write_bytes(whole)
    with pytest.raises(StoreError, match="damaged"):
        opened(file)


def test_damage_that_is_found_later_is_reported_then(file: Path) -> None:
    db = opened(file)
    BatchWriter(db, "one")
    with db.read() as tx:
        page: int = tx.exec_driver_sql("SELECT rootpage FROM sqlite_schema WHERE name = 'writers'").scalar_one()
    db.close()
    whole = bytearray(file.read_bytes())
    whole[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    file.write_bytes(whole)
    db = opened(file)
    with pytest.raises(StoreError, match="the file is damaged"):
        contents(db)
    db.close()


def test_a_newer_database_is_refused_and_left_alone(file: Path) -> None:
    with changed(
        file,
        f"UPDATE {VERSION_TABLE} SET version_num = '9999'",
        "UPDATE installation SET compatible_down_to = '9998'",
    ):
        pass
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"schema 9999 is newer than the newest .* asks for 9998 .*upgrade sortition"):
        opened(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("statement", ["DELETE FROM installation", "UPDATE installation SET key = x'00'"])
def test_a_lost_key_is_not_replaced(file: Path, statement: str) -> None:
    with changed(file, statement):
        pass
    with pytest.raises(StoreError, match="key is gone"):
        opened(file)


def test_a_lost_table_is_reported(file: Path) -> None:
    with changed(file, "DROP TABLE installation"):
        pass
    with pytest.raises(StoreError, match="a table is missing"):
        opened(file)


def test_a_locked_new_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with changed(path, "CREATE TABLE other (x)", "BEGIN EXCLUSIVE"), pytest.raises(StoreUnavailable, match="locked"):
        opened(path, timeout_s=0.2)


def test_a_database_that_is_being_written_can_be_opened_and_read(file: Path) -> None:
    with changed(file, "BEGIN IMMEDIATE"):
        db = opened(file, timeout_s=0.2)
        assert contents(db)["writers"] == []
        with pytest.raises(StoreUnavailable, match=r"sortition\.db: another connection kept it locked"):
            BatchWriter(db, "one")
    writer = BatchWriter(db, "one")
    assert writer.high_water == 0
    db.close()


def test_a_thread_that_waits_for_another_one_does_not_wait_for_ever(file: Path) -> None:
    db = opened(file, timeout_s=0.2)
    with db.write(), pytest.raises(StoreUnavailable, match="busy"), db.write():
        raise AssertionError("two transactions write at the same time")
    with db.write() as tx:
        assert installation.touch(tx) == 1
    db.close()


def test_a_failed_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic.operations import Operations

    create_index, made = Operations.create_index, []

    def fail(self: Operations, name: str, *args: object, **options: object) -> None:
        made.append(name)
        if len(made) == 4:
            raise RuntimeError("killed")
        create_index(self, name, *args, **options)  # type: ignore[arg-type]

    path = tmp_path / "x.db"
    monkeypatch.setattr(Operations, "create_index", fail)
    with pytest.raises(RuntimeError, match="killed"):
        opened(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == []
    connection.close()
    monkeypatch.undo()
    opened(path).close()


def test_threads_that_open_new_databases_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    keys: dict[int, bytes] = {}

    def work(index: int) -> None:
        db = opened(tmp_path / f"{index % 3}.db", timeout_s=30)
        keys[index] = db.installation_key
        db.close()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(keys) == 9
    assert [len({keys[index] for index in range(9) if index % 3 == file}) for file in range(3)] == [1, 1, 1]


def test_processes_that_open_a_new_database_at_the_same_time_share_it(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    code = (
        "import sys; from pathlib import Path; from sortition.store import BatchWriter, Database, sqlite_url\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "db = Database.open(sqlite_url(Path(sys.argv[1])), timeout_s=30); BatchWriter(db, sys.argv[2])\n"
        "print(db.installation_key.hex()); db.close()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), f"w{index}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for index in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = [process.stdin.write("go\n") if process.stdin else 0 for process in processes]
    for process in processes:
        assert process.stdin is not None
        process.stdin.flush()
    results = [process.communicate(timeout=60) for process in processes]
    assert [errors for _, errors in results] == [""] * len(outputs)
    assert len({output for output, _ in results}) == 1
    db = opened(path)
    assert sorted(row[1] for row in contents(db)["writers"]) == ["w0", "w1", "w2", "w3"]
    db.close()


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'sortition\[postgresql\]'") as refused:
        Database.open("postgresql://ada:secret@localhost/x")
    assert "secret" not in str(refused.value)


def test_a_url_that_cannot_be_read_does_not_show_its_password() -> None:
    with pytest.raises(StoreError, match="cannot be read") as refused:
        Database.open("postgresql://ada:secret@host:port/x")
    assert "secret" not in str(refused.value)
