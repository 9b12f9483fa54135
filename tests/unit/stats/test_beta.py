"""Differences of beta variables against arbitrary precision, closed forms, and their own symmetries."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.stats.beta import Beta, exceeds, excess, lower_quantile


def one(a: float, b: float) -> Beta:
    return Beta(np.array([float(a)]), np.array([float(b)]))


def at(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([value])


def exact(a: float, b: float, c: float, d: float, shift: float) -> mp.mpf:
    """P(X - Y > shift) in 25 digits, split where either density has its mass."""
    s = mp.mpf(shift)
    start, end = max(mp.mpf(0), s), min(mp.mpf(1), 1 + s)
    points = {start, end}
    for p, q, move in ((a, b, mp.mpf(0)), (c, d, s)):
        mean = mp.mpf(p) / (p + q)
        deviation = mp.sqrt(mean * (1 - mean) / (p + q + 1))
        points |= {mean + move + k * deviation for k in (-12, -6, -3, -1, 0, 1, 3, 6, 12)}
    inside = mp.quad(
        lambda x: x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b) * mp.betainc(c, d, 0, x - s, regularized=True),
        sorted(point for point in points if start <= point <= end),
    )
    return inside + (mp.betainc(a, b, end, 1, regularized=True) if end < 1 else 0)


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "shift"),
    [
        (0.5, 0.5, 0.5, 0.5, 0.3),
        (1, 1, 2, 3, -0.2),
        (5, 7, 30, 4, 0.0),
        (5, 7, 30, 4, -0.1),
        (30, 4, 5, 7, 0.6),
        (3, 1000, 12, 1000, 0.0),
        (3, 100_000, 1, 3, 0.0),
        (1, 10_000, 50, 50, -0.499),
        (20, 500, 60, 400, -0.01),
        (1000, 20, 900, 40, 0.05),
    ],
)
def test_probabilities_in_arbitrary_precision(a: float, b: float, c: float, d: float, shift: float) -> None:
    with mp.workdps(25):
        expected = float(exact(a, b, c, d, shift))
    assert float(exceeds(one(a, b), one(c, d), at(shift))[0]) == pytest.approx(expected, rel=1e-11, abs=0)


@pytest.mark.parametrize("n", [1e4, 1e8, 1e12])
def test_the_density_of_huge_counts(n: float) -> None:
    """Where log Γ alone would lose n·1e-16: against 60 digits, at the mean and four deviations from it."""
    known = one(0.001 * n, 0.999 * n)
    with mp.workdps(60):
        a, b = mp.mpf(float(known.a[0])), mp.mpf(float(known.b[0]))
        for z in (0, 4):
            x = float(known.mean[0] + z * known.deviation[0])
            norm = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
            expected = a * mp.log(x) + b * mp.log(1 - mp.mpf(x)) - norm
            found = float(known.log_density(at(x), at(1 - x))[0])
            assert found == pytest.approx(float(expected), abs=1e-8)


def test_quantiles_are_where_the_probability_is() -> None:
    first, second = one(12, 90), one(20, 80)
    for tail in (0.5, 0.025, 1e-6, 1e-12):
        d = lower_quantile(first, second, tail)
        # P(X - Y < d) = P(Y - X > -d)
        assert float(exceeds(second, first, -d)[0]) == pytest.approx(tail, rel=1e-8, abs=0)


def test_quantiles_of_a_shape_far_from_normal() -> None:
    """Two arms without data: the difference of uniforms is triangular, its quantile -1 + √(2·tail)."""
    for tail in (0.4, 0.025, 1e-4):
        assert float(lower_quantile(one(1, 1), one(1, 1), tail)[0]) == pytest.approx(-1 + np.sqrt(2 * tail), rel=1e-10)


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [
        (0.25, 0.25, 0.25, 280_205.25),
        (0.25, 280_205.25, 0.25, 0.25),
        (0.1, 0.1, 0.1, 0.1),
        (0.1, 0.1, 0.1, 1e12),
        (1.0, 1e12, 1.0, 1.0),
        (100.0, 1.0, 1.0, 100.0),
    ],
)
def test_quantiles_of_heavy_ends(a: float, b: float, c: float, d: float) -> None:
    first, second = one(a, b), one(c, d)
    for tail in (0.025, 0.3):
        found = lower_quantile(first, second, tail)
        assert float(exceeds(second, first, -found)[0]) == pytest.approx(tail, rel=1e-6, abs=0)
        assert float((exceeds(first, second, found) + exceeds(second, first, -found))[0]) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("n", [2e7, 1e10, 1e12])
@pytest.mark.parametrize("z", [-30.0, -6.0, -0.3, 0.0, 2.0])
def test_distribution_functions_of_huge_counts(n: float, z: float) -> None:
    """Against the density integrated in 30 digits, 14 deviations outwards."""
    known = one(0.4 * n, 0.6 * n)
    x = float(known.mean[0] + z * known.deviation[0])
    with mp.workdps(30):
        a, b = mp.mpf(float(known.a[0])), mp.mpf(float(known.b[0]))
        norm = mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)
        width = mp.mpf(float(known.deviation[0]))
        points = [mp.mpf(x) - k * width for k in range(14, -1, -1)]

        def logarithm(t: mp.mpf) -> mp.mpf:
            return (a - 1) * mp.log(t) + (b - 1) * mp.log(1 - t) + norm

        # In units of the density at x: what mpmath stops at is an absolute error.
        unit = logarithm(mp.mpf(x))
        expected = mp.exp(unit) * mp.quad(lambda t: mp.exp(logarithm(t) - unit), points)
    assert float(known.cdf(at(x), at(1 - x))[0]) == pytest.approx(float(expected), rel=1e-8, abs=0)


def test_two_variables_of_a_trillion_observations() -> None:
    """Symmetric and normal to 1e-12, where SciPy's incomplete beta function errs by 1e-5: P = Phi(-z/√2)."""
    first = one(5e11, 5e11)
    z = np.array([0.0, 0.01, 1.0, 5.0])
    many = Beta(np.repeat(first.a, 4), np.repeat(first.b, 4))
    found = exceeds(many, many, z * first.deviation)
    assert found.tolist() == pytest.approx(scipy_stats.norm.sf(z / np.sqrt(2)).tolist(), rel=1e-9, abs=0)


