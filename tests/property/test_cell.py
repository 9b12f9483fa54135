"""Cells form a commutative monoid under merging, through Python and the database's form of their parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortition.core import Cell, sketch_bins, sketch_quantiles
from sortition.errors import DataLoss

EXPERIMENT = "experiment"

values = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, -1.0, 1e-9]))
observations = st.lists(st.tuples(st.integers(0, 40).map(str), values), max_size=40)


def cell_of(part: list[tuple[str, float]]) -> Cell:
    cell = Cell(quantiles=True)
    cell.add_many(EXPERIMENT, [unit for unit, _ in part], [value for _, value in part])
    return cell


def stored(cell: Cell) -> Cell:
    return Cell.from_parts(*cell.parts())


def check_same(found: Cell, expected: Cell, raw: list[float]) -> None:
    """Integers agree exactly, floats relative to the size of what was added up."""
    assert (found.n, found.min, found.max, found.sketch) == (expected.n, expected.min, expected.max, expected.sketch)
    size = max((abs(value) for value in raw), default=0.0)
    assert found.mean == pytest.approx(expected.mean, abs=1e-12 * size, rel=0)
    # A stored mean is rounded to a float64, which a difference of means then shows.
    rounding = 1e-15 * size
    slack = rounding * np.sqrt(expected.m2 * expected.n) + expected.n * rounding**2
    assert found.m2 == pytest.approx(expected.m2, rel=1e-12, abs=slack)
    buckets = np.frombuffer(found.buckets), np.frombuffer(expected.buckets)
    np.testing.assert_allclose(*buckets, rtol=0, atol=1e-12 * (size + 1) * (len(raw) + 1))


@given(observations, observations, observations)
def test_any_order_and_any_storing_gives_the_cell_of_one_pass(
    a: list[tuple[str, float]], b: list[tuple[str, float]], c: list[tuple[str, float]]
) -> None:
    x, y, z = map(cell_of, (a, b, c))
    raw = [value for _, value in a + b + c]
    whole = cell_of(a + b + c)
    check_same(x.merge(y).merge(z), whole, raw)
    check_same(x.merge(y.merge(z)), whole, raw)
    check_same(z.merge(x).merge(y), whole, raw)
    check_same(stored(stored(x).merge(stored(y))).merge(stored(z)), whole, raw)


@given(observations)
def test_an_empty_cell_is_the_identity(part: list[tuple[str, float]]) -> None:
    cell = cell_of(part)
    assert cell.merge(Cell(quantiles=True)).parts() == Cell(quantiles=True).merge(cell).parts() == cell.parts()


@given(st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=60), st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_every_quantile_is_within_one_percent(raw: list[float], q: list[float]) -> None:
    sketch = cell_of([(str(index), value) for index, value in enumerate(raw)]).sketch
    assert sketch is not None
    for level, found in zip(q, sketch_quantiles(sketch, q), strict=True):
        truth = sorted(raw)[int(level * (len(raw) - 1))]
        assert abs(found - truth) <= 0.01 * truth


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_a_sketch_or_data_loss(data: bytes) -> None:
    try:
        edges, counts = sketch_bins(data)
    except DataLoss:
        return
    assert len(counts) == 8 * len(edges)
