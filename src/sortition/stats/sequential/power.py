"""How many units sequential designs need, and how likely they are to find what is there.

A difference is measured beside the standard error expected at the planned end, at information 1. Units beyond those of
a fixed horizon are the price of looking; the same units are the most that are needed, not what is used on average.
"""

from __future__ import annotations

import functools

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, check_share, floats
from sortition.stats.roots import find_roots
from sortition.stats.sequential.asymptotic import boundary, tuned
from sortition.stats.sequential.group import GroupSequential
from sortition.stats.sequential.recursion import MOST_DRIFT, crossings, looks

__all__ = [
    "mde_sequential",
    "needed_error_group_sequential",
    "needed_error_sequential",
    "power_group_sequential",
    "power_sequential",
    "sample_size_group_sequential",
    "sample_size_sequential",
]

LOOKS = 30
"""Looks that stand for looking all the time: with any more, at most four in a hundred fewer units are needed."""


def _drift(difference: FloatLike, standard_error: FloatLike) -> FloatArray:
    with np.errstate(all="ignore"):
        # Beyond the bound the power is 1 to the last bit.
        return np.clip(np.abs(floats(difference)) / floats(standard_error), 0, MOST_DRIFT)


def _planned(count: int, alpha: float, tuned_at: float) -> tuple[FloatArray, FloatArray]:
    """Returns the looks and where the confidence sequence excludes 0."""
    t = looks(count)
    return t, boundary(tuned(alpha) * t / tuned_at, alpha)


def power_sequential(
    difference: FloatLike, standard_error: FloatLike, alpha: float = 0.05, *, looks: int = LOOKS, tuned_at: float = 1.0
) -> FloatArray:
    """Returns the probability that a confidence sequence excludes 0 by the planned end, at one of many equal steps.

    Source: the boundary of `asymptotic_cs`, crossed as in `crossing_probability`.

    Args:
        difference: The true difference.
        standard_error: The standard error expected at the planned end, > 0, in the same unit.
        alpha: Of the confidence sequence, in (0, 1).
        looks: How many, evenly spaced.
        tuned_at: The share of the planned units at which the sequence is shortest: its `planned_n` beside them, > 0.

    Raises:
        InvalidArgument: An argument is outside its range.

    >>> round(float(power_sequential(2.8016, 1.0)), 3)  # with these units, 0.8 at a fixed horizon
    0.503
    """
    check_share("alpha", alpha)
    if not (np.isfinite(tuned_at) and tuned_at > 0):
        raise InvalidArgument.of([("tuned_at", f"must be a finite number > 0, but is {tuned_at}")])
    t, z = _planned(looks, alpha, tuned_at)
    drift = _drift(difference, standard_error)
    return _ever(drift, crossings(t, z, np.nan_to_num(drift), 2))


def needed_error_sequential(
    difference: FloatLike, alpha: float = 0.05, power: float = 0.8, *, looks: int = LOOKS
) -> FloatArray:
    """Returns the standard error at the planned end with which a confidence sequence finds a difference.

    Source: as for `power_sequential`.

    Args:
        difference: The true difference, not 0.
        alpha: Of the confidence sequence, in (0, 1).
        power: The probability of excluding 0 by then, in (0, 1).
        looks: How many, evenly spaced.

    Raises:
        InvalidArgument: An argument is outside its range.

    >>> round(float(needed_error_sequential(1.0)), 4)
    0.2722
    """
    check_share("alpha", alpha)
    check_share("power", power)
    return np.asarray(np.abs(floats(difference)) / _drift_of_sequence(alpha, power, looks))


def sample_size_sequential(
    difference: FloatLike, sd: FloatLike, alpha: float = 0.05, power: float = 0.8, *, looks: int = LOOKS
) -> FloatArray:
    """Returns the units per arm by which a confidence sequence has found a difference of means with a given power.

    Source: as for `power_sequential`.

    Args:
        difference: The true difference, in the metric's unit, not 0.
        sd: The standard deviation per unit; for rates p and q √((p(1-p) + q(1-q))/2).
        alpha: Of the confidence sequence, in (0, 1).
        power: In (0, 1).
        looks: How many, evenly spaced.

    Returns:
        Whole numbers, at least 2: the planned end of two arms of equal size, also the sequence's `planned_n` / 2.

    Raises:
        InvalidArgument: An argument is outside its range.

    >>> float(sample_size_sequential(0.5, 1.0))  # 64 at a fixed horizon
    108.0
    """
    return _units(sd, needed_error_sequential(difference, alpha, power, looks=looks))


