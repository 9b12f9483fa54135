"""Sums of estimates with their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sortition.stats.proportions import newcombe
from sortition.stats.samples import Counts
from sortition.stats.total import Total

FIGURES = st.floats(-1e12, 1e12)
ESTIMATES = st.tuples(FIGURES, st.floats(0, 1e9), st.floats(0, 1e9)).map(
    lambda each: (each[0], each[0] - each[1], each[0] + each[2])
)


def total_of(estimates: list[tuple[float, float, float]]) -> Total:
    total = Total()
    for each in estimates:
        total = total.plus(*each)
    return total


def test_normal_estimates_add_as_their_variances_do() -> None:
    """Standard errors of 3 and 4 are one of 5."""
    z = stats.norm.ppf(0.975)
    total = total_of([(-2.0, -2 - 3 * z, -2 + 3 * z), (7.0, 7 - 4 * z, 7 + 4 * z)])
    assert total.value == 5
    assert [total.lower, total.upper] == pytest.approx([5 - 5 * z, 5 + 5 * z])


def test_a_difference_of_rates_is_that_of_newcombe() -> None:
    """His method 10 is squares and add with Wilson's intervals: 56 of 70 less 48 of 80, as printed (table II)."""
    expected = newcombe(Counts.of(48, 80), Counts.of(56, 70))
    one, other = (
        stats.binomtest(56, 70).proportion_ci(method="wilson"),
        stats.binomtest(48, 80).proportion_ci(method="wilson"),
    )
    total = Total().plus(0.8, one.low, one.high).plus(-0.6, -other.high, -other.low)
    assert [total.lower, total.upper] == pytest.approx([0.0524, 0.3339], abs=5e-5)
    assert total.lower == pytest.approx(float(expected.lower))


def test_nothing_is_zero() -> None:
    assert (Total().count, Total().value, Total().lower, Total().upper) == (0, 0, 0, 0)


@given(st.lists(ESTIMATES, max_size=12), st.randoms(use_true_random=False), st.integers(0, 12))
def test_order_and_parts_make_no_difference_at_all(
    estimates: list[tuple[float, float, float]], random: object, at: int
) -> None:
    shuffled = sorted(estimates, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert total_of(shuffled[:at]).merge(total_of(shuffled[at:])) == total_of(estimates)


def test_the_interval_covers_as_often_as_those_it_is_made_of() -> None:
    """4,000 totals of five independent experiments of different sizes, with intervals by Student's t."""
    rng, runs = np.random.default_rng(7), 4000
    sizes, truths = np.array([30, 50, 80, 120, 200]), np.array([0.5, -1.0, 2.0, 0.0, 0.25])
    covered = 0
    means = rng.normal(truths, 1 / np.sqrt(sizes), (runs, 5))
    errors = np.sqrt(rng.chisquare(sizes - 1, (runs, 5)) / (sizes - 1) / sizes)
    halves = errors * stats.t.ppf(0.975, sizes - 1)
    for mean, half in zip(means.tolist(), halves.tolist(), strict=True):
        total = total_of([(m, m - h, m + h) for m, h in zip(mean, half, strict=True)])
        covered += total.lower <= truths.sum() <= total.upper
    # Four standard errors of a share of 4,000.
    assert abs(covered / runs - 0.95) < 4 * math.sqrt(0.95 * 0.05 / runs)


def test_what_is_chosen_because_it_looks_good_is_too_good() -> None:
    """Why a summary calls its gains biased: of ten treatments without any effect, the significant ones are summed."""
    rng, runs = np.random.default_rng(8), 2000
    z = float(stats.norm.ppf(0.975))
    seen = rng.normal(0.0, 1.0, (runs, 10))
    sums = [total_of([(x, x - z, x + z) for x in row if x > z]).value for row in seen.tolist()]
    # Lee, Shen (2018): each brings the normal density at the threshold, in standard errors.
    assert np.mean(sums) == pytest.approx(10 * stats.norm.pdf(z), rel=0.1)
