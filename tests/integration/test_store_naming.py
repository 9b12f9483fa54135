"""Two sidecars with one name are told apart, and neither loses or doubles anything, whatever is in doubt."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from sortition.errors import Conflict, StoreError, StoreUnavailable
from sortition.state import Identity
from sortition.store import BatchWriter, Database, schema
from store_samples import Delta, contents, make_batch, make_cell

ID = "id-default-search"


def observations(db: Database) -> int:
    return sum(row[5] for row in contents(db)["cells"])


def writers(db: Database) -> dict[str, tuple[int, int]]:
    """Returns the epoch and the high-water mark of each writer."""
    return {row[1]: (row[2], row[3]) for row in contents(db)["writers"]}


def test_who_lost_its_name_goes_on_behind_its_own_batches(db: Database) -> None:
    older = BatchWriter(db, Identity("w", "here"))
    older.apply(make_batch(1, [Delta(make_cell(ID, [1.0]))]))
    newer = BatchWriter(db, Identity("w", "there"))
    # Numbers of its own, which say nothing about those of the older one.
    for number in (2, 3, 4):
        newer.apply(make_batch(number, [Delta(make_cell(ID, [1.0]))]))
    with pytest.raises(Conflict):
        older.apply(make_batch(2, [Delta(make_cell(ID, [1.0]))]))
    older.go_apart()
    assert older.high_water == 1, "the newer one's batches are not its own"
    assert older.apply(make_batch(2, [Delta(make_cell(ID, [1.0]))]))
    assert newer.apply(make_batch(5, [Delta(make_cell(ID, [1.0]))]))
    assert observations(db) == 6
    assert writers(db) == {"w": (2, 5), older.name: (1, 2)}


def test_a_batch_in_doubt_when_the_name_was_lost_is_not_applied_again(db: Database) -> None:
    older = BatchWriter(db, Identity("w", "here"))
    batch = make_batch(1, [Delta(make_cell(ID, [1.0]))])
    older.apply(batch)
    # It never heard that this one was applied.
    older._high_water = 0
    newer = BatchWriter(db, Identity("w", "there"))
    newer.apply(make_batch(2, [Delta(make_cell(ID, [1.0]))]))
    with pytest.raises(Conflict):
        older.apply(batch)
    older.go_apart()
    assert not older.apply(batch)
    assert observations(db) == 2


def test_a_third_one_confuses_nobody(db: Database) -> None:
    first = BatchWriter(db, Identity("w", "a"))
    first.apply(make_batch(1, [Delta(make_cell(ID, [1.0]))]))
    second = BatchWriter(db, Identity("w", "b"))
    second.apply(make_batch(2, [Delta(make_cell(ID, [1.0]))]))
    third = BatchWriter(db, Identity("w", "c"))
    third.apply(make_batch(3, [Delta(make_cell(ID, [1.0]))]))
    first.go_apart()
    second.go_apart()
    assert (first.high_water, second.high_water, third.high_water) == (1, 2, 3)
    assert len({first.name, second.name, third.name}) == 3
    assert first.apply(make_batch(2))
    assert second.apply(make_batch(3))
    assert third.apply(make_batch(4))


def test_a_restart_after_somebody_else_used_the_name_takes_another(db: Database) -> None:
    mine = BatchWriter(db, Identity("w", "here"))
    mine.apply(make_batch(1))
    kept = mine.identity
    other = BatchWriter(db, Identity("w", "there"))
    other.apply(make_batch(2, [Delta(make_cell(ID, [1.0]))]))
    again = BatchWriter(db, kept)
    assert again.name.startswith("w~")
    assert again.high_water == 1, "a second batch of its own was not applied"
    assert other.apply(make_batch(3)), "nothing was taken from the other one"


def test_a_restart_alone_keeps_the_name(db: Database) -> None:
    mine = BatchWriter(db, Identity("w", "here"))
    mine.apply(make_batch(1))
    kept = mine.identity
    # It died between taking the name and writing that down.
    BatchWriter(db, kept)
    again = BatchWriter(db, kept)
    assert (again.name, again.high_water) == ("w", 1)
    assert again.identity == Identity("w", "here", 3, 1)


def test_a_fresh_name_can_be_lost_and_kept_like_any_other(db: Database) -> None:
    first = BatchWriter(db, Identity("w" * 128, "a"))
    BatchWriter(db, Identity("w" * 128, "b"))
    first.go_apart()
    assert len(first.name) == 128
    fresh = first.name
    BatchWriter(db, Identity(fresh, "c"))
    first.go_apart()
    assert first.name not in (fresh, "w" * 128)
    assert first.name.count("~") == 1


def test_who_shares_a_state_directory_does_not_go_on(db: Database) -> None:
    older = BatchWriter(db, Identity("w", "here"))
    BatchWriter(db, Identity("w", "here"))
    with pytest.raises(Conflict, match="works with the state directory of this one"):
        older.go_apart()
    with pytest.raises(Conflict):
        older.apply(make_batch(1))
    assert set(writers(db)) == {"w"}


def test_who_was_fenced_off_by_a_version_that_writes_nothing_down_does_not_go_on(db: Database) -> None:
    older = BatchWriter(db, Identity("w", "here"))
    BatchWriter(db, Identity("w", "there"))
    with db.write() as tx:
        tx.execute(delete(schema.takeovers))
    with pytest.raises(Conflict, match="it is not known any more which batches were applied"):
        older.go_apart()


def test_takings_are_remembered_a_thousand_times(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortition.store.naming._REMEMBERED", 3)
    for _ in range(6):
        BatchWriter(db, Identity("w", "here"))
    with db.read() as tx:
        kept = [tuple(row) for row in tx.exec_driver_sql("SELECT slot, epoch FROM takeovers ORDER BY epoch")]
    assert kept == [(1, 4), (1, 5), (1, 6)]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_an_older_copy_of_the_database_is_refused_with_both_numbers(db: Database, lost: int) -> None:
    mine = BatchWriter(db, Identity("w", "here"))
    for number in (1, 2, 3):
        mine.apply(make_batch(number))
    restore(db, 3 - lost)
    with pytest.raises(StoreError, match=f"batch 4 of writer w cannot follow batch {3 - lost}; an older copy"):
        mine.apply(make_batch(4))
    with pytest.raises(StoreError, match=f"last batch of writer w is {3 - lost}, but 3 was put into it: an older copy"):
        BatchWriter(db, mine.identity)


def test_an_older_copy_from_before_the_writer_is_refused_and_its_slot_may_be_anothers(db: Database) -> None:
    mine = BatchWriter(db, Identity("w", "here"))
    mine.apply(make_batch(1))
    kept = mine.identity
    with db.write() as tx:
        tx.execute(delete(schema.takeovers))
        tx.execute(delete(schema.writers))
        tx.exec_driver_sql("INSERT INTO writers (slot, name, epoch, high_water) VALUES (1, 'other', 1, 1)")
    before = contents(db)
    with pytest.raises(StoreError, match="writer w is not in it any more"):
        mine.apply(make_batch(2))
    assert contents(db) == before, "the other one's rows are its own"
    with pytest.raises(StoreError, match="last batch of writer w is 0, but 1 was put into it"):
        BatchWriter(db, kept)


def restore(db: Database, high_water: int) -> None:
    with db.write() as tx:
        tx.exec_driver_sql(f"UPDATE writers SET high_water = {high_water}")


def test_a_database_that_is_away_leaves_the_name_as_it_was(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    older = BatchWriter(db, Identity("w", "here"))
    BatchWriter(db, Identity("w", "there"))
    with monkeypatch.context() as patched:

        def away(work: object) -> None:
            raise StoreUnavailable("away")

        patched.setattr(db, "run", away)
        with pytest.raises(StoreUnavailable):
            older.go_apart()
    assert older.name == "w"
    older.go_apart()
    assert older.apply(make_batch(1))
