"""What was measured is read back merged over writers and days."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from sortition.errors import DataLoss
from sortition.store import BatchWriter, Database, ExperimentData, ExperimentRecord, cells, schema
from store_samples import DAY, Delta, Seen, make_batch, make_cell, make_record, store

ID = "id-default-search"


def read(db: Database, record: ExperimentRecord) -> ExperimentData:
    with db.read() as tx:
        return cells.experiment_data(tx, record)


def test_an_experiment_without_outcomes_is_empty(db: Database) -> None:
    data = read(db, store(db, make_record()))
    assert data.units.tolist() == [0, 0]
    assert (data.units_by_day, data.cells, data.daily) == ({}, {}, {})


def test_cells_are_merged_over_writers_and_days(db: Database) -> None:
    record = store(db, make_record())
    one, two = BatchWriter(db, "one"), BatchWriter(db, "two")
    one.apply(make_batch(1, [Delta(make_cell(ID, [1.0, 2.0])), Delta(make_cell(ID, [10.0]), day=DAY + 1)]))
    two.apply(
        make_batch(1, [Delta(make_cell(ID, [3.0], first_unit=5)), Delta(make_cell(ID, [7.0]), variant=1, metric=1)])
    )
    one.apply(make_batch(2, [Delta(make_cell(ID, [99.0]), experiment_id="another")]))
    data = read(db, record)
    assert {key: (cell.n, cell.mean, cell.min, cell.max) for key, cell in data.daily.items()} == {
        (0, 0, DAY): (3, 2.0, 1.0, 3.0),
        (0, 0, DAY + 1): (1, 10.0, 10.0, 10.0),
        (1, 1, DAY): (1, 7.0, 7.0, 7.0),
    }
    assert {key: (cell.n, cell.mean, cell.m2) for key, cell in data.cells.items()} == {
        (0, 0): (4, 4.0, 50.0),
        (1, 1): (1, 7.0, 0.0),
    }


def test_a_cell_comes_back_bit_by_bit(db: Database) -> None:
    record = store(db, make_record())
    cell = make_cell(ID, [0.1, 1e9, 3.3e-7, 5.0], quantiles=True)
    BatchWriter(db, "one").apply(make_batch(1, [Delta(cell)]))
    assert read(db, record).daily[0, 0, DAY].parts() == cell.parts()


def test_units_are_counted_once_where_they_were_first_seen(db: Database) -> None:
    record = store(db, make_record())
    one, two = BatchWriter(db, "one"), BatchWriter(db, "two")
    one.apply(make_batch(1, exposures=[Seen(1), Seen(-(2**63), variant=1), Seen(2**63 - 1, variant=1)]))
    two.apply(make_batch(1, exposures=[Seen(1, day=DAY + 1), Seen(4, day=DAY + 1), Seen(4, day=DAY + 1)]))
    two.apply(make_batch(2, exposures=[Seen(4, day=DAY + 2, experiment_id="another")]))
    data = read(db, record)
    assert data.units.tolist() == [2, 2]
    assert {day: counts.tolist() for day, counts in data.units_by_day.items()} == {DAY: [1, 2], DAY + 1: [1, 0]}
    assert data.crossed == 0


def test_units_seen_in_several_variants_belong_to_none(db: Database) -> None:
    record = store(db, make_record())
    one, two = BatchWriter(db, "one"), BatchWriter(db, "two")
    one.apply(make_batch(1, exposures=[Seen(1), Seen(2), Seen(3, variant=1), Seen(4), Seen(4, variant=1)]))
    two.apply(make_batch(1, exposures=[Seen(1, variant=1), Seen(2, day=DAY + 1), Seen(3)]))
    # What came back later changes nothing any more.
    one.apply(make_batch(2, exposures=[Seen(1), Seen(2, variant=0), Seen(1, variant=1, experiment_id="another")]))
    data = read(db, record)
    assert data.crossed == 3
    assert data.units.tolist() == [1, 0]
    assert {day: counts.tolist() for day, counts in data.units_by_day.items()} == {DAY: [1, 0]}


def test_outcomes_of_the_primary_metric_are_counted_by_day(db: Database) -> None:
    record = store(db, make_record())
    batch = [Delta(make_cell(ID, [1.0, 2.0])), Delta(make_cell(ID, [5.0]), variant=1, day=DAY + 2)]
    BatchWriter(db, "one").apply(make_batch(1, [*batch, Delta(make_cell(ID, [1.0] * 9), metric=1)]))
    found = read(db, record).outcomes_by_day
    assert {day: counts.tolist() for day, counts in found.items()} == {DAY: [2, 0], DAY + 2: [0, 1]}


def test_a_damaged_cell_is_named(db: Database) -> None:
    record = store(db, make_record())
    BatchWriter(db, "one").apply(make_batch(1, [Delta(make_cell(ID, [1.0]), variant=1)]))
    with db.write() as tx:
        tx.execute(update(schema.cells).values(buckets=b"short"))
    with pytest.raises(DataLoss, match=f"experiment {ID}, variant 1, metric 0, day {DAY}, slot 1, is damaged"):
        read(db, record)


@pytest.mark.parametrize(
    "batch", [make_batch(1, [Delta(make_cell(ID, [1.0]), metric=2)]), make_batch(1, exposures=[Seen(1, variant=2)])]
)
def test_outcomes_of_what_the_experiment_does_not_have_are_data_loss(db: Database, batch: object) -> None:
    record = store(db, make_record())
    BatchWriter(db, "one").apply(batch)  # type: ignore[arg-type]
    with pytest.raises(DataLoss, match="has 2 variants and 2 metrics"):
        read(db, record)


def test_writers_that_kept_different_statistics_are_data_loss(db: Database) -> None:
    record = store(db, make_record())
    BatchWriter(db, "one").apply(make_batch(1, [Delta(make_cell(ID, [1.0]))]))
    BatchWriter(db, "two").apply(make_batch(1, [Delta(make_cell(ID, [1.0], quantiles=True))]))
    with pytest.raises(DataLoss, match=f"experiment {ID}, variant 0, metric 0, day {DAY} holds other statistics"):
        read(db, record)
