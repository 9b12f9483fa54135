"""Schemas on their way: up, back, beside a running sidecar of another version, and killed in between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, make_url, text

from golden_states import unpack
from postgres import PostgresServer
from sortition.errors import StoreError
from sortition.store import BatchWriter, Database, migrations, sqlite_url
from sortition.store.migrations import VERSION_TABLE
from store_samples import Delta, Seen, make_batch, make_cell

MIGRATIONS = Path(migrations.__file__).parent
KINDS = ("sqlite", "postgresql")


def script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


REVISIONS = [each.revision for each in reversed(list(script().walk_revisions()))]
HEAD = REVISIONS[-1]


def module(revision: str) -> ModuleType:
    found: ModuleType = script().get_revision(revision).module
    return found


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without anything in it, of each kind."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "sortition.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    made = server.new_database(migrated=False)
    yield made
    server.drop(made)


@contextmanager
def connection(url: str) -> Iterator[Connection]:
    """Opens a transaction that no code of the store has touched."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg") if url.startswith("postgres") else url)
    try:
        with engine.begin() as tx:
            yield tx
    finally:
        engine.dispose()


def execute(url: str, *statements: str) -> None:
    with connection(url) as tx:
        for statement in statements:
            tx.execute(text(statement))


def shape(url: str) -> dict[str, Any]:
    """Returns what there is in a database: its tables with their columns, keys and indexes."""
    with connection(url) as tx:
        look = inspect(tx)
        return {
            table: {
                "columns": {
                    column["name"]: (str(column["type"]), column["nullable"], column["default"])
                    for column in look.get_columns(table)
                },
                "key": look.get_pk_constraint(table)["constrained_columns"],
                "unique": sorted(tuple(each["column_names"]) for each in look.get_unique_constraints(table)),
                "foreign": sorted(str(each["referred_table"]) for each in look.get_foreign_keys(table)),
                "checks": sorted(str(each["name"]) for each in look.get_check_constraints(table)),
                "indexes": sorted(
                    (str(each["name"]), tuple(each["column_names"]), bool(each["unique"]))
                    for each in look.get_indexes(table)
                ),
            }
            for table in look.get_table_names()
            if table != VERSION_TABLE
        }


