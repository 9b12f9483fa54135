"""Batches that arrive more than once, in any interleaving of writers, count once."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortition.core import SealedBatch
from sortition.errors import StoreError
from sortition.store import BatchWriter, Database, sqlite_url
from store_samples import DAY, Delta, Seen, contents, make_batch, make_cell

WRITERS = ("one", "two", "three")

deltas = st.builds(
    lambda values, experiment, variant, metric, day: Delta(
        make_cell(experiment, values, quantiles=metric == 1), experiment, variant, metric, DAY + day
    ),
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3),
    experiment=st.sampled_from(["e1", "e2"]),
    variant=st.integers(0, 1),
    metric=st.integers(0, 1),
    day=st.integers(0, 1),
)
exposures = st.builds(
    Seen,
    unit_hash=st.integers(-3, 3),
    experiment_id=st.sampled_from(["e1", "e2"]),
    variant=st.integers(0, 1),
    day=st.integers(DAY, DAY + 1),
)
bodies = st.tuples(st.lists(deltas, max_size=4), st.lists(exposures, max_size=4))
# For each writer its batches in order.
plans = st.fixed_dictionaries({name: st.lists(bodies, max_size=4) for name in WRITERS})


def batches(plan: list[tuple[list[Delta], list[Seen]]]) -> list[SealedBatch]:
    return [make_batch(number, cells, seen) for number, (cells, seen) in enumerate(plan, start=1)]


@given(plans, st.data())
@settings(max_examples=25, deadline=None)
def test_duplicates_in_any_interleaving_change_nothing(
    plan: dict[str, list[tuple[list[Delta], list[Seen]]]], data: st.DataObject
) -> None:
    # An example that is given up half-way closes its databases, too.
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Database.open(sqlite_url(Path(folder) / "once.db"))) as once,
        closing(Database.open(sqlite_url(Path(folder) / "often.db"))) as often,
    ):
        plain = {name: BatchWriter(once, name) for name in WRITERS}
        noisy = {name: BatchWriter(often, name) for name in WRITERS}
        due = {name: batches(plan[name]) for name in WRITERS}
        done: dict[str, int] = dict.fromkeys(WRITERS, 0)
        while any(done[name] < len(due[name]) for name in WRITERS):
            name = data.draw(st.sampled_from([name for name in WRITERS if done[name] < len(due[name])]))
            batch = due[name][done[name]]
            assert plain[name].apply(batch)
            assert noisy[name].apply(batch)
            done[name] += 1
            for again in data.draw(st.lists(st.sampled_from(WRITERS), max_size=3)):
                # A sidecar that restarts takes its name again and repeats what it does not know to be stored.
                if data.draw(st.booleans()):
                    noisy[again] = BatchWriter(often, again)
                for number in data.draw(
                    st.lists(st.integers(0, len(due[again]) - 1), max_size=2) if due[again] else st.just([])
                ):
                    if number < done[again]:
                        assert not noisy[again].apply(due[again][number])
                    elif number > done[again]:
                        with pytest.raises(StoreError):
                            noisy[again].apply(due[again][number])
        expected, found = contents(once), contents(often)
    assert found["cells"] == expected["cells"]
    assert found["exposures"] == expected["exposures"]
    observations = sum(row[5] for row in found["cells"])
    assert observations == sum(delta.cell.n for plan_of in plan.values() for cells, _ in plan_of for delta in cells)
