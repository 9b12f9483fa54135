"""Power of the t-test between two means, also where units repeat."""

from __future__ import annotations

import numpy as np
from scipy import special

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, check_share, floats
from sortition.stats.distributions import critical_at, normal_quantile
from sortition.stats.noncentral import exceeding
from sortition.stats.power.errors import (
    check_allocation,
    mde_from_error,
    power_from_error,
    units_of_spread,
    whole_units,
)
from sortition.stats.roots import find_roots

__all__ = ["mde_mean", "power_mean", "sample_size_mean", "unit_sd"]

# In all. From here on t differs from the normal distribution by less than rounding, and by less than two units.
_NORMAL_FROM = 1e9
# How far a root may be from the whole number that it is.
_WHOLE = 1e-9
# The t distribution asks for about z²/2 units more in all than the normal one, and at tiny levels for some hundreds.
_MOST_DOUBLINGS = 30
# Of the noncentral t's root; far below one unit.
_TOLERANCE = 1e-12


def unit_sd(sd: FloatLike, observations: FloatLike, icc: FloatLike, cv: FloatLike = 0.0) -> FloatArray:
    """Returns the standard deviation that one unit adds to a mean over observations when units repeat.

    It goes where a function asks for the standard deviation per unit: a mean over the observations of n units has the
    variance unit_sd²/n.

    Source: Kish, "Survey Sampling", 1965, section 5.4; with units of unequal size: Eldridge, Ashby, Kerry, "Sample size
    for cluster randomized trials: effect of coefficient of variation of cluster size and analysis method",
    International Journal of Epidemiology 35, 2006.

    Args:
        sd: The standard deviation of observations, in the metric's unit.
        observations: The mean number of observations per unit, > 0.
        icc: The intraclass correlation: the share of the variance that lies between units, in [0, 1].
        cv: The coefficient of variation of the number of observations per unit, >= 0; 0.

    Raises:
        InvalidArgument: An argument is outside its range.

    Ten observations of a unit that are all the same are worth one, and independent ones ten:

    >>> unit_sd(3.0, 10, [0.0, 1.0]).round(6).tolist()
    [0.948683, 3.0]
    """
    m, shared, uneven = floats(observations), floats(icc), floats(cv)
    violations = [
        (name, f"must be {text}, but is {value.tolist()}")
        for name, value, holds, text in (
            ("observations", m, m > 0, "> 0"),
            ("icc", shared, (shared >= 0) & (shared <= 1), "between 0 and 1"),
            ("cv", uneven, uneven >= 0, ">= 0"),
        )
        if not np.all(holds)
    ]
    if violations:
        raise InvalidArgument.of(violations)
    effect = 1 + ((1 + uneven**2) * m - 1) * shared
    return np.asarray(floats(sd) * np.sqrt(np.maximum(effect, 0) / m))


def power_mean(
    difference: FloatLike, sd: FloatLike, units: FloatLike, alpha: float = 0.05, allocation: FloatLike = 1.0
) -> FloatArray:
    """Returns the power of the t-test between two arms.

    Source: noncentral t, as in Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition, 1988,
    chapter 2.

    Args:
        difference: The true difference, in the metric's unit.
        sd: The standard deviation per unit, the same in both arms; `unit_sd` where units repeat.
        units: The control's units, at least 2.
        alpha: The level, in (0, 1); 0.05.
        allocation: Treatment units per control unit, > 0; 1.

    Raises:
        InvalidArgument: Alpha is outside (0, 1), or the allocation not > 0.

    >>> round(float(power_mean(1.0, 1.0, 20)), 4)
    0.869
    """
    check_share("alpha", alpha)
    with np.errstate(all="ignore"):
        shift, n, ratio = np.broadcast_arrays(
            np.abs(floats(difference)) / floats(sd), floats(units), check_allocation(allocation)
        )
        return _power(shift * np.sqrt(n * (ratio / (1 + ratio))), n * (1 + ratio) - 2, alpha)


