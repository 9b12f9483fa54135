"""How many units a comparison needs, and how likely it is to find what is there. Tests are two-sided."""

from __future__ import annotations

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray, FloatLike, check_share, floats
from sortition.stats.distributions import critical, normal_cdf, normal_quantile

__all__ = [
    "error_power",
    "mean_power",
    "mean_sample_size",
    "needed_error",
    "proportion_power",
    "proportion_sample_size",
]

# From here on Student's t and the normal distribution give the same number of units.
_NORMAL_FROM = 100_000
# The t distribution asks for about z²/4 units per arm more than the normal one; for tiny arms for a few more.
_MOST_STEPS = 200


def error_power(difference: FloatLike, standard_error: FloatLike, alpha: float = 0.05) -> FloatArray:
    """Returns the power to find a true difference with an estimate of a given standard error (normal approximation).

    Raises:
        InvalidArgument: Alpha is outside (0, 1).

    >>> round(float(error_power(2.801585, 1.0)), 4)
    0.8
    """
    check_share("alpha", alpha)
    with np.errstate(all="ignore"):
        shift = np.abs(floats(difference)) / floats(standard_error)
    z = critical(1 - alpha, np.inf)
    return normal_cdf(shift - z) + normal_cdf(-shift - z)


def needed_error(difference: FloatLike, alpha: float = 0.05, power: float = 0.8) -> FloatArray:
    """Returns the standard error at which a true difference is found with a given power (normal approximation).

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1).

    >>> round(float(needed_error(2.801585)), 6)
    1.0
    """
    check_share("alpha", alpha)
    check_share("power", power)
    return np.asarray(np.abs(floats(difference)) / (critical(1 - alpha, np.inf) + normal_quantile(power)))


def mean_power(difference: FloatLike, sd: FloatLike, units: FloatLike, alpha: float = 0.05) -> FloatArray:
    """Returns the power of the t-test between two arms of equal size.

    Source: noncentral t, as in Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition, 1988,
    chapter 2.

    Args:
        difference: The true difference, in the metric's unit.
        sd: The standard deviation per unit.
        units: Units per arm, at least 2.
        alpha: The level, in (0, 1).

    Raises:
        InvalidArgument: Alpha is outside (0, 1).

    >>> round(float(mean_power(1.0, 1.0, 20)), 4)
    0.869
    """
    check_share("alpha", alpha)
    with np.errstate(all="ignore"):
        shift, n = np.broadcast_arrays(np.abs(floats(difference)) / floats(sd), floats(units))
        noncentral = shift * np.sqrt(n / 2)
        df = 2 * n - 2
        border = critical(1 - alpha, df)
        exact = special.nctdtr(df, noncentral, -border) + 1 - special.nctdtr(df, noncentral, border)
    return np.where(n < _NORMAL_FROM, exact, error_power(noncentral, 1.0, alpha))


def mean_sample_size(difference: FloatLike, sd: FloatLike, alpha: float = 0.05, power: float = 0.8) -> FloatArray:
    """Returns the units per arm with which the t-test between two arms of equal size has a given power.

    Source: as for `mean_power`.

    Args:
        difference: The true difference, in the metric's unit, not 0.
        sd: The standard deviation per unit.
        alpha: The level, in (0, 1).
        power: In (0, 1).

    Returns:
        Whole numbers, at least 2.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1).

    >>> float(mean_sample_size(0.5, 1.0))  # Cohen 1988, table 2.4.1
    64.0
    """
    with np.errstate(all="ignore"):
        start = 2 * (floats(sd) / needed_error(difference, alpha, power)) ** 2
    units = np.maximum(np.ceil(start), 2)
    for _ in range(_MOST_STEPS):
        short = (units < _NORMAL_FROM) & (mean_power(difference, sd, units, alpha) < power)
        if not short.any():
            break
        units = units + short
    return units


def proportion_power(rate: FloatLike, other: FloatLike, units: FloatLike, alpha: float = 0.05) -> FloatArray:
    """Returns the power of the two-proportion z-test between two arms of equal size.

    Source: Fleiss, Levin, Paik, "Statistical Methods for Rates and Proportions", 3rd edition, 2003, chapter 4.

    Args:
        rate: The control's true rate, in (0, 1).
        other: The treatment's true rate.
        units: Units per arm.
        alpha: The level, in (0, 1).

    Raises:
        InvalidArgument: Alpha is outside (0, 1).

    >>> round(float(proportion_power(0.50, 0.75, 50)), 3)
    0.74
    """
    check_share("alpha", alpha)
    first, second, n = floats(rate), floats(other), floats(units)
    with np.errstate(all="ignore"):
        mean = (first + second) / 2
        pooled = critical(1 - alpha, np.inf) * np.sqrt(2 * mean * (1 - mean))
        spread = np.sqrt(first * (1 - first) + second * (1 - second))
        return normal_cdf((np.sqrt(n) * np.abs(second - first) - pooled) / spread)


def proportion_sample_size(rate: FloatLike, other: FloatLike, alpha: float = 0.05, power: float = 0.8) -> FloatArray:
    """Returns the units per arm with which the two-proportion z-test has a given power.

    Source: as for `proportion_power`.

    Args:
        rate: The control's true rate, in (0, 1).
        other: The treatment's true rate, not the same.
        alpha: The level, in (0, 1).
        power: In (0, 1).

    Returns:
        Whole numbers, at least 2.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1).

    >>> float(proportion_sample_size(0.50, 0.75, power=0.90))
    77.0
    """
    check_share("alpha", alpha)
    check_share("power", power)
    first, second = floats(rate), floats(other)
    with np.errstate(all="ignore"):
        mean = (first + second) / 2
        pooled = critical(1 - alpha, np.inf) * np.sqrt(2 * mean * (1 - mean))
        spread = normal_quantile(power) * np.sqrt(first * (1 - first) + second * (1 - second))
        return np.maximum(np.ceil(((pooled + spread) / (second - first)) ** 2), 2)
