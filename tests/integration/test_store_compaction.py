"""Compaction on both databases, and beside writers that do not know of it."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from sortition.errors import DataLoss
from sortition.store import BatchWriter, Database, compaction
from sortition.store.compaction import ARCHIVE, Compaction
from store_samples import DAY, Delta, contents, make_batch, make_cell

ID = "id-default-search"


def fill(db: Database, writers: int, *, days: int = 2) -> None:
    for index in range(writers):
        BatchWriter(db, f"w{index}").apply(
            make_batch(1, [Delta(make_cell(ID, [1.0, 2.0]), day=DAY + day) for day in range(days)])
        )


def slots(db: Database) -> dict[int, int]:
    """Returns the observations in each slot."""
    found: dict[int, int] = {}
    for row in contents(db)["cells"]:
        found[row[4]] = found.get(row[4], 0) + row[5]
    return found


def test_rows_of_idle_writers_become_one_a_cell(db: Database) -> None:
    fill(db, 45)
    busy = BatchWriter(db, "busy")
    busy.apply(make_batch(1, [Delta(make_cell(ID, [1.0]), day=DAY), Delta(make_cell(ID, [1.0]), day=DAY + 5)]))
    own = max(slots(db))
    assert compaction.compact(db, DAY + 2, dry_run=True) == Compaction(45, 90)
    assert len(contents(db)["cells"]) == 92
    assert compaction.compact(db, DAY + 2) == Compaction(45, 90)
    assert slots(db) == {ARCHIVE: 180, own: 2}
    assert len(contents(db)["cells"]) == 4
    assert compaction.compact(db, DAY + 2) == Compaction(0, 0)


def test_a_writer_is_idle_until_the_day_it_wrote_about_last(db: Database) -> None:
    fill(db, 1, days=1)
    assert compaction.compact(db, DAY) == Compaction(0, 0)
    assert compaction.compact(db, DAY + 1) == Compaction(1, 1)


def test_a_writer_that_comes_back_begins_new_rows(db: Database) -> None:
    writer = BatchWriter(db, "w")
    batch = make_batch(1, [Delta(make_cell(ID, [1.0]))])
    writer.apply(batch)
    compaction.compact(db, DAY + 1)
    assert not writer.apply(batch), "it is still known what it has written"
    again = BatchWriter(db, "w")
    assert again.high_water == 1
    again.apply(make_batch(2, [Delta(make_cell(ID, [1.0, 1.0]))]))
    assert sorted(slots(db).values()) == [1, 2]
    compaction.compact(db, DAY + 1)
    assert slots(db) == {ARCHIVE: 3}


def test_a_damaged_cell_is_named_and_nothing_is_merged(db: Database) -> None:
    fill(db, 3)
    with db.write() as tx:
        tx.exec_driver_sql(f"UPDATE cells SET n = -1 WHERE slot = 2 AND day = {DAY + 1}")
    before = contents(db)["cells"]
    with pytest.raises(DataLoss, match=f"day {DAY + 1}, slot 2, is damaged"):
        compaction.compact(db, DAY + 2)
    assert contents(db)["cells"] == before


def test_writers_that_flush_meanwhile_lose_nothing(database_url: str) -> None:
    batches, writers, compactors = 30, 3, 2
    done = threading.Event()
    wrong: list[BaseException] = []

    def write(index: int) -> None:
        with closing(Database.open(database_url, timeout_s=30)) as db:
            writer = BatchWriter(db, f"w{index}")
            for number in range(1, batches + 1):
                assert writer.apply(
                    make_batch(number, [Delta(make_cell(ID, [1.0])), Delta(make_cell(ID, [1.0]), metric=1)])
                )

    def compact() -> None:
        with closing(Database.open(database_url, timeout_s=30)) as db:
            while not done.is_set():
                compaction.compact(db, DAY + 1)

    def watched(work: object, *arguments: object) -> None:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException as error:
            wrong.append(error)

    Database.open(database_url).close()
    writing = [threading.Thread(target=watched, args=(write, index)) for index in range(writers)]
    merging = [threading.Thread(target=watched, args=(compact,)) for _ in range(compactors)]
    for thread in [*writing, *merging]:
        thread.start()
    for thread in writing:
        thread.join(90)
    done.set()
    for thread in merging:
        thread.join(30)
    assert not wrong
    with closing(Database.open(database_url)) as db:
        compaction.compact(db, DAY + 1)
        assert slots(db) == {ARCHIVE: 2 * batches * writers}
