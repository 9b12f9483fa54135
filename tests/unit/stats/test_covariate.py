"""CUPED against the analysis of covariance by least squares, and against what it must not change."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from sortition.errors import InvalidArgument
from sortition.stats import BucketSums, CovariateSums, cuped, ratio_delta

Rows = NDArray[np.float64]


def rows(seed: int, n: int = 40, effect: float = 0.5) -> tuple[Rows, Rows, Rows, Rows]:
    """Two arms with the same residuals around the same slope, so that both have one residual variance."""
    chance = np.random.default_rng(seed)
    x, noise = chance.normal(3, 1, n), chance.normal(0, 1, n)
    return x, 2 + 0.8 * x + noise, x + 0.3, 2 + effect + 0.8 * (x + 0.3) + noise


def test_one_observation_a_bucket_is_the_analysis_of_covariance() -> None:
    """Least squares of y on (1, treated, x), from the normal equations: estimate, error, degrees of freedom, p."""
    x, y, other_x, other_y = rows(3)
    design = np.column_stack([np.ones(80), np.repeat([0.0, 1.0], 40), np.concatenate([x, other_x])])
    values = np.concatenate([y, other_y])
    coefficients, squares, _, _ = np.linalg.lstsq(design, values)
    df = 80 - 3
    covariance = squares[0] / df * np.linalg.inv(design.T @ design)
    error = np.sqrt(covariance[1, 1])

    found = cuped(CovariateSums.of(1, y, x), CovariateSums.of(1, other_y, other_x))
    assert float(found.theta) == pytest.approx(coefficients[2], rel=1e-10, abs=0)
    assert float(found.difference.difference) == pytest.approx(coefficients[1], rel=1e-9, abs=0)
    assert float(found.difference.standard_error) == pytest.approx(error, rel=1e-9, abs=0)
    assert float(found.difference.df) == pytest.approx(df, rel=1e-9, abs=0)
    p = 2 * scipy_stats.t.sf(abs(coefficients[1] / error), df)
    assert float(found.difference.p_value) == pytest.approx(p, rel=1e-8, abs=0)


def test_theta_and_the_difference_in_exact_fractions() -> None:
    """Sums over buckets of different size: R = S/D, residuals S - R·D over ΣD, theta = cov/var of the two arms."""
    arms = [
        ([2, 1, 3, 2], [5, 3, 8, 4], [2, 2, 3, 1]),
        ([1, 3, 2, 2], [4, 9, 5, 8], [1, 4, 2, 3]),
    ]

    def linear(sizes: list[int], sums: list[int]) -> tuple[Fraction, list[Fraction]]:
        value = Fraction(sum(sums), sum(sizes))
        return value, [(total - value * size) / sum(sizes) for size, total in zip(sizes, sums, strict=True)]

    y = [linear(sizes, total) for sizes, total, _ in arms]
    x = [linear(sizes, covariate) for sizes, _, covariate in arms]
    shared = sum(
        (p * q for one, two in zip(y, x, strict=True) for p, q in zip(one[1], two[1], strict=True)), Fraction(0)
    )
    spread = sum((q * q for _, residuals in x for q in residuals), Fraction(0))
    theta = shared / spread
    expected = y[1][0] - y[0][0] - theta * (x[1][0] - x[0][0])

    found = cuped(CovariateSums.of(*arms[0]), CovariateSums.of(*arms[1]))
    assert float(found.theta) == pytest.approx(float(theta), rel=1e-12, abs=0)
    assert float(found.difference.difference) == pytest.approx(float(expected), rel=1e-12, abs=0)
    whole = Fraction(
        sum(covariate for _, _, sums in arms for covariate in sums), sum(sum(sizes) for sizes, _, _ in arms)
    )
    at_the_mean = y[0][0] - theta * (x[0][0] - whole)
    assert float(found.difference.control) == pytest.approx(float(at_the_mean), rel=1e-12, abs=0)


def test_a_correlation_of_r_takes_off_r_squared() -> None:
    """Deng et al. 2013: Var(Y_cv) = Var(Y)·(1 - r²); with 2·5,000 buckets to a few percent of it."""
    chance = np.random.default_rng(11)
    x = chance.normal(0, 1, (2, 5000))
    y = 0.8 * x + 0.6 * chance.normal(0, 1, (2, 5000))
    found = cuped(CovariateSums.of(1, y[0], x[0]), CovariateSums.of(1, y[1], x[1]))
    assert float(found.variance_reduction) == pytest.approx(0.64, abs=0.02)


def test_a_covariate_that_does_not_vary_changes_nothing() -> None:
    _, y, _, other_y = rows(4)
    plain = ratio_delta(BucketSums.of(1, y), BucketSums.of(1, other_y))
    for constant in (0.0, 7.0, 0.1):
        found = cuped(CovariateSums.of(1, y, constant), CovariateSums.of(1, other_y, constant))
        assert float(found.theta) == 0
        assert float(found.variance_reduction) == 0
        assert float(found.difference.p_value) == float(plain.p_value)
        assert float(found.difference.df) == float(plain.df)


def test_units_of_the_covariate_do_not_matter() -> None:
    """A timestamp in seconds beside one in 1e9 seconds, and 1e-150 of it: the same comparison."""
    x, y, other_x, other_y = rows(5)
    base = cuped(CovariateSums.of(1, y, x), CovariateSums.of(1, other_y, other_x))
    for scale, shift in ((1.0, 1e9), (1e-150, 0.0), (1e150, 0.0)):
        found = cuped(CovariateSums.of(1, y, x * scale + shift), CovariateSums.of(1, other_y, other_x * scale + shift))
        assert float(found.theta) * scale == pytest.approx(float(base.theta), rel=1e-5, abs=0)
        assert float(found.difference.p_value) == pytest.approx(float(base.difference.p_value), rel=1e-4, abs=0)


def test_a_mean_of_1e9_with_a_spread_of_1e_3() -> None:
    x, y, other_x, other_y = rows(6)
    base = cuped(CovariateSums.of(1, y, x), CovariateSums.of(1, other_y, other_x))
    found = cuped(CovariateSums.of(1, y * 1e-3 + 1e9, x), CovariateSums.of(1, other_y * 1e-3 + 1e9, other_x))
    # A double near 1e9 is exact to 1.2e-7, a ten-thousandth of the spread.
    assert float(found.difference.difference) == pytest.approx(
        float(base.difference.difference) / 1000, rel=1e-3, abs=0
    )
    assert float(found.variance_reduction) == pytest.approx(float(base.variance_reduction), rel=1e-3, abs=0)


def test_empty_buckets_do_not_count() -> None:
    x, y, other_x, other_y = rows(7, n=10)
    one = cuped(CovariateSums.of(1, y, x), CovariateSums.of(1, other_y, other_x))
    padded = [np.concatenate([part, np.zeros(20)]) for part in (np.ones(10), y, x, other_y, other_x)]
    two = cuped(CovariateSums.of(*padded[:3]), CovariateSums.of(padded[0], *padded[3:]))
    assert float(two.difference.p_value) == pytest.approx(float(one.difference.p_value), rel=1e-12, abs=0)
    assert float(two.theta) == pytest.approx(float(one.theta), rel=1e-12, abs=0)


def test_comparisons_are_computed_side_by_side() -> None:
    x, y, other_x, other_y = rows(8)
    many = cuped(
        CovariateSums.of(1, y, x),
        CovariateSums.of(np.ones((3, 40)), np.stack([other_y, y, other_y]), np.stack([other_x, other_x, x])),
    )
    for index, (value, covariate) in enumerate([(other_y, other_x), (y, other_x), (other_y, x)]):
        one = cuped(CovariateSums.of(1, y, x), CovariateSums.of(1, value, covariate))
        assert float(many.theta[index]) == pytest.approx(float(one.theta), rel=1e-12, abs=0)
        assert float(many.difference.p_value[index]) == pytest.approx(float(one.difference.p_value), rel=1e-12, abs=0)


def test_degenerate_input_says_so() -> None:
    def reason(control: CovariateSums, treatment: CovariateSums) -> str:
        found = cuped(control, treatment)
        for figure in (found.theta, found.variance_reduction, found.difference.p_value, found.difference.lower):
            assert np.isnan(figure)
        return str(found.difference.reason)

    good = CovariateSums.of(1, [1.0, 3.0, 2.0], [0.0, 1.0, 1.0])
    assert reason(CovariateSums.of([1, 0], [1.0, 0.0], 0), good).startswith("the control has outcomes in fewer than 2")
    assert reason(good, CovariateSums.of([1, 0], [1.0, 0.0], 0)).startswith(
        "the treatment has outcomes in fewer than 2"
    )
    flat = CovariateSums.of(1, [2.0, 2.0, 2.0], [0.0, 1.0, 2.0])
    assert reason(flat, flat) == "the groups of units have no variance"
    explained = CovariateSums.of(1, [1.0, 4.0, 7.0], [0.1, 1.1, 2.1])
    assert reason(explained, explained) == "the groups of units have no variance"
    unknown = CovariateSums.of(1, [1.0, 3.0, 2.0], [0.0, np.nan, 1.0])
    assert reason(good, unknown) == "a covariate is not a finite number"
    still = CovariateSums.of(1, [2.0, 2.0], [0.0, 1.0])
    moving = CovariateSums.of(1, [1.0, 3.0], [1.0, 1.0])
    assert reason(still, moving) == "too few groups of units to adjust by a covariate"


def test_a_confidence_outside_its_range_is_refused() -> None:
    sums = CovariateSums.of(1, [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(InvalidArgument, match="confidence: must be between 0 and 1"):
        cuped(sums, sums, confidence=1.5)
