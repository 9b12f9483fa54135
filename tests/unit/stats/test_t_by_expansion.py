"""Carrying t over to the normal distribution by expansion: the coefficients, and the edge of where it is used."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import special
from scipy import stats as scipy_stats

from sortition.stats.sequential import expansion
from sortition.stats.sequential.expansion import is_near, normal_from_near_t, t_from_near_normal

TERMS = 5
# Of ln(sinh x / x), by the powers of x²: ln(1 + x²/6 + x⁴/120 + …), from tables.
LOG_SINH = [Fraction(1, 6), Fraction(-1, 180), Fraction(1, 2835), Fraction(-1, 37800), Fraction(1, 467775)]

Series = dict[tuple[int, int], Fraction]
"""Coefficients by the powers of 1/a² and of the argument's square."""


def times(first: Series, second: Series) -> Series:
    found: Series = {}
    for ((i, m), x), ((j, n), y) in product(first.items(), second.items()):
        if i + j <= TERMS:
            found[i + j, m + n] = found.get((i + j, m + n), Fraction(0)) + x * y
    return found


def plus(*parts: tuple[Fraction | int, Series]) -> Series:
    found: Series = {}
    for factor, part in parts:
        for power, x in part.items():
            found[power] = found.get(power, Fraction(0)) + factor * x
    return found


def powers(base: Series) -> list[Series]:
    found = [base]
    while len(found) < TERMS:
        found.append(times(found[-1], base))
    return found


def remainder(factor: Series, *, of_t: bool) -> Series:
    """Returns what is left of the equation of the two densities' logarithms, beside the linear terms sought.

    ln φ(z) + ln z'(u) = ln φ(u) - ln(sinh x / x) / 2 and the other way round, with x = u²/(2a).
    """
    slope: Series = {(k, n): (1 + 2 * n) * c for (k, n), c in factor.items()}
    log = [(Fraction((-1) ** m, m + 1), p) for m, p in enumerate(powers(slope))]
    one: Series = {(0, 0): Fraction(1)}
    u_to_fourth = one if of_t else powers(plus((1, one), (1, factor)))[3]
    x_square = times(u_to_fourth, {(1, 2): Fraction(1, 4)})
    sinh = plus(*zip(LOG_SINH, powers(x_square), strict=True))
    y: Series = {(0, 1): Fraction(1)}
    square = plus((2, factor), (1, times(factor, factor)))
    return plus((Fraction(-1, 2), times(y, square)), *log, (Fraction(1 if of_t else -1, 2), sinh))


def polynomials(*, of_t: bool) -> list[list[Fraction]]:
    factor: Series = {}
    for k in range(1, TERMS + 1):
        left = {n: c for (power, n), c in remainder(factor, of_t=of_t).items() if power == k}
        coefficient = Fraction(0)
        for n in range(2 * k - 1, -1, -1):
            coefficient = (2 * n + 3) * coefficient + left.get(n + 1, Fraction(0))
            factor[k, n] = coefficient
    return [[factor[k, n] for n in range(2 * k)] for k in range(1, TERMS + 1)]


@pytest.mark.parametrize("of_t", [True, False])
def test_the_coefficients_follow_from_the_densities(of_t: bool) -> None:
    kept = expansion._TO_NORMAL if of_t else expansion._FROM_NORMAL
    assert [list(row) for row in kept] == [[float(c) for c in row] for row in polynomials(of_t=of_t)]


@pytest.mark.parametrize("df", [40.0, 41.5, 60.0, 254.0, 1e4, 1e9])
def test_tails_as_scipy_up_to_the_edge(df: float) -> None:
    t = np.array([1e-9, 0.01, 0.3, 0.7, 0.99, 1 - 1e-12]) * min(np.sqrt(0.5 * (df - 0.5)), 30)
    freedom = np.full_like(t, df)
    assert is_near(t, freedom).all()
    z = normal_from_near_t(t, freedom)
    np.testing.assert_allclose(special.log_ndtr(-z), scipy_stats.t.logsf(t, df), rtol=2e-13)
    back = t_from_near_normal(z, freedom)
    np.testing.assert_allclose(back, t, rtol=3e-14)
    np.testing.assert_array_equal(normal_from_near_t(-t, freedom), -z)
    np.testing.assert_array_equal(t_from_near_normal(-z, freedom), -back)


def test_beyond_the_edge_it_is_not_used() -> None:
    assert is_near(np.array([0.0, 3.0, 4.5, np.nan, np.inf]), np.full(5, 40.0)).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert not is_near(np.array([0.0]), np.array([39.9])).any()
