"""Merging the rows of writers that are gone changes no cell, whoever comes back and whenever."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortition.core import Cell
from sortition.store import BatchWriter, Database, cells, compaction, sqlite_url
from sortition.store.compaction import ARCHIVE
from store_samples import DAY, Delta, Seen, contents, make_batch, make_cell, make_record

EXPERIMENTS = ("e1", "e2")

deltas = st.builds(
    lambda values, experiment, variant, metric, day: Delta(
        make_cell(experiment, values, quantiles=metric == 0), experiment, variant, metric, DAY + day
    ),
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4),
    experiment=st.sampled_from(EXPERIMENTS),
    variant=st.integers(0, 1),
    metric=st.integers(0, 1),
    day=st.integers(-3, 3),
)
# What happens, in order: a writer's batch, or a compaction up to a day.
events = st.lists(
    st.one_of(st.tuples(st.integers(0, 4), st.lists(deltas, min_size=1, max_size=4)), st.integers(-4, 5)),
    min_size=1,
    max_size=12,
)


@cache
def empty() -> bytes:
    """Returns a database that nothing was done to; migrating takes longer than an example."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        Database.open(sqlite_url(path)).close()
        return path.read_bytes()


def fresh(path: Path) -> Database:
    path.write_bytes(empty())
    return Database.open(sqlite_url(path))


def parts(cell: Cell) -> tuple[tuple[object, ...], list[float]]:
    """Returns what has to be the same exactly, and what nearly."""
    n, mean, m2, low, high, refused, clamped, late, buckets, sketch = cell.parts()
    return (n, low, high, refused, clamped, late, sketch), [mean, m2, *np.frombuffer(buckets, dtype="<f8").tolist()]


def merged(db: Database) -> dict[tuple[object, ...], Cell]:
    """Returns every cell over all writers."""
    found: dict[tuple[object, ...], Cell] = {}
    for experiment in EXPERIMENTS:
        record = make_record()
        record = type(record)(**{**vars(record), "id": experiment})
        with db.read() as tx:
            daily = cells.experiment_data(tx, record).daily
        found.update({(experiment, *key): cell for key, cell in daily.items()})
    return found


def expect_same(before: dict[tuple[object, ...], Cell], after: dict[tuple[object, ...], Cell]) -> None:
    assert before.keys() == after.keys()
    for key, cell in before.items():
        exact, near = parts(cell)
        exact_after, near_after = parts(after[key])
        assert exact_after == exact
        scale = max(1.0, *(abs(value) for value in near))
        assert near_after == pytest.approx(near, rel=1e-12, abs=1e-12 * scale)


@given(events)
@settings(max_examples=15, deadline=None)
def test_no_cell_changes_and_writers_go_on(plan: list[int | tuple[int, list[Delta]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compacted, plain = (fresh(Path(folder) / f"{name}.db") for name in ("compacted", "plain"))
        writers = {index: [BatchWriter(db, f"w{index}") for db in (compacted, plain)] for index in range(5)}
        numbers = dict.fromkeys(writers, 0)
        for step in plan:
            if isinstance(step, int):
                before = merged(compacted)
                counted = compaction.compact(compacted, DAY + step, dry_run=True)
                assert compaction.compact(compacted, DAY + step) == counted
                expect_same(before, merged(compacted))
                assert compaction.compact(compacted, DAY + step).rows == 0
                continue
            index, some = step
            numbers[index] += 1
            for writer in writers[index]:
                assert writer.apply(make_batch(numbers[index], some, [Seen(index)]))
        expect_same(merged(plain), merged(compacted))
        assert contents(compacted)["exposures"] == contents(plain)["exposures"]
        compaction.compact(compacted, DAY + 100)
        stored = contents(compacted)["cells"]
        assert {row[4] for row in stored} <= {ARCHIVE}
        assert len(stored) == len(merged(plain)), "one row for each cell"
        compacted.close()
        plain.close()
