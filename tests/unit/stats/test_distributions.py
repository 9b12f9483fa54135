"""Tails and quantiles against closed forms and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sortition.stats.distributions import chi_square_sf, critical, normal_quantile, t_cdf, two_sided_p


@pytest.mark.parametrize("t", [1e-9, 0.1, 1.0, 7.0, 1e4, 1e12, 1e150])
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