def rows(url: str, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Returns every row of these columns, in a fixed order."""
    with connection(url) as tx:
        return {
            table: sorted(repr(tuple(row)) for row in tx.execute(text(f"SELECT {', '.join(names)} FROM {table}")))
            for table, names in columns.items()
        }


def names(found: dict[str, Any]) -> dict[str, list[str]]:
    return {table: list(about["columns"]) for table, about in found.items()}


def version(url: str) -> str | None:
    with connection(url) as tx:
        return migrations.stored_revision(tx)


def put(url: str) -> None:
    """Puts something into every table that a sidecar fills by itself."""
    db = Database.open(url)
    writer = BatchWriter(db, "one")
    writer.apply(make_batch(1, [Delta(make_cell("id-default-search", [1.0, 2.5]))], [Seen(7)]))
    db.close()


def test_revisions_are_one_line_of_numbers() -> None:
    assert [f"{number:04}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS
    assert [module(each).down_revision for each in REVISIONS] == [None, *REVISIONS[:-1]]


def test_every_revision_is_compatible_with_the_one_before() -> None:
    declared = [module(each).compatible_down_to for each in REVISIONS]
    for index, oldest in enumerate(declared):
        assert oldest in REVISIONS[: max(index, 1)]
    assert declared == sorted(declared)


def at(url: str, revision: str) -> dict[str, Any]:
    """Takes a database to a revision and returns its shape."""
    Database.open(url).close()
    if revision != HEAD:
        Database.downgrade(url, revision)
    assert version(url) == revision
    return shape(url)


@pytest.mark.parametrize("revision", REVISIONS[1:])
def test_a_revision_only_adds_what_the_version_before_need_not_know(url: str, revision: str) -> None:
    after = at(url, revision)
    before = at(url, module(revision).down_revision)
    assert before
    for table, about in before.items():
        kept = after[table]["columns"]
        for column, was in about["columns"].items():
            assert kept[column] == was, f"{table}.{column} changed"
        for column in kept.keys() - about["columns"].keys():
            _, nullable, default = kept[column]
            assert nullable or default is not None, f"{table}.{column}: the version before does not fill it"
        for part in ("key", "unique", "foreign", "checks"):
            assert after[table][part] == about[part], (
                f"{table}: another {part} could refuse what the version before writes"
            )
        added = set(after[table]["indexes"]) - set(about["indexes"])
        assert not [index for index in added if index[2]], f"{table}: a new unique index"


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_downgrade_leaves_the_older_schema_and_its_data(url: str, revision: str) -> None:
    put(url)
    newest = shape(url)
    with connection(url) as tx:
        key: bytes = tx.execute(text("SELECT key FROM installation")).scalar_one()
    older = at(url, revision)
    kept = rows(url, names(older))
    assert [len(kept[table]) for table in ("installation", "writers", "cells", "exposures")] == [1, 1, 1, 1]
    # Up again: nothing of it is lost, and what is there is what was there at first.
    db = Database.open(url, create=False)
    assert db.installation_key == bytes(key)
    assert shape(url) == newest
    assert rows(url, names(older)) == kept
    writer = BatchWriter(db, "one")
    assert writer.high_water == 1
    assert writer.apply(make_batch(2, [Delta(make_cell("id-default-search", [4.0]))]))
    db.close()


def test_a_released_database_survives_the_way_up_and_back(tmp_path: Path) -> None:
    url = sqlite_url(unpack("0.1.0", tmp_path / "state") / "sortition.db")
    released = shape(url)
    before = rows(url, names(released))
    assert sum(map(len, before.values())) > 50
    Database.open(url, create=False).close()
    assert version(url) == HEAD
    assert rows(url, names(released)) == before
    Database.downgrade(url, "0001")
    assert shape(url) == released
    assert rows(url, names(released)) == before


@pytest.mark.parametrize("revision", ["0000", "9999", "head"])
def test_a_schema_is_not_taken_back_to_what_is_not_there(url: str, revision: str) -> None:
    Database.open(url).close()
    before = shape(url)
    with pytest.raises(StoreError, match=f"cannot be taken back to {revision}"):
        Database.downgrade(url, revision)
    assert (version(url), shape(url)) == (HEAD, before)


def test_an_empty_database_has_nothing_to_take_back(url: str) -> None:
    if url.startswith("sqlite"):
        sqlite_url_path(url).touch()
    with pytest.raises(StoreError, match="its schema None cannot be taken back"):
        Database.downgrade(url, "0001")


def sqlite_url_path(url: str) -> Path:
    return Path(str(make_url(url).database))


# What a later version may do to a database that this version uses.
EXPAND = (
    "ALTER TABLE writers ADD COLUMN colour VARCHAR(16) DEFAULT 'none' NOT NULL",
    "ALTER TABLE cells ADD COLUMN weight BIGINT",
    "CREATE TABLE holdouts (id BIGINT PRIMARY KEY)",
)


def upgrade(url: str, revision: str, compatible_down_to: str) -> None:
    """Does what a migration of a later version does."""
    execute(
        url,
        *EXPAND,
        f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'",
        f"UPDATE installation SET compatible_down_to = '{compatible_down_to}'",
    )


def test_a_running_sidecar_goes_on_while_a_newer_version_migrates(url: str) -> None:
    db = Database.open(url)
    writer = BatchWriter(db, "one")
    assert writer.apply(make_batch(1, [Delta(make_cell("id-default-search", [1.0]))], [Seen(1)]))
    upgrade(url, "9001", HEAD)
    assert writer.apply(make_batch(2, [Delta(make_cell("id-default-search", [2.0]))], [Seen(2)]))
    db.close()
    # And it can be restarted, by itself or by whatever watches it, before it is replaced.
    db = Database.open(url, create=False)
    assert version(url) == "9001"
    writer = BatchWriter(db, "one")
    assert writer.high_water == 2
    assert writer.apply(make_batch(3, [Delta(make_cell("id-default-search", [3.0]))], [Seen(2), Seen(3)]))
    with db.read() as tx:
        assert tx.execute(text("SELECT n, mean FROM cells")).one() == (3, 2.0)
        assert tx.execute(text("SELECT count(*) FROM exposures")).scalar_one() == 3
    db.close()


def test_a_sidecar_that_became_too_old_writes_nothing_any_more(url: str) -> None:
    db = Database.open(url)
    writer = BatchWriter(db, "one")
    upgrade(url, "9002", "9001")
    with pytest.raises(StoreError, match=r"schema 9002 is newer than the newest .* asks for 9001 at least"):
        writer.apply(make_batch(1, [Delta(make_cell("id-default-search", [1.0]))]))
    with db.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM cells")).scalar_one() == 0
        assert tx.execute(text("SELECT high_water FROM writers")).scalar_one() == 0
    db.close()
    with pytest.raises(StoreError, match="upgrade sortition"):
        Database.open(url)


def test_a_sidecar_whose_schema_was_taken_back_stops_writing(url: str) -> None:
    db = Database.open(url)
    writer = BatchWriter(db, "one")
    Database.downgrade(url, REVISIONS[0])
    with pytest.raises(StoreError, match=f"taken back from {HEAD} to {REVISIONS[0]}; restart"):
        writer.apply(make_batch(1))
    db.close()


def test_a_new_database_says_who_can_use_it(url: str) -> None:
    Database.open(url).close()
    with connection(url) as tx:
        stored: str = tx.execute(text("SELECT compatible_down_to FROM installation")).scalar_one()
    assert stored == module(HEAD).compatible_down_to


# Opens or downgrades a database once for each statement, and dies at that statement; one process for all of them,
# as importing takes far longer than migrating. Prints what each of the killed did last.
KILLER = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
from sqlalchemy import Engine, event
from sortition.store import Database
from sortition.store import migrations
import alembic.command, alembic.config, alembic.script

act, = sys.argv[1:]

def run(url, fatal):
    done = 0

    def count(*_):
        nonlocal done
        if done == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1

    for moment in ("before_cursor_execute", "commit"):
        event.listen(Engine, moment, count)
    Database.open(url).close() if act == "open" else Database.downgrade(url, act)

for line in sys.stdin:
    url, fatal = line.split()
    child = os.fork()
    if child == 0:
        try:
            run(url, int(fatal))
        except BaseException as error:
            print(error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)
"""


@contextmanager
def killer(act: str) -> Iterator[Callable[[str, int], str]]:
    """Returns a function that acts on a database and is killed at the n-th moment; it returns "killed" or "0"."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLER, act],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def run(url: str, fatal: int) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{url} {fatal}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    try:
        yield run
    finally:
        process.communicate(timeout=30)


def layout(url: str) -> list[str]:
    """Returns every column and every index, with everything about it that the database shows at once."""
    queries = ["SELECT type, name, sql FROM sqlite_schema"]
    if url.startswith("postgres"):
        queries = [
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
            " WHERE table_schema = 'public'",
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        ]
    with connection(url) as tx:
        return sorted(repr(tuple(row)) for query in queries for row in tx.execute(text(query)))


def kill_everywhere(act: str, prepare: Callable[[], str], kept: dict[str, list[str]], after: list[str]) -> int:
    """Kills an act at each of its moments, until it gets through; returns how often it was killed.

    Each time the database has to be as it was before or, once the act had committed, as it is `after`.
    """
    url = prepare()
    before = layout(url)
    data = rows(url, kept)
    assert before != after
    with killer(act) as run:
        for fatal in range(1_000):
            ended = run(url, fatal)
            found = layout(url)
            assert rows(url, kept) == data
            if ended == "0":
                assert found == after
                return fatal
            assert ended == "killed", f"it failed at moment {fatal}: {ended}"
            # Killed behind the commit, there is nothing left to do on this one.
            if found == after:
                url = prepare()
                assert layout(url) == before
                data = rows(url, kept)
            assert found in (before, after), f"killed at moment {fatal}, it left a mixture"
    raise AssertionError("it never ended")


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes as many empty databases as are asked for, of each kind."""
    if request.param == "sqlite":

        def empty_file() -> str:
            path = tmp_path / f"{len(list(tmp_path.glob('*.db')))}.db"
            path.touch()
            return sqlite_url(path)

        yield empty_file
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    made: list[str] = []

    def new() -> str:
        made.append(server.new_database(migrated=False))
        return made[-1]

    yield new
    for url in made:
        server.drop(url)


def test_a_first_migration_that_is_killed_leaves_nothing_or_everything(fresh: Callable[[], str]) -> None:
    reference = fresh()
    Database.open(reference).close()
    assert kill_everywhere("open", fresh, {}, layout(reference)) > 20


def test_a_migration_that_is_killed_leaves_the_old_or_the_new_schema(fresh: Callable[[], str]) -> None:
    def old() -> str:
        url = fresh()
        put(url)
        Database.downgrade(url, REVISIONS[0])
        return url

    # Columns that were added later stand in another order in the reference, so that it has to come by the same way.
    reference = old()
    kept = names(shape(reference))
    Database.open(reference).close()
    assert kill_everywhere("open", old, kept, layout(reference)) > 3


def test_a_downgrade_that_is_killed_leaves_the_old_or_the_new_schema(fresh: Callable[[], str]) -> None:
    def new() -> str:
        url = fresh()
        put(url)
        return url

    reference = new()
    Database.downgrade(reference, REVISIONS[0])
    kept = names(shape(reference))
    assert kill_everywhere(REVISIONS[0], new, kept, layout(reference)) > 3