def sample_size_mean(
    difference: FloatLike, sd: FloatLike, alpha: float = 0.05, power: float = 0.8, allocation: FloatLike = 1.0
) -> FloatArray:
    """Returns the control's units with which the t-test between two arms has a given power.

    Source: as for `power_mean`.

    Args:
        difference: The true difference, in the metric's unit, not 0.
        sd: The standard deviation per unit; `unit_sd` where units repeat.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.
        allocation: Treatment units per control unit, > 0; 1.

    Returns:
        Whole numbers, at least 2; infinite for a difference of 0.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1), or the allocation not > 0.

    >>> float(sample_size_mean(0.5, 1.0))  # Cohen 1988, table 2.4.1
    64.0
    """
    normal = units_of_spread(difference, sd, alpha, power, allocation)
    with np.errstate(all="ignore"):
        effect = np.abs(floats(difference)) / floats(sd)
    least, ratio, shift = np.broadcast_arrays(normal, check_allocation(allocation), effect)
    small = least * (1 + ratio) < _NORMAL_FROM

    def spare(units: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            found = _power(shift * np.sqrt(units * (ratio / (1 + ratio))), units * (1 + ratio) - 2, alpha)
        return np.where(small, found - power, 0.0)

    low = np.where(small, np.maximum(least, 2), 2.0)
    high, more = low, 4 / (1 + ratio)
    for _ in range(_MOST_DOUBLINGS):
        short = spare(high) < 0
        if not short.any():
            break
        high, more = np.where(short, high + more, high), more * 2
    exact = find_roots(spare, low, high, tolerance=_TOLERANCE)
    units = np.where(small, np.where(spare(low) >= 0, low, exact), least)
    return whole_units(units, tolerance=_WHOLE)


def mde_mean(
    sd: FloatLike, units: FloatLike, alpha: float = 0.05, power: float = 0.8, allocation: FloatLike = 1.0
) -> FloatArray:
    """Returns the smallest true difference that the t-test between two arms finds with a given power.

    Source: as for `power_mean`.

    Args:
        sd: The standard deviation per unit; `unit_sd` where units repeat.
        units: The control's units, at least 2.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.
        allocation: Treatment units per control unit, > 0; 1.

    Returns:
        Differences in the metric's unit, > 0.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1), or the allocation not > 0.

    >>> round(float(mde_mean(1.0, 64)), 4)
    0.4991
    """
    check_share("alpha", alpha)
    check_share("power", power)
    with np.errstate(all="ignore"):
        n, ratio, spread = np.broadcast_arrays(floats(units), check_allocation(allocation), floats(sd))
        df = n * (1 + ratio) - 2
        small = n * (1 + ratio) < _NORMAL_FROM
        freedom = np.where(small, df, 1.0)
        # If Z + shift and the spread each miss with half the chance that the power leaves, their quotient does not.
        half = (1 + power) / 2
        most = critical_at(alpha, freedom) * np.sqrt(2 * special.gammaincinv(freedom / 2, half) / freedom)
        most = most + normal_quantile(half)
        shift = find_roots(
            lambda noncentral: _power(noncentral, freedom, alpha) - power, 0.0, most, tolerance=_TOLERANCE
        )
        shift = np.where(small, shift, mde_from_error(1.0, alpha, power))
        return np.asarray(np.where(df > 0, shift * spread / np.sqrt(n * (ratio / (1 + ratio))), np.nan))


def _power(noncentral: FloatArray, df: FloatArray, alpha: float) -> FloatArray:
    """Returns P(|T| > c) of a noncentral t; normal from where the two are the same."""
    normal = df + 2 >= _NORMAL_FROM
    freedom = np.where(normal | ~(df > 0), 1.0, df)
    exact = exceeding(noncentral, freedom, critical_at(alpha, freedom))
    return np.where(normal, power_from_error(noncentral, 1.0, alpha), np.where(df > 0, exact, np.nan))
