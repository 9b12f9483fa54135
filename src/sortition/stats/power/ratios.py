"""Power of the comparison of two ratios of sums over units, such as revenue per order."""

from __future__ import annotations

from dataclasses import dataclass

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

__all__ = ["UnitMoments", "mde_ratio", "power_ratio", "sample_size_ratio"]


@dataclass(frozen=True)
class UnitMoments:
    """What one unit adds to the numerator and the denominator of a ratio.

    Attributes:
        numerator_mean: Per unit, in the numerator's unit.
        numerator_sd: Its standard deviation over units.
        denominator_mean: Per unit, > 0.
        denominator_sd: Its standard deviation over units; 0 where each unit counts the same.
        correlation: Of the two over units, in [-1, 1].
    """

    numerator_mean: FloatArray
    numerator_sd: FloatArray
    denominator_mean: FloatArray
    denominator_sd: FloatArray
    correlation: FloatArray

    @classmethod
    def of(
        cls,
        numerator_mean: FloatLike,
        numerator_sd: FloatLike,
        denominator_mean: FloatLike,
        denominator_sd: FloatLike,
        correlation: FloatLike,
    ) -> UnitMoments:
        """Makes it from numbers or arrays that broadcast.

        >>> float(UnitMoments.of(20, 8, 4, 2, 0.5).ratio)
        5.0

        Raises:
            InvalidArgument: The denominator's mean is not > 0, or the correlation outside [-1, 1].
        """
        parts = (floats(part) for part in (numerator_mean, numerator_sd, denominator_mean, denominator_sd, correlation))
        made = cls(*np.broadcast_arrays(*parts))
        violations = []
        if not np.all(made.denominator_mean > 0):
            violations.append(("denominator_mean", f"must be > 0, but is {made.denominator_mean.tolist()}"))
        if not np.all(np.abs(made.correlation) <= 1):
            violations.append(("correlation", f"must be between -1 and 1, but is {made.correlation.tolist()}"))
        if violations:
            raise InvalidArgument.of(violations)
        return made

    @property
    def ratio(self) -> FloatArray:
        """The ratio of the means."""
        return np.asarray(self.numerator_mean / self.denominator_mean)

    @property
    def sd(self) -> FloatArray:
        """The standard deviation one unit adds to the ratio: of (S - R·D) / the mean of D (delta method).

        >>> round(float(UnitMoments.of(20, 8, 4, 2, 0.5).sd), 6)  # (64 - 2·5·0.5·8·2 + 25·4) / 16
        2.291288
        """
        across = self.ratio * self.denominator_sd
        # (a - b)² + 2·a·b·(1 - r) does not cancel where numerator and denominator move together.
        square = (self.numerator_sd - across) ** 2 + 2 * self.numerator_sd * across * (1 - self.correlation)
        return np.asarray(np.sqrt(np.maximum(square, 0)) / self.denominator_mean)


def power_ratio(
    difference: FloatLike, unit: UnitMoments, units: FloatLike, alpha: float = 0.05, allocation: FloatLike = 1.0
) -> FloatArray:
    """Returns the power to find a difference of two ratios (normal approximation).

    Source: the delta-method variance of Deng, Knoblich, Lu 2018, arXiv 1803.06336, in the formula of Chow, Shao, Wang,
    "Sample Size Calculations in Clinical Research", 2nd edition, 2008, section 3.2.

    Args:
        difference: The true difference, in the ratio's unit.
        unit: What a unit of the control adds; the treatment's spread is taken to be the same.
        units: The control's units.
        alpha: The level, in (0, 1); 0.05.
        allocation: Treatment units per control unit, > 0; 1.

    Raises:
        InvalidArgument: Alpha is outside (0, 1), or the allocation not > 0.

    >>> round(float(power_ratio(0.5, UnitMoments.of(20, 8, 4, 2, 0.5), 330)), 3)
    0.8
    """
    return power_from_error(difference, error_of_spread(unit.sd, units, allocation), alpha)


def sample_size_ratio(
    difference: FloatLike, unit: UnitMoments, alpha: float = 0.05, power: float = 0.8, allocation: FloatLike = 1.0
) -> FloatArray:
    """Returns the control's units with which a difference of two ratios is found with a given power.

    Source: as for `power_ratio`.

    Args:
        difference: The true difference, in the ratio's unit, not 0.
        unit: What a unit of the control adds; the treatment's spread is taken to be the same.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.
        allocation: Treatment units per control unit, > 0; 1.

    Returns:
        Whole numbers, at least 2; infinite for a difference of 0.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1), or the allocation not > 0.

    >>> float(sample_size_ratio(0.5, UnitMoments.of(20, 8, 4, 2, 0.5)))
    330.0
    """
    units = units_of_spread(difference, unit.sd, alpha, power, allocation)
    return whole_units(units)


def mde_ratio(
    unit: UnitMoments, units: FloatLike, alpha: float = 0.05, power: float = 0.8, allocation: FloatLike = 1.0
) -> FloatArray:
    """Returns the smallest true difference of two ratios that is found with a given power.

    Source: as for `power_ratio`.

    Args:
        unit: What a unit of the control adds; the treatment's spread is taken to be the same.
        units: The control's units.
        alpha: The level, in (0, 1); 0.05.
        power: In (0, 1); 0.8.
        allocation: Treatment units per control unit, > 0; 1.

    Raises:
        InvalidArgument: Alpha or power is outside (0, 1), or the allocation not > 0.

    >>> round(float(mde_ratio(UnitMoments.of(20, 8, 4, 2, 0.5), 330)), 3)
    0.5
    """
    return mde_from_error(error_of_spread(unit.sd, units, allocation), alpha, power)
