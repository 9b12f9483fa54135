"""A batch is applied whole and once, whatever fails while it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, update
from sqlalchemy.exc import OperationalError

from sortition.errors import Conflict, DataLoss, StoreError, StoreUnavailable
from sortition.store import BatchWriter, Database, schema, sqlite_url
from store_samples import DAY, Delta, Seen, contents, make_batch, make_cell

ID = "id-default-search"


def totals(db: Database) -> dict[tuple[Any, ...], int]:
    """Returns the number of observations by experiment, variant, metric, day and slot."""
    return {row[:5]: row[5] for row in contents(db)["cells"]}


def test_a_batch_is_stored_in_the_writers_own_rows(db: Database) -> None:
    BatchWriter(db, "zero")
    writer = BatchWriter(db, "one")
    assert writer.high_water == 0
    applied = writer.apply(
        make_batch(1, [Delta(make_cell(ID, [1.0, 2.0]))], [Seen(5, variant=1, bucket=9, generation=2)])
    )
    assert applied
    assert writer.high_water == 1
    stored = contents(db)
    assert totals(db) == {(ID, 0, 0, DAY, 2): 2}
    assert stored["exposures"] == [(ID, 5, 1, 9, 2, DAY, False)]
    assert stored["writers"] == [(1, "zero", 1, 0), (2, "one", 1, 1)]


def test_batches_add_up_to_what_one_cell_would_hold(db: Database) -> None:
    writer = BatchWriter(db, "one")
    values = [[0.5, 1.5], [100.0], [3.0, 3.25, 7.0]]
    for number, some in enumerate(values, start=1):
        writer.apply(make_batch(number, [Delta(make_cell(ID, some, quantiles=True))]))
    (row,) = contents(db)["cells"]
    n, mean, m2, low, high = row[5:10]
    everything = [value for some in values for value in some]
    expected_mean = sum(everything) / 6
    assert (n, low, high) == (6, 0.5, 100.0)
    assert mean == pytest.approx(expected_mean, rel=1e-12)
    assert m2 == pytest.approx(sum((value - expected_mean) ** 2 for value in everything), rel=1e-12)


def test_a_batch_that_comes_again_changes_nothing(db: Database) -> None:
    writer = BatchWriter(db, "one")
    first = make_batch(1, [Delta(make_cell(ID, [1.0]))], [Seen(1)])
    second = make_batch(2, [Delta(make_cell(ID, [2.0]))], [Seen(2)])
    assert writer.apply(first)
    assert not writer.apply(first)
    assert writer.apply(second)
    before = contents(db)
    assert not writer.apply(second)
    assert not writer.apply(first)
    assert contents(db) == before
    assert writer.high_water == 2


def test_a_batch_may_name_a_cell_twice(db: Database) -> None:
    writer = BatchWriter(db, "one")
    writer.apply(
        make_batch(1, [Delta(make_cell(ID, [1.0])), Delta(make_cell(ID, [2.0]))], [Seen(1), Seen(1, variant=1)])
    )
    assert totals(db) == {(ID, 0, 0, DAY, 1): 2}
    assert contents(db)["exposures"] == [(ID, 1, 0, 17, 1, DAY, True)], "seen in two variants"


def test_an_empty_batch_only_moves_the_mark(db: Database) -> None:
    writer = BatchWriter(db, "one")
    assert writer.apply(make_batch(1))
    assert contents(db) == {"cells": [], "exposures": [], "segment_cells": [], "writers": [(1, "one", 1, 1)]}


def test_a_missing_batch_is_noticed(db: Database) -> None:
    writer = BatchWriter(db, "one")
    writer.apply(make_batch(1, [Delta(make_cell(ID, [1.0]))]))
    before = contents(db)
    with pytest.raises(StoreError, match="batch 3 of writer one cannot follow batch 1"):
        writer.apply(make_batch(3, [Delta(make_cell(ID, [1.0]))]))
    assert contents(db) == before
    assert writer.high_water == 1


def test_a_writer_goes_on_where_it_stopped(db: Database) -> None:
    BatchWriter(db, "one").apply(make_batch(1, [Delta(make_cell(ID, [1.0]))]))
    again = BatchWriter(db, "one")
    assert again.high_water == 1
    assert again.apply(make_batch(2, [Delta(make_cell(ID, [2.0]))]))
    assert totals(db) == {(ID, 0, 0, DAY, 1): 2}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_older_of_two_with_one_name_is_fenced_off(db: Database, number: int) -> None:
    older = BatchWriter(db, "one")
    older.apply(make_batch(1, [Delta(make_cell(ID, [1.0]))]))
    newer = BatchWriter(db, "one")
    newer.apply(make_batch(2, [Delta(make_cell(ID, [2.0]))]))
    before = contents(db)
    # Also when the number says that it was applied: that was the other one's batch.
    with pytest.raises(Conflict, match="another sidecar took the writer name one"):
        older.apply(make_batch(number, [Delta(make_cell(ID, [5.0, 6.0]))]))
    assert contents(db) == before
    assert newer.apply(make_batch(3))


def test_a_writer_that_is_gone_says_so(db: Database) -> None:
    writer = BatchWriter(db, "one")
    with db.write() as tx:
        tx.exec_driver_sql("DELETE FROM writers")
    with pytest.raises(StoreError, match="writer one is not in it any more"):
        writer.apply(make_batch(1))


def test_a_metric_that_changed_its_kind_is_data_loss_and_changes_nothing(db: Database) -> None:
    writer = BatchWriter(db, "one")
    writer.apply(make_batch(1, [Delta(make_cell(ID, [1.0]), metric=1)]))
    before = contents(db)
    batch = make_batch(
        2, [Delta(make_cell(ID, [1.0])), Delta(make_cell(ID, [1.0], quantiles=True), metric=1)], [Seen(1)]
    )
    with pytest.raises(DataLoss, match=f"the cell of experiment {ID}, variant 0, metric 1, day {DAY} holds other"):
        writer.apply(batch)
    assert contents(db) == before


def test_a_damaged_cell_is_named_and_kept(db: Database) -> None:
    writer = BatchWriter(db, "one")
    writer.apply(make_batch(1, [Delta(make_cell(ID, [1.0]))]))
    with db.write() as tx:
        tx.execute(update(schema.cells).values(n=-1))
    before = contents(db)
    with pytest.raises(DataLoss, match=f"experiment {ID}, variant 0, metric 0, day {DAY}, slot 1, is damaged"):
        writer.apply(make_batch(2, [Delta(make_cell(ID, [1.0]))]))
    assert contents(db) == before


def test_many_experiments_and_days_find_their_own_rows(db: Database) -> None:
    writer = BatchWriter(db, "one")
    deltas = [
        Delta(make_cell(f"e{index}", [float(index)]), experiment_id=f"e{index}", day=DAY + index % 3, variant=index % 2)
        for index in range(900)
    ]
    for number in (1, 2, 3):
        writer.apply(make_batch(number, deltas))
    found = {row[:5]: (row[5], row[8], row[9]) for row in contents(db)["cells"]}
    assert found == {
        (f"e{index}", index % 2, 0, DAY + index % 3, 1): (3, float(index), float(index)) for index in range(900)
    }


def disk_failure(statement: str) -> OperationalError:
    return OperationalError(statement, {}, sqlite3.OperationalError("disk I/O error"))


@contextmanager
def failing(at: int, when: str) -> Iterator[list[str]]:
    """Makes the statement number `at` fail; yields the statements that were executed."""
    executed: list[str] = []

    def watch(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
        executed.append(statement)
        if len(executed) == at:
            raise disk_failure(statement)

    event.listen(Engine, when, watch)
    try:
        yield executed
    finally:
        event.remove(Engine, when, watch)


def scenario(db: Database) -> tuple[BatchWriter, Callable[[], bool]]:
    writer = BatchWriter(db, "one")
    writer.apply(make_batch(1, [Delta(make_cell(ID, [1.0]))], [Seen(1)]))
    batch = make_batch(2, [Delta(make_cell(ID, [2.0])), Delta(make_cell(ID, [3.0]), day=DAY + 1)], [Seen(1), Seen(2)])
    return writer, lambda: writer.apply(batch)


# PostgreSQL's driver begins a transaction by itself.
STATEMENTS = {
    "sqlite": ["BEGIN", "SELECT", "UPDATE", "SELECT", "INSERT", "INSERT"],
    "postgresql": ["SELECT", "UPDATE", "SELECT", "INSERT", "INSERT"],
}


def test_the_transaction_has_the_statements_that_are_made_to_fail(db: Database) -> None:
    _, apply = scenario(db)
    with failing(0, "before_cursor_execute") as executed:
        assert apply()
    assert [statement.split()[0] for statement in executed] == STATEMENTS[db.kind]


@pytest.mark.parametrize("when", ["before_cursor_execute", "after_cursor_execute"])
def test_a_failure_at_any_statement_leaves_nothing_applied(db: Database, when: str) -> None:
    writer, apply = scenario(db)
    before = contents(db)
    for at in range(1, len(STATEMENTS[db.kind]) + 1):
        with failing(at, when), pytest.raises(StoreError, match="the disk failed"):
            apply()
        assert contents(db) == before
        assert writer.high_water == 1
    assert apply()
    assert totals(db) == {(ID, 0, 0, DAY, 1): 2, (ID, 0, 0, DAY + 1, 1): 1}
    assert len(contents(db)["exposures"]) == 2


def test_a_failed_commit_leaves_nothing_applied(db: Database) -> None:
    writer, apply = scenario(db)
    before = contents(db)

    def fail(connection: Connection) -> None:
        raise disk_failure("COMMIT")

    event.listen(Engine, "commit", fail)
    try:
        with pytest.raises(StoreError, match="the disk failed"):
            apply()
    finally:
        event.remove(Engine, "commit", fail)
    assert contents(db) == before
    assert writer.high_water == 1
    assert apply()


def test_a_commit_whose_answer_was_lost_is_not_repeated(db: Database) -> None:
    writer, apply = scenario(db)
    dialect = db_dialect(db)
    dialect_commit = type(dialect).do_commit

    def commit_and_lose_the_answer(self: Any, connection: Any) -> None:
        dialect_commit(self, connection)
        raise dialect.loaded_dbapi.OperationalError("disk I/O error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(dialect), "do_commit", commit_and_lose_the_answer)
        with pytest.raises((StoreError, StoreUnavailable), match="disk I/O error"):
            apply()
    assert writer.high_water == 1, "nobody said that it was applied"
    before = contents(db)
    assert totals(db) == {(ID, 0, 0, DAY, 1): 2, (ID, 0, 0, DAY + 1, 1): 1}
    assert not apply()
    assert contents(db) == before
    assert writer.high_water == 2


def db_dialect(db: Database) -> Any:
    with db.read() as tx:
        return tx.dialect


def test_a_locked_database_is_unavailable_and_the_batch_can_be_sent_again(tmp_path: Path) -> None:
    db = Database.open(sqlite_url(tmp_path / "x.db"), timeout_s=0.1)
    _, apply = scenario(db)
    before = contents(db)
    holder = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        apply()
    assert contents(db) == before
    holder.execute("ROLLBACK")
    holder.close()
    assert apply()
    db.close()