def mde_sequential(
    sd: FloatLike, units: FloatLike, alpha: float = 0.05, power: float = 0.8, *, looks: int = LOOKS
) -> FloatArray:
    """Returns the difference of means that a confidence sequence finds with a given power by the planned end.

    Source: as for `power_sequential`.

    Args:
        sd: The standard deviation per unit.
        units: Units per arm at the planned end, > 0.
        alpha: Of the confidence sequence, in (0, 1).
        power: In (0, 1).
        looks: How many, evenly spaced.

    Raises:
        InvalidArgument: An argument is outside its range.

    >>> round(float(mde_sequential(1.0, 108.0)), 3)
    0.5
    """
    check_share("alpha", alpha)
    check_share("power", power)
    with np.errstate(all="ignore"):
        return np.asarray(floats(sd) * np.sqrt(2 / floats(units)) * _drift_of_sequence(alpha, power, looks))


def power_group_sequential(difference: FloatLike, standard_error: FloatLike, plan: GroupSequential) -> FloatArray:
    """Returns the probability that a group sequential test finds a difference at one of its looks.

    Source: as for `crossing_probability`.

    Args:
        difference: The true difference.
        standard_error: The standard error expected at information 1, > 0, in the same unit.
        plan: All looks.

    >>> from sortition.stats import group_sequential
    >>> round(float(power_group_sequential(2.8016, 1.0, group_sequential(5))), 3)
    0.79
    """
    drift = _drift(difference, standard_error)
    return _ever(drift, crossings(plan.information, plan.z, np.nan_to_num(drift), plan.sides))


def needed_error_group_sequential(difference: FloatLike, plan: GroupSequential, power: float = 0.8) -> FloatArray:
    """Returns the standard error at information 1 with which a group sequential test finds a difference.

    Source: as for `crossing_probability`.

    Args:
        difference: The true difference, not 0.
        plan: All looks.
        power: In (0, 1).

    Raises:
        InvalidArgument: The power is outside (0, 1).

    >>> from sortition.stats import group_sequential
    >>> round(float(needed_error_group_sequential(1.0, group_sequential(5))), 4)
    0.3526
    """
    check_share("power", power)
    needed = _drift_for(tuple(plan.information.tolist()), tuple(plan.z.tolist()), plan.sides, power)
    return np.asarray(np.abs(floats(difference)) / needed)


def sample_size_group_sequential(
    difference: FloatLike, sd: FloatLike, plan: GroupSequential, power: float = 0.8
) -> FloatArray:
    """Returns the units per arm at information 1 with which a group sequential test has a given power.

    Source: as for `crossing_probability`.

    Args:
        difference: The true difference of means, in the metric's unit, not 0.
        sd: The standard deviation per unit.
        plan: All looks.
        power: In (0, 1).

    Returns:
        Whole numbers, at least 2, for two arms of equal size.

    Raises:
        InvalidArgument: The power is outside (0, 1).

    >>> from sortition.stats import group_sequential
    >>> float(sample_size_group_sequential(0.5, 1.0, group_sequential(5)))
    65.0
    """
    return _units(sd, needed_error_group_sequential(difference, plan, power))


def _units(sd: FloatLike, error: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.asarray(np.maximum(np.ceil(2 * (floats(sd) / error) ** 2), 2))


def _drift_of_sequence(alpha: float, power: float, count: int) -> float:
    t, z = _planned(count, alpha, 1.0)
    return _drift_for(tuple(t.tolist()), tuple(z.tolist()), 2, power)


@functools.lru_cache(maxsize=256)
def _drift_for(information: tuple[float, ...], z: tuple[float, ...], sides: int, power: float) -> float:
    """Returns the drift under which the boundaries are crossed with the given probability."""
    t, borders = np.array(information), np.array(z)

    def missing(drift: FloatArray) -> FloatArray:
        return np.asarray(crossings(t, borders, drift, sides).sum(axis=-1) - power)

    if missing(np.asarray(MOST_DRIFT)) <= 0:
        raise InvalidArgument.of([("power", f"of {power} is out of reach with these looks")])
    # Without any drift the test already rejects with alpha: a power below that needs none.
    return float(find_roots(missing, 0.0, MOST_DRIFT, tolerance=1e-13))


def _ever(drift: FloatArray, crossed: FloatArray) -> FloatArray:
    """Returns the probability to cross at any look; NaN for an unknown drift."""
    # The looks' probabilities are integrals; their sum may go beyond 1 by their rounding.
    return np.where(np.isnan(drift), np.nan, np.minimum(crossed.sum(axis=-1), 1))
