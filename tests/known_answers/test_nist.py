"""The core's cells beside the certified values of NIST's Statistical Reference Datasets, univariate."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from known_answers.cases import Case
from known_answers.tally import Tally
from sortition.core import Cell
from sortition.stats import Moments, confidence_interval

Values = NDArray[np.float64]
DATA = Path(__file__).parents[1] / "data" / "nist_univariate.txt"


def around(middle: float, first: float, second: float, pairs: int) -> Values:
    return np.array([middle, *([first, second] * pairs)])


def read() -> dict[str, tuple[Values, float, float]]:
    """Returns the real data by name: values, certified mean and certified standard deviation (divisor n - 1)."""
    lines = DATA.read_text().splitlines()
    found = {}
    for head, values in zip(lines[::2], lines[1::2], strict=True):
        name, mean, sd = head.split()
        found[name] = (np.array([float(text) for text in values.split()]), float(mean), float(sd))
    return found


CERTIFIED = {
    **read(),
    "NumAcc1": (np.array([10_000_001.0, 10_000_003.0, 10_000_002.0]), 10_000_002.0, 1.0),
    "NumAcc2": (around(1.2, 1.1, 1.3, 500), 1.2, 0.1),
    "NumAcc3": (around(1_000_000.2, 1_000_000.1, 1_000_000.3, 500), 1_000_000.2, 0.1),
    "NumAcc4": (around(10_000_000.2, 10_000_000.1, 10_000_000.3, 500), 10_000_000.2, 0.1),
}


def cell(values: Values) -> Cell:
    made = Cell()
    made.add_many("experiment", [f"unit-{index}" for index in range(len(values))], values.tolist())
    return made


def merged(values: Values) -> Cell:
    """Returns the cell of parts, as of days and writers."""
    whole, *rest = (cell(part) for part in np.array_split(values, min(7, len(values))))
    for part in rest:
        whole = whole.merge(part)
    return whole


@pytest.mark.parametrize("name", CERTIFIED)
@pytest.mark.parametrize(("how", "make"), [("whole", cell), ("merged", merged)], ids=["whole", "merged"])
def test_certified_mean_and_standard_deviation(
    name: str, how: str, make: Callable[[Values], Cell], tally: Tally
) -> None:
    values, mean, sd = CERTIFIED[name]
    held = make(values)
    assert held.n == len(values)
    variance = held.m2 / (held.n - 1)
    half = 1.959963984540054 * sd / math.sqrt(len(values))
    interval = confidence_interval(Moments.of(held.n, held.mean, variance), distribution="normal")
    # A value like 10,000,000.2 is itself rounded to 2e-9: no program that takes 64 bits comes nearer to 0.1 than that.
    near = {"NumAcc4": 1e-8, "NumAcc3": 1e-9}.get(name, 1e-12)
    for figure, certified, found, allowed in (
        (f"cell/{name}-{how}/mean", mean, held.mean, 1e-14 * abs(mean)),
        (f"cell/{name}-{how}/sd", sd, math.sqrt(variance), near * sd),
        (f"confidence_interval/{name}-{how}/upper", mean + half, float(interval.upper), 1e-7 * half),
    ):
        tally.check(Case("NIST StRD", figure, certified, found, allowed))


def test_the_data_are_the_published_ones() -> None:
    assert {name: len(values) for name, (values, _, _) in CERTIFIED.items()} == {
        "Lew": 200,
        "Lottery": 218,
        "Mavro": 50,
        "Michelso": 100,
        "NumAcc1": 3,
        "NumAcc2": 1001,
        "NumAcc3": 1001,
        "NumAcc4": 1001,
    }


def test_raw_sums_of_squares_would_fail() -> None:
    """What gets NumAcc4 wrong is what the core must not do: the test would see it."""
    values, _, sd = CERTIFIED["NumAcc4"]
    naive = ((values**2).sum() - values.sum() ** 2 / len(values)) / (len(values) - 1)
    assert not abs(math.sqrt(max(naive, 0)) - sd) < 1e-3 * sd
