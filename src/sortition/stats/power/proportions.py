"""Power of the z-test between two proportions of independent outcomes."""

from __future__ import annotations

import numpy as np

from sortition.stats.arrays import FloatArray, FloatLike, check_share, floats
from sortition.stats.distributions import critical_at, normal_cdf, normal_quantile
from sortition.stats.power.errors import check_allocation, whole_units
from sortition.stats.roots import find_roots

__all__ = ["mde_proportion", "power_proportion", "sample_size_proportion"]

_TOLERANCE = 1e-14


def power_proportion(
    rate: FloatLike, other: FloatLike, units: FloatLike, alpha: float = 0.05, allocation: FloatLike = 1.0
) -> FloatArray:
    """Returns the power of the two-proportion z-test: pooled variance under no difference, unpooled under one.

    Finding a difference in the wrong direction does not count. Where units repeat use `power_mean`, with the `unit_sd`
    of a standard deviation of √(rate·(1 - rate)).

    Source: Fleiss, Levin, Paik, "Statistical Methods for Rates and Proportions", 3rd edition, 2003, chapter 4.

    Args:
        rate: The control's true rate, in (0, 1).
        other: The treatment's true rate, in [0, 1].
        units: The control's units.
        alpha: The level, in (0, 1); 0.05.
        allocation: Treatment units per control unit, > 0; 1.

    Raises:
        InvalidArgument: Alpha is outside (0, 1), or the allocation not > 0.

    >>> round(float(power_proportion(0.50, 0.75, 50)), 3)
    0.74
    """
    check_share("alpha", alpha)
    with np.errstate(all="ignore"):
        pooled, unpooled = _spreads(floats(rate), floats(other), check_allocation(allocation))
        away = np.sqrt(floats(units)) * np.abs(floats(other) - floats(rate))
        border = critical_at(alpha, np.inf) * pooled
        return normal_cdf((away - border) / unpooled)


def sample_size_proportion(
    rate: FloatLike, other: FloatLike, alpha: float = 0.05, power: float = 0.8, allocation: FloatLike = 1.0
) -> FloatArray:
    """Returns the control's units with which the two-proportion z-test has a given power.

    Source: as for `power_proportion`.

    Args:
        rate: The control's true rate, in (0, 1).
        other: The treatment's true rate, not the same.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.
        allocation: Treatment units per control unit, > 0; 1.

    Returns:
        Whole numbers, at least 2; infinite where the rates are the same.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1), or the allocation not > 0.

    >>> float(sample_size_proportion(0.50, 0.75, power=0.90))
    77.0
    """
    check_share("alpha", alpha)
    check_share("power", power)
    first, second = floats(rate), floats(other)
    with np.errstate(all="ignore"):
        pooled, unpooled = _spreads(first, second, check_allocation(allocation))
        reach = critical_at(alpha, np.inf) * pooled + normal_quantile(power) * unpooled
        units = (reach / (second - first)) ** 2
    return whole_units(units)


def mde_proportion(
    rate: FloatLike,
    units: FloatLike,
    alpha: float = 0.05,
    power: float = 0.8,
    allocation: FloatLike = 1.0,
    *,
    increase: bool = True,
) -> FloatArray:
    """Returns the smallest true change of a rate that the two-proportion z-test finds with a given power.

    Source: as for `power_proportion`.

    Args:
        rate: The control's true rate, in (0, 1).
        units: The control's units.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.
        allocation: Treatment units per control unit, > 0; 1.
        increase: Whether the treatment's rate is the larger one.

    Returns:
        Absolute changes, > 0. NaN where not even a rate of 1 (of 0, for a decrease) is found with that power.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1), or the allocation not > 0.

    The other way round 77 units are the fewest for a quarter:

    >>> round(float(mde_proportion(0.50, 77, power=0.90)), 3)
    0.25
    """
    check_share("power", power)
    ratio = check_allocation(allocation)
    base, n, _ = np.broadcast_arrays(floats(rate), floats(units), ratio)
    toward = 1.0 if increase else -1.0
    room = 1 - base if increase else base

    def spare(change: FloatArray) -> FloatArray:
        other = np.clip(base + toward * change, 0, 1)
        return power_proportion(base, other, n, alpha, ratio) - power

    found = find_roots(spare, 0.0, room, tolerance=_TOLERANCE)
    return np.where(spare(room) >= 0, found, np.nan)


def _spreads(rate: FloatArray, other: FloatArray, allocation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns √n times the standard error of the difference with one rate for both, and with each its own."""
    mean = (rate + allocation * other) / (1 + allocation)
    pooled = np.sqrt(mean * (1 - mean) * (1 + 1 / allocation))
    return pooled, np.sqrt(rate * (1 - rate) + other * (1 - other) / allocation)
