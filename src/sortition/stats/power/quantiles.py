"""Power of the comparison of two quantiles, such as p95 latencies."""

from __future__ import annotations

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, floats
from sortition.stats.power.errors import (
    error_of_spread,
    mde_from_error,
    power_from_error,
    units_of_spread,
    whole_units,
)

__all__ = ["mde_quantile", "power_quantile", "sample_size_quantile"]


def power_quantile(
    difference: FloatLike,
    q: FloatLike,
    density: FloatLike,
    observations: FloatLike,
    alpha: float = 0.05,
    allocation: FloatLike = 1.0,
    *,
    design_effect: FloatLike = 1.0,
) -> FloatArray:
    """Returns the power to find a difference of two quantiles (normal approximation).

    The standard error of a quantile is √(q·(1 - q)·design effect / n) / density.

    Source: David, Nagaraja, "Order Statistics", 3rd edition, 2003, section 10.2.

    Args:
        difference: The true difference, in the metric's unit.
        q: Which quantile, in (0, 1).
        density: Of the observations at the quantile, per the metric's unit, > 0; the same in both arms.
        observations: The control's observations.
        alpha: The level, in (0, 1); 0.05.
        allocation: Treatment observations per control observation, > 0; 1.
        design_effect: By how much repeated units inflate the variance: 1 + ((1 + cv²)·m - 1)·icc; 1 for independent
            observations.

    Raises:
        InvalidArgument: An argument is outside its range.

    The median of a normal distribution:

    >>> round(float(power_quantile(0.2, 0.5, 0.398942, 617)), 3)
    0.8
    """
    error = error_of_spread(_spread(q, density, design_effect), observations, allocation)
    return power_from_error(difference, error, alpha)


def sample_size_quantile(
    difference: FloatLike,
    q: FloatLike,
    density: FloatLike,
    alpha: float = 0.05,
    power: float = 0.8,
    allocation: FloatLike = 1.0,
    *,
    design_effect: FloatLike = 1.0,
) -> FloatArray:
    """Returns the control's observations with which a difference of two quantiles is found with a given power.

    Source: as for `power_quantile`.

    Args:
        difference: The true difference, in the metric's unit, not 0.
        q: Which quantile, in (0, 1).
        density: Of the observations at the quantile, per the metric's unit, > 0; the same in both arms.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.
        allocation: Treatment observations per control observation, > 0; 1.
        design_effect: As for `power_quantile`; 1.

    Returns:
        Whole numbers, at least 2; infinite for a difference of 0.

    Raises:
        InvalidArgument: An argument is outside its range.

    >>> float(sample_size_quantile(0.2, 0.5, 0.398942))
    617.0
    """
    needed = units_of_spread(difference, _spread(q, density, design_effect), alpha, power, allocation)
    return whole_units(needed)


def mde_quantile(
    q: FloatLike,
    density: FloatLike,
    observations: FloatLike,
    alpha: float = 0.05,
    power: float = 0.8,
    allocation: FloatLike = 1.0,
    *,
    design_effect: FloatLike = 1.0,
) -> FloatArray:
    """Returns the smallest true difference of two quantiles that is found with a given power.

    Source: as for `power_quantile`.

    Args:
        q: Which quantile, in (0, 1).
        density: Of the observations at the quantile, per the metric's unit, > 0; the same in both arms.
        observations: The control's observations.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.
        allocation: Treatment observations per control observation, > 0; 1.
        design_effect: As for `power_quantile`; 1.

    Raises:
        InvalidArgument: An argument is outside its range.

    >>> round(float(mde_quantile(0.5, 0.398942, 617)), 3)
    0.2
    """
    error = error_of_spread(_spread(q, density, design_effect), observations, allocation)
    return mde_from_error(error, alpha, power)


def _spread(q: FloatLike, density: FloatLike, design_effect: FloatLike) -> FloatArray:
    """Returns √n times the standard error of a quantile."""
    share, height, effect = floats(q), floats(density), floats(design_effect)
    violations = [
        (name, f"must be {text}, but is {value.tolist()}")
        for name, value, holds, text in (
            ("q", share, (share > 0) & (share < 1), "between 0 and 1; write 0.95 for p95"),
            ("density", height, height > 0, "> 0"),
            ("design_effect", effect, effect > 0, "> 0"),
        )
        if not np.all(holds)
    ]
    if violations:
        raise InvalidArgument.of(violations)
    return np.asarray(np.sqrt(share * (1 - share) * effect) / height)