def test_excess_by_direct_integration() -> None:
    """E max(X - Y, 0) = ∫ P(X > x)·P(Y < x) dx, an identity the code does not use."""
    for a, b, c, d in ((2, 3, 4, 2), (40, 60, 20, 90), (0.5, 9.5, 3, 5)):
        with mp.workdps(20):
            expected = mp.quad(
                lambda x: mp.betainc(a, b, x, 1, regularized=True) * mp.betainc(c, d, 0, x, regularized=True),  # noqa: B023
                [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1],
            )
        assert float(excess(one(a, b), one(c, d))[0]) == pytest.approx(float(expected), rel=1e-10, abs=0)


def test_which_variable_is_the_narrower_does_not_show() -> None:
    first, second = (
        Beta(np.array([3.0, 300.0]), np.array([5.0, 500.0])),
        Beta(np.array([90.0, 2.0]), np.array([80.0, 7.0])),
    )
    there, back = exceeds(first, second, np.array([0.02, 0.02])), exceeds(second, first, np.array([-0.02, -0.02]))
    assert (there + back).tolist() == pytest.approx([1.0, 1.0], rel=1e-12)


def test_impossible_and_certain_differences() -> None:
    assert float(exceeds(one(2, 3), one(3, 2), at(1.0))[0]) == 0
    assert float(exceeds(one(2, 3), one(3, 2), at(-1.0))[0]) == 1
    assert float(exceeds(one(1, 1e6), one(1e6, 1), at(0.0))[0]) == 0
    assert float(exceeds(one(1e6, 1), one(1, 1e6), at(0.0))[0]) == pytest.approx(1, rel=1e-12)


def test_moments_are_scipys() -> None:
    known, law = one(3.5, 11.0), scipy_stats.beta(3.5, 11.0)
    assert float(known.mean[0]) == pytest.approx(law.mean(), rel=1e-12, abs=0)
    assert float(known.deviation[0]) == pytest.approx(law.std(), rel=1e-12, abs=0)
    assert float(known.third[0]) == pytest.approx(float(law.stats(moments="s")) * law.std() ** 3, rel=1e-12, abs=0)
