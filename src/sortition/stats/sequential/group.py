"""Group sequential tests: a few looks at planned shares of the information, their boundaries by alpha spending."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, check_share, explain, floats
from sortition.stats.distributions import normal_cdf, normal_quantile
from sortition.stats.roots import find_roots
from sortition.stats.sequential.recursion import FURTHEST, START, Inside, check_sides, looks, step_inside
from sortition.stats.sequential.scale import t_from_normal
from sortition.stats.sequential.sequence import ConfidenceSequence
from sortition.stats.sequential.spending import spending_named

__all__ = ["GroupSequential", "group_sequential", "repeated_interval"]

_TINY = 1e-300
"""Alpha that is not worth a boundary: none is as far out."""
_NO_DRIFT = np.zeros(())


@dataclass(frozen=True)
class GroupSequential:
    """The boundaries of a group sequential test. Arrays have the shape (looks,).

    Attributes:
        information: Shares of the planned information at the looks.
        spent: The probability, without a difference, of having left by then.
        z: Boundaries of the standardized statistic; infinite where nothing is spent.
        nominal_p: What a look's usual p-value must not exceed: two-sided, or one-sided with one side.
        alpha: What is spent in the end.
        sides: 2 for differences either way, 1 for increases.
    """

    information: FloatArray
    spent: FloatArray
    z: FloatArray
    nominal_p: FloatArray
    alpha: float
    sides: int


def group_sequential(
    information: FloatLike | int,
    *,
    alpha: float = 0.05,
    spending: str = "obrien_fleming",
    parameter: float | None = None,
    sides: int = 2,
) -> GroupSequential:
    """Returns the boundaries of looks at given information.

    A boundary depends on its own and on earlier looks only: give the looks that were made so far. How many there will
    be need not be known, as long as neither their number nor their times depend on what was seen. With two sides each
    spends alpha/2.

    Source: Lan, DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983; recursive
    integration as for `crossing_probability`.

    Args:
        information: Shape (looks,): shares of the planned information (units so far beside units planned), increasing
            in (0, 1]; or that many equal steps.
        alpha: In (0, 1); at most 0.5 with one side.
        spending: "obrien_fleming", "pocock", "kim_demets" or "hwang_shih_decani".
        parameter: Of the last two: power and gamma; their defaults where None.
        sides: 2 for differences either way, 1 for increases.

    Raises:
        InvalidArgument: An argument is outside its range.

    >>> group_sequential(5).z.round(4).tolist()  # gsDesign's sfLDOF
    [4.8769, 3.357, 2.6803, 2.2898, 2.031]
    """
    check_share("alpha", alpha)
    check_sides(sides)
    if sides == 1 and alpha > 0.5:
        raise InvalidArgument.of([("alpha", f"must be at most 0.5 with one side, but is {alpha}")])
    t = looks(information)
    spent = spending_named(spending, parameter)(t, alpha / sides) * sides
    z = np.empty_like(t)
    inside = START
    for k, at in enumerate(t):
        z[k] = _border(inside, float(at), float(spent[k] - (spent[k - 1] if k else 0)) / sides)
        if k + 1 < len(t):
            inside = step_inside(inside, float(at), float(z[k]), float(t[k + 1] - at), sides)
    return GroupSequential(t, spent, z, np.asarray(normal_cdf(-z) * sides), alpha, sides)


def _border(inside: Inside, information: float, probability: float) -> float:
    """Returns the z that is exceeded at the next look with a given probability."""
    if probability <= _TINY:
        return math.inf

    def excess(z: FloatArray) -> FloatArray:
        # As logarithms: far out the tail falls by many orders of magnitude.
        return np.log(np.maximum(inside.above(information, z, _NO_DRIFT), 1e-320)) - math.log(probability)

    found = float(find_roots(excess, -FURTHEST, FURTHEST, tolerance=1e-14))
    return found if found < FURTHEST else math.inf


def repeated_interval(
    difference: FloatLike, standard_error: FloatLike, nominal_p: FloatLike, *, df: FloatLike = np.inf
) -> ConfidenceSequence:
    """Bounds a difference at one look of a two-sided group sequential test.

    The interval excludes 0 exactly when the look's boundary is crossed, and over all looks together it misses with a
    probability of at most alpha, whether or not the experiment is stopped when it should be.

    Source: Jennison, Turnbull, "Interim analyses: the repeated confidence interval approach", JRSS B 51, 1989; with few
    degrees of freedom at the nominal level of t (their book of 2000, section 4.4).

    Args:
        difference: Treatment - control.
        standard_error: Its standard error, in the same unit.
        nominal_p: The look's, from `group_sequential` with two sides.
        df: Degrees of freedom of the standard error.

    Returns:
        Intervals of the arguments' common shape; unbounded where the look spends nothing. The p-value is NaN: after
        stopping it is `stage_wise`'s. NaN with a reason without any variance.

    >>> look = repeated_interval(3.0, 1.0, group_sequential(5).nominal_p[2])
    >>> round(float(look.lower), 4), round(float(look.upper), 4)
    (0.3197, 5.6803)
    """
    value, error, level, freedom = np.broadcast_arrays(
        floats(difference), floats(standard_error), floats(nominal_p), floats(df)
    )
    reason = explain(
        (np.isnan(value) | np.isnan(error), "the estimate or its standard error is unknown"),
        (error == 0, "the observations have no variance"),
        (~(freedom > 0), "the standard error has no degrees of freedom"),
    )
    known = reason == ""
    with np.errstate(all="ignore"):
        c = np.where(level > 0, -normal_quantile(level / 2), np.inf)
        half = np.where(known, t_from_normal(c, np.where(known, freedom, 1)) * error, np.nan)
    return ConfidenceSequence(value, value - half, value + half, np.full(half.shape, np.nan), reason)
