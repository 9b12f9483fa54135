"""Sketches as Python sees them: bins as arrays, quantiles against NumPy on the raw values."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from sortition.core import SUB_SKETCHES, Cell, sketch_bins, sketch_quantiles, unit_bucket
from sortition.errors import DataLoss, InvalidArgument

EXPERIMENT = "experiment"
Q = [0.0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0]


def sketch_of(values: npt.NDArray[np.float64]) -> bytes:
    cell = Cell(quantiles=True)
    cell.add_many(EXPERIMENT, [str(index) for index in range(len(values))], values.tolist())
    assert cell.sketch is not None
    return cell.sketch


def bins_of(sketch: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint64]]:
    edges, counts = sketch_bins(sketch)
    return np.frombuffer(edges).reshape(-1, 2), np.frombuffer(counts, np.uint64).reshape(-1, SUB_SKETCHES)


def samples() -> dict[str, npt.NDArray[np.float64]]:
    random = np.random.default_rng(1)
    lognormal = random.lognormal(3, 1.5, 20_000)
    return {
        "lognormal": lognormal,
        "pareto": random.pareto(0.9, 20_000) + 1,
        "negative": -lognormal,
        "constant": np.full(1000, 0.3),
        "zero": np.zeros(100),
        "mixture": np.concatenate([lognormal, -lognormal, np.zeros(500), random.normal(0, 1e-9, 500)]),
        "one": np.array([7.0]),
    }


@pytest.mark.parametrize("name", samples())
def test_quantiles_are_within_one_percent_of_the_order_statistics(name: str) -> None:
    values = samples()[name]
    truth = np.quantile(values, Q, method="lower")
    found = np.array(sketch_quantiles(sketch_of(values), Q))
    np.testing.assert_array_less(np.abs(found - truth), 0.01 * np.abs(truth) + 1e-300)


def test_bins_ascend_and_hold_every_value_in_its_sub_sketch() -> None:
    values = samples()["mixture"]
    edges, counts = bins_of(sketch_of(values))
    assert np.all(edges[:, 0] <= edges[:, 1])
    assert np.all(edges[:-1, 1] <= edges[1:, 0])
    zero = np.flatnonzero((edges == 0).all(axis=1))
    assert counts[zero].sum() == np.sum(values == 0) == 500
    subs = np.array([unit_bucket(EXPERIMENT, str(index))[1] for index in range(len(values))])
    np.testing.assert_array_equal(counts.sum(axis=0), np.bincount(subs, minlength=SUB_SKETCHES))
    for sub in range(SUB_SKETCHES):
        mine = np.sort(values[subs == sub])
        # A bin holds its upper edge when it is positive, its lower one when it is negative; no value here is an edge.
        expected = np.searchsorted(mine, edges[:, 1], side="right") - np.searchsorted(mine, edges[:, 0], side="left")
        np.testing.assert_array_equal(counts[:, sub], expected)


def test_a_bin_is_at_most_one_percent_wide() -> None:
    edges, _ = bins_of(sketch_of(samples()["lognormal"]))
    assert np.all(edges[:, 1] / edges[:, 0] < 1.01)


def test_the_arrays_are_usable_without_a_copy() -> None:
    edges, counts = bins_of(sketch_of(np.array([])))
    assert edges.shape == (0, 2)
    assert counts.shape == (0, 16)


def test_an_empty_sketch_has_no_quantiles() -> None:
    found = sketch_quantiles(sketch_of(np.array([])), [0.0, 0.5])
    assert len(found) == 2
    assert all(math.isnan(value) for value in found)


def test_every_q_outside_the_unit_interval_is_named() -> None:
    with pytest.raises(InvalidArgument) as caught:
        sketch_quantiles(sketch_of(np.array([1.0])), [0.5, -0.1, math.nan, 1.5])
    assert [violation.field for violation in caught.value.violations] == ["q[1]", "q[2]", "q[3]"]


@pytest.mark.parametrize("damaged", [b"", b"\x02\x00", b"\x01\x05", b"\x01\x00\x00", b"\x01\x01\x01\x01\x00\x00"])
def test_damaged_bytes_are_data_loss(damaged: bytes) -> None:
    with pytest.raises(DataLoss, match="no sketch"):
        sketch_bins(damaged)
    with pytest.raises(DataLoss, match="no sketch"):
        sketch_quantiles(damaged, [0.5])
