"""Cells of levels: apart from everyone's, without days, merged exactly once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from sortition.errors import Conflict, DataLoss
from sortition.model import Dimension
from sortition.store import BatchWriter, Database, ExperimentData, ExperimentRecord, cells, experiments, schema
from sortition.store.compaction import ARCHIVE, compact
from store_samples import DAY, Delta, contents, make_batch, make_cell, make_record, store

ID = "id-default-search"
DEVICE = Dimension(name="device", levels=("mobile", "desktop"))


def dimensioned(db: Database, *dimensions: Dimension) -> ExperimentRecord:
    record = make_record()
    spec = record.spec.model_copy(update={"dimensions": dimensions or (DEVICE,)})
    return store(db, replace(record, spec=spec))


def read(db: Database, record: ExperimentRecord) -> ExperimentData:
    with db.read() as tx:
        return cells.experiment_data(tx, record)


def of(level: int, values: list[float], *, day: int = DAY, variant: int = 0, first_unit: int = 0) -> Delta:
    return Delta(make_cell(ID, values, first_unit=first_unit), variant=variant, day=day, level=level)


def test_levels_are_merged_over_batches_days_and_writers_apart_from_everyone(db: Database) -> None:
    record = dimensioned(db)
    one, two = BatchWriter(db, "one"), BatchWriter(db, "two")
    one.apply(make_batch(1, [of(0, [1.0, 2.0]), of(1, [1.0]), of(3, [2.0], first_unit=1)]))
    one.apply(make_batch(2, [of(0, [5.0], day=DAY + 1), of(1, [5.0], day=DAY + 1), of(1, [6.0], day=DAY + 2)]))
    two.apply(make_batch(1, [of(0, [9.0], variant=1), of(2, [9.0], variant=1), of(1, [7.0], first_unit=3)]))
    data = read(db, record)
    assert {place: (cell.n, cell.mean) for place, cell in data.levels.items()} == {
        (0, 0, 1): (4, 4.75),
        (0, 0, 3): (1, 2.0),
        (1, 0, 2): (1, 9.0),
    }
    assert {place: cell.n for place, cell in data.cells.items()} == {(0, 0): 3, (1, 0): 1}
    # One row for each level of a writer, however many days there are.
    assert len(contents(db)["segment_cells"]) == 4


def test_a_batch_is_applied_once_with_its_levels(db: Database) -> None:
    dimensioned(db)
    writer = BatchWriter(db, "one")
    batch = make_batch(1, [of(0, [1.0]), of(1, [1.0])])
    assert writer.apply(batch)
    before = contents(db)
    assert not writer.apply(batch)
    assert contents(db) == before
    other = BatchWriter(db, "one")
    with pytest.raises(Conflict):
        writer.apply(make_batch(2, [of(1, [4.0])]))
    assert contents(db)["segment_cells"] == before["segment_cells"]
    assert other.apply(make_batch(2, [of(1, [4.0])]))
    assert [row[5] for row in contents(db)["segment_cells"]] == [2]


def test_a_level_that_cannot_be_merged_leaves_nothing_of_the_batch(db: Database) -> None:
    dimensioned(db)
    writer = BatchWriter(db, "one")
    writer.apply(make_batch(1, [of(1, [1.0])]))
    before = contents(db)
    other_kind = Delta(make_cell(ID, [1.0], quantiles=True), level=1)
    with pytest.raises(DataLoss, match=f"experiment {ID}, variant 0, metric 0, level 1 holds other statistics"):
        writer.apply(make_batch(2, [of(0, [1.0]), other_kind]))
    assert contents(db) == before


def test_a_level_comes_back_bit_by_bit(db: Database) -> None:
    record = dimensioned(db)
    cell = make_cell(ID, [0.1, 1e9, 3.3e-7, 5.0], quantiles=True)
    BatchWriter(db, "one").apply(make_batch(1, [Delta(cell, level=2)]))
    assert read(db, record).levels[0, 0, 2].parts() == cell.parts()


def test_levels_that_were_never_declared_are_data_loss(db: Database) -> None:
    record = dimensioned(db)
    BatchWriter(db, "one").apply(make_batch(1, [of(4, [1.0])]))
    with pytest.raises(DataLoss, match=r"has 2 variants, 2 metrics and 3 levels, but the cell .* level 4 is stored"):
        read(db, record)


def test_a_damaged_level_is_named(db: Database) -> None:
    record = dimensioned(db)
    BatchWriter(db, "one").apply(make_batch(1, [of(2, [1.0])]))
    with db.write() as tx:
        tx.execute(update(schema.segment_cells).values(buckets=b"short"))
    with pytest.raises(DataLoss, match=f"experiment {ID}, variant 0, metric 0, level 2, slot 1, is damaged"):
        read(db, record)


def test_compaction_takes_the_levels_of_writers_that_are_gone_along(db: Database) -> None:
    record = dimensioned(db)
    for number in range(3):
        writer = BatchWriter(db, f"gone-{number}")
        writer.apply(make_batch(1, [of(0, [1.0 + number]), of(1, [1.0 + number]), of(3, [0.5])]))
    there = BatchWriter(db, "there")
    there.apply(make_batch(1, [of(0, [8.0], day=DAY + 5), of(1, [8.0], day=DAY + 5)]))
    before = read(db, record)
    assert compact(db, DAY + 1).rows == 3
    after = read(db, record)
    assert {place: (cell.n, cell.mean) for place, cell in after.levels.items()} == {
        place: (cell.n, cell.mean) for place, cell in before.levels.items()
    }
    with db.read() as tx:
        slots = tx.execute(
            select(schema.segment_cells.c.slot, func.count()).group_by(schema.segment_cells.c.slot)
        ).all()
    assert len(slots) == 2
    assert (ARCHIVE, 2) in [tuple(row) for row in slots]


def test_what_is_declared_is_beside_what_earlier_versions_know(db: Database) -> None:
    record = dimensioned(db)
    with db.read() as tx:
        stored = experiments.get(tx, "default", "search")
        spec, declared = tx.execute(select(schema.experiments.c.spec, schema.experiments.c.declared)).one()
    assert stored is not None
    assert stored.spec == record.spec
    assert "dimensions" not in str(spec)
    assert "dimensions" in str(declared)


def test_a_draft_that_an_earlier_version_changed_is_what_that_says(db: Database) -> None:
    record = dimensioned(db)
    changed = record.spec.model_copy(update={"hypothesis": "another", "dimensions": ()})
    with db.write() as tx:
        # An earlier version writes the column that it knows.
        tx.execute(update(schema.experiments).values(spec=changed.to_json().decode()))
    with db.read() as tx:
        found = experiments.get(tx, "default", "search")
    assert found is not None
    assert found.spec == changed


def test_what_earlier_versions_know_whole_is_not_stored_twice(db: Database) -> None:
    store(db, make_record())
    with db.read() as tx:
        assert tx.execute(select(schema.experiments.c.declared)).scalar_one() is None
