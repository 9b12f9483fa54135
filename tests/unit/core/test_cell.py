"""Cells as Python sees them: against NumPy on the raw values, and what they refuse."""

import math
import struct
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sortition.core import UNIT_BUCKETS, Cell, unit_bucket
from sortition.errors import DataLoss, InternalError, InvalidArgument

EXPERIMENT = "experiment"
PARTS = ("n", "mean", "m2", "min", "max", "refused", "clamped", "late", "buckets", "sketch")


def table(cell: Cell) -> npt.NDArray[np.float64]:
    return np.frombuffer(cell.buckets, "<f8").reshape(UNIT_BUCKETS, -1)


def sample() -> Cell:
    cell = Cell(quantiles=True, covariate=True)
    cell.add(EXPERIMENT, "a", 2.0, 3.0, 0.5)
    cell.add(EXPERIMENT, "b", -4.0, 1.0, 1.5)
    return cell


def test_a_new_cell_is_empty() -> None:
    assert Cell().parts() == (0, 0.0, 0.0, None, None, 0, 0, 0, bytes(UNIT_BUCKETS * 16), None)
    assert Cell(quantiles=True, covariate=True).parts()[8:] == (bytes(UNIT_BUCKETS * 24), b"\x01\x00")


def test_moments_and_buckets_are_those_of_numpy() -> None:
    random = np.random.default_rng(2)
    units = [str(unit) for unit in random.integers(0, 500, 2000)]
    values, denominators, covariates = random.normal(50, 9, (3, 2000)) ** 2 + 0.1
    cell = Cell(covariate=True)
    for unit, value, denominator, covariate in zip(units, values, denominators, covariates, strict=True):
        cell.add(EXPERIMENT, unit, value, denominator, covariate)
    assert cell.n == 2000
    assert cell.mean == pytest.approx(values.mean(), rel=1e-14)
    assert cell.m2 == pytest.approx(values.var() * 2000, rel=1e-12)
    assert (cell.min, cell.max) == (values.min(), values.max())
    slots = np.array([unit_bucket(EXPERIMENT, unit)[0] for unit in units])
    expected = [np.bincount(slots, column, UNIT_BUCKETS) for column in (denominators, values, covariates)]
    np.testing.assert_allclose(table(cell), np.transpose(expected), rtol=1e-12)


def test_adding_many_is_adding_each() -> None:
    units = [f"unit-{index % 7}" for index in range(50)]
    values = [index / 3 - 8 for index in range(50)]
    many, each = Cell(quantiles=True), Cell(quantiles=True)
    many.add_many(EXPERIMENT, units, values)
    for unit, value in zip(units, values, strict=True):
        each.add(EXPERIMENT, unit, value)
    assert many.parts() == each.parts()


def test_a_cell_comes_back_from_its_parts() -> None:
    cell = sample()
    assert cell.parts() == tuple(getattr(cell, name) for name in PARTS)
    parts = (*cell.parts()[:5], 3, 4, 5, *cell.parts()[8:])
    assert Cell.from_parts(*parts).parts() == parts


def test_merging_leaves_both_cells_alone() -> None:
    a, b = sample(), Cell(quantiles=True, covariate=True)
    b.add(EXPERIMENT, "a", 6.0, 2.0, 1.0)
    before = a.parts(), b.parts()
    merged = a.merge(b)
    assert (merged.n, merged.min, merged.max) == (3, -4.0, 6.0)
    assert merged.mean == pytest.approx(4 / 3, rel=1e-15)
    np.testing.assert_array_equal(table(merged), table(a) + table(b))
    assert (a.parts(), b.parts()) == before
    assert a.merge(a).n == 4


def test_counts_are_merged() -> None:
    parts = Cell().parts()
    a = Cell.from_parts(*parts[:5], 1, 20, 300, *parts[8:])
    b = Cell.from_parts(*parts[:5], 4, 50, 600, *parts[8:])
    merged = a.merge(b)
    assert (merged.refused, merged.clamped, merged.late) == (5, 70, 900)


