"""Power of any estimate that is normal, from its standard error alone."""

from __future__ import annotations

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, check_share, floats
from sortition.stats.distributions import critical_at, normal_cdf, normal_quantile

__all__ = [
    "check_allocation",
    "error_of_spread",
    "mde_from_error",
    "needed_error",
    "power_from_error",
    "units_of_spread",
    "whole_units",
]


def power_from_error(difference: FloatLike, standard_error: FloatLike, alpha: float = 0.05) -> FloatArray:
    """Returns the power to find a true difference with an estimate of a given standard error (normal approximation).

    Args:
        difference: The true difference, in any unit.
        standard_error: Of the estimated difference, in the same unit.
        alpha: The level, in (0, 1); 0.05.

    Raises:
        InvalidArgument: Alpha is outside (0, 1).

    >>> round(float(power_from_error(2.801585, 1.0)), 4)
    0.8
    """
    check_share("alpha", alpha)
    with np.errstate(all="ignore"):
        shift = np.abs(floats(difference)) / floats(standard_error)
    z = critical_at(alpha, np.inf)
    return normal_cdf(shift - z) + normal_cdf(-shift - z)


def needed_error(difference: FloatLike, alpha: float = 0.05, power: float = 0.8) -> FloatArray:
    """Returns the standard error at which a true difference is found with a given power (normal approximation).

    Args:
        difference: The true difference, in any unit.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1).

    >>> round(float(needed_error(2.801585)), 6)
    1.0
    """
    return np.asarray(np.abs(floats(difference)) / _reach(alpha, power))


def mde_from_error(standard_error: FloatLike, alpha: float = 0.05, power: float = 0.8) -> FloatArray:
    """Returns the smallest true difference that an estimate of a given standard error finds with a given power.

    Args:
        standard_error: Of the estimated difference, in any unit.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1).

    >>> round(float(mde_from_error(1.0)), 6)
    2.801585
    """
    return np.asarray(floats(standard_error) * _reach(alpha, power))


def _reach(alpha: float, power: float) -> FloatArray:
    check_share("alpha", alpha)
    check_share("power", power)
    return np.asarray(critical_at(alpha, np.inf) + normal_quantile(power))


def check_allocation(allocation: FloatLike) -> FloatArray:
    """Refuses a ratio of treatment to control units that is not > 0.

    Raises:
        InvalidArgument: Names the value.
    """
    ratio = floats(allocation)
    if not np.all((ratio > 0) & np.isfinite(ratio)):
        raise InvalidArgument.of([("allocation", f"must be > 0 and finite, but is {ratio.tolist()}")])
    return ratio


def units_of_spread(
    difference: FloatLike, sd: FloatLike, alpha: float, power: float, allocation: FloatLike
) -> FloatArray:
    """Returns the control's units, a fraction, with which a mean of units of that spread has the power (normal)."""
    ratio = check_allocation(allocation)
    with np.errstate(all="ignore"):
        return np.asarray((1 + 1 / ratio) * (floats(sd) / needed_error(difference, alpha, power)) ** 2)


def error_of_spread(sd: FloatLike, units: FloatLike, allocation: FloatLike) -> FloatArray:
    """Returns the standard error of the difference of two means of units of that spread; `units` are the control's."""
    with np.errstate(all="ignore"):
        return np.asarray(floats(sd) * np.sqrt((1 + 1 / check_allocation(allocation)) / floats(units)))


def whole_units(units: FloatLike, *, tolerance: float = 1e-12) -> FloatArray:
    """Returns the whole number of units that has the power, at least 2.

    A number that is whole but for its last digits, by no more than `tolerance` of it, is not rounded up by them.
    """
    return np.asarray(np.maximum(np.ceil(floats(units) * (1 - tolerance)), 2))
