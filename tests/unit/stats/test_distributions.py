"""Tails and quantiles against closed forms and published tables."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from sortition.stats.distributions import chi_square_sf, critical, critical_at, normal_quantile, t_cdf, two_sided_p


@pytest.mark.parametrize("t", [1e-9, 0.1, 1.0, 7.0, 1e4, 1e12, 1e150, 1e200, 1e300])
def test_one_degree_of_freedom_is_cauchy(t: float) -> None:
    assert float(two_sided_p(t, 1)) == pytest.approx(2 / math.pi * math.atan2(1, t), rel=1e-11, abs=0)


@pytest.mark.parametrize("t", [1e-9, 0.1, 1.0, 7.0, 1e4, 1e12])
def test_two_degrees_of_freedom_in_closed_form(t: float) -> None:
    """P = 1 - t/√(2 + t²) = 2 / (√(2 + t²)·(√(2 + t²) + t))."""
    root = math.hypot(math.sqrt(2), t)
    assert float(two_sided_p(t, 2)) == pytest.approx(2 / (root * (root + t)), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("z", "p"), [(1.0, 0.317310507862914), (5.0, 5.733031437583869e-07), (37.0, 1.145114243836247e-299)]
)
def test_the_normal_far_tail(z: float, p: float) -> None:
    assert float(two_sided_p(z, np.inf)) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-12, abs=0)
    assert float(two_sided_p(-z, np.inf)) == pytest.approx(p, rel=1e-3, abs=0)


@pytest.mark.parametrize(
    ("t", "df"),
    [
        (1e-8, 3.0),
        (5.0, 0.5),
        (1e8, 1.5),
        (1e3, 5.0),
        (1e20, 15.0),
        (1e30, 10.0),
        (1e99, 2.9),
        (1e101, 2.9),
        (1e6, 50.0),
        (100.0, 150.0),
        (40.0, 900.0),
        (37.0, 1e4),
        (36.5, 1e12),
        (3.0, 1e9),
        (2.0, 1e15),
    ],
)
def test_student_anywhere_in_sixty_digits(t: float, df: float) -> None:
    """From 1 down to 1e-295, by the incomplete beta function in arbitrary precision."""
    with mp.workdps(60):
        x = mp.mpf(df) / (mp.mpf(df) + mp.mpf(t) ** 2)
        expected = mp.betainc(mp.mpf(df) / 2, mp.mpf(1) / 2, 0, x, regularized=True)
        assert float(two_sided_p(t, df)) == pytest.approx(float(expected), rel=1e-12, abs=0)


@pytest.mark.parametrize("alpha", [0.5, 1e-3, 1e-16, 1e-30, 1e-100, 1e-300])
@pytest.mark.parametrize("df", [1.0, 4.5, 100.0, 1e6, 1e12, np.inf])
def test_critical_values_have_their_probability(alpha: float, df: float) -> None:
    """`two_sided_p` is checked by itself; near 1e-300 the last digit of a c of 37 moves p by 1e-13."""
    assert float(two_sided_p(critical_at(alpha, df), df)) == pytest.approx(alpha, rel=1e-9, abs=0)


def test_unknown_stays_unknown() -> None:
    assert np.isnan(two_sided_p(np.nan, 5))
    assert np.isnan(two_sided_p(1.0, np.nan))
    assert np.isnan(critical(0.95, np.nan))


@pytest.mark.parametrize(
    ("df", "value"), [(1, 12.7062), (5, 2.5706), (10, 2.2281), (30, 2.0423), (120, 1.9799), (np.inf, 1.9600)]
)
def test_students_table(df: float, value: float) -> None:
    """Two-sided 5 % points, as in every printed table of Student's t."""
    assert float(critical(0.95, df)) == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(("df", "value"), [(1, 10.828), (2, 13.816), (9, 27.877)])
def test_chi_square_table(df: int, value: float) -> None:
    """0.1 % points, as in every printed table of chi-square."""
    assert float(chi_square_sf(value, df)) == pytest.approx(0.001, rel=1e-3, abs=0)


def test_halves() -> None:
    assert float(t_cdf(2.0, 7)) + float(t_cdf(-2.0, 7)) == pytest.approx(1, abs=1e-15)
    assert float(normal_quantile(0.8)) == pytest.approx(0.8416212335729143)
