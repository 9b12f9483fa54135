"""Carrying t over to the normal distribution, far beyond where tails underflow."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.stats.sequential.scale import log_t_tail, normal_from_t, t_from_normal


@pytest.mark.parametrize("df", [1.0, 2.5, 30.0, 254.0, 1e6])
@pytest.mark.parametrize("t", [0.0, 0.5, 3.0, 12.0])
def test_tails_as_scipy(df: float, t: float) -> None:
    assert float(log_t_tail(t, df)) == pytest.approx(float(scipy_stats.t.logsf(t, df)), rel=1e-11, abs=1e-14)


def test_the_cauchy_and_two_degrees_of_freedom_have_closed_forms() -> None:
    """One: 1/(πt) far out. Two: 1 - t/√(t² + 2) = 1/t² far out, halved."""
    for exponent in (150, 200, 300):
        assert float(log_t_tail(10.0**exponent, 1)) == pytest.approx(
            -math.log(math.pi) - exponent * math.log(10), rel=1e-14, abs=0
        )
    assert float(log_t_tail(1e152, 2)) == pytest.approx(-math.log(2) - 304 * math.log(10), rel=1e-14, abs=0)


def test_with_many_degrees_of_freedom_it_is_the_normal_tail() -> None:
    """50 standard errors: ln P = -1254.8314, from the asymptotic series of Mills' ratio."""
    z = 50.0
    mills = (1 - 1 / z**2 + 3 / z**4 - 15 / z**6 + 105 / z**8) / z
    exact = -(z**2) / 2 - math.log(math.sqrt(2 * math.pi)) + math.log(mills)
    assert float(log_t_tail(z, 1e13)) == pytest.approx(exact, rel=1e-8, abs=0)


@pytest.mark.parametrize("df", [1.0, 3.0, 30.0, 510.0, 1e4, 1e6, 1e12])
def test_there_and_back(df: float) -> None:
    z = np.array([0.01, 0.5, 2.0, 10.0, 30.0, 36.5, 37.5, 40.0, 77.0, 200.0])
    t = t_from_normal(z, df)
    kept = np.isfinite(t)
    assert kept.sum() >= (6 if df > 1 else 5)
    assert not np.isnan(t).any()
    assert np.all(np.diff(t[kept]) > 0)
    np.testing.assert_allclose(normal_from_t(t[kept], df), z[kept], rtol=1e-9)
    np.testing.assert_allclose(normal_from_t(-t[kept], df), -z[kept], rtol=1e-9)


def test_infinite_degrees_of_freedom_change_nothing() -> None:
    assert normal_from_t([1.0, -40.0], [np.inf, np.inf]).tolist() == [1.0, -40.0]
    assert t_from_normal([1.0, 40.0], np.inf).tolist() == [1.0, 40.0]
    assert t_from_normal(np.inf, 5.0) == np.inf