@pytest.mark.parametrize("shape", [{"quantiles": True}, {"covariate": True}, {"quantiles": True, "covariate": True}])
def test_cells_of_different_shape_merge_only_when_one_is_empty(shape: dict[str, bool]) -> None:
    plain, other = Cell(), Cell(**shape)
    plain.add(EXPERIMENT, "a", 1.0)
    assert plain.merge(other).parts() == other.merge(plain).parts() == plain.parts()
    other.add(EXPERIMENT, "a", 1.0, covariate=1.0 if "covariate" in shape else None)
    with pytest.raises(InvalidArgument, match="merge cells of one metric only"):
        plain.merge(other)


@pytest.mark.parametrize(
    ("shape", "numbers", "fields"),
    [
        ({}, {"value": math.nan}, ["value"]),
        ({}, {"value": math.inf, "denominator": 0.0}, ["value", "denominator"]),
        ({}, {"value": 1e101}, ["value"]),
        ({}, {"value": 1.0, "denominator": -1.0}, ["denominator"]),
        ({}, {"value": 1.0, "denominator": math.nan}, ["denominator"]),
        ({}, {"value": 1.0, "covariate": 1.0}, ["covariate"]),
        ({"covariate": True}, {"value": 1.0}, ["covariate"]),
        ({"covariate": True}, {"value": 1.0, "covariate": -math.inf}, ["covariate"]),
    ],
)
def test_wrong_numbers_are_all_named_and_change_nothing(
    shape: dict[str, bool], numbers: dict[str, float], fields: list[str]
) -> None:
    cell = Cell(**shape)
    before = cell.parts()
    with pytest.raises(InvalidArgument) as caught:
        cell.add(EXPERIMENT, "a", **numbers)
    assert [violation.field for violation in caught.value.violations] == fields
    assert cell.parts() == before


@pytest.mark.parametrize(
    ("shape", "units", "values", "fields"),
    [
        ({}, ["a", "b", "c"], [1.0, math.nan, math.inf], ["values[1]", "values[2]"]),
        ({}, ["a", "b"], [1.0], ["values"]),
        ({"covariate": True}, ["a", "b"], [1.0, 2.0], ["covariate"]),
    ],
)
def test_many_are_added_all_or_none(
    shape: dict[str, bool], units: list[str], values: list[float], fields: list[str]
) -> None:
    cell = Cell(**shape)
    before = cell.parts()
    with pytest.raises(InvalidArgument) as caught:
        cell.add_many(EXPERIMENT, units, values)
    assert [violation.field for violation in caught.value.violations] == fields
    assert cell.parts() == before


def altered(**changes: Any) -> tuple[Any, ...]:
    return tuple({**dict(zip(PARTS, sample().parts(), strict=True)), **changes}.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 3},
        {"n": -1},
        {"n": 0},
        {"n": 2**70},
        {"mean": 9.0},
        {"mean": math.nan},
        {"m2": -1.0},
        {"min": None},
        {"min": 3.0},
        {"max": math.inf},
        {"refused": -1},
        {"clamped": 2**64},
        {"late": 2**53 + 1},
        {"buckets": b""},
        {"buckets": bytes(128 * 24)},
        {"buckets": sample().buckets[:-1]},
        {"buckets": struct.pack("<d", math.nan) + sample().buckets[8:]},
        {"buckets": struct.pack("<d", -1.0) + sample().buckets[8:]},
        {"sketch": b"\x01\x00"},
        {"sketch": b"nonsense"},
    ],
    ids=str,
)
def test_parts_that_do_not_fit_together_are_data_loss(changes: dict[str, Any]) -> None:
    assert Cell.from_parts(*altered()).n == 2
    with pytest.raises(DataLoss):
        Cell.from_parts(*altered(**changes))


def test_threads_share_a_cell() -> None:
    cell = Cell(quantiles=True)

    def work(thread: int) -> None:
        for index in range(500):
            cell.add(EXPERIMENT, f"{thread}-{index}", 1.0)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (cell.n, table(cell)[:, 0].sum()) == (2000, 2000.0)


def test_a_count_beyond_64_bits_is_an_error_that_can_be_caught() -> None:
    """What the core cannot count makes it panic; a panic must not pass by `except Exception`."""
    parts = Cell().parts()
    cell = Cell.from_parts(*parts[:5], 0, 0, 2**53, *parts[8:])
    for _ in range(10):
        cell = cell.merge(cell)
    assert cell.late == 2**63
    with pytest.raises(InternalError, match="overflow"):
        cell.merge(cell)
    assert cell.late == 2**63
