"""What a group sequential test has found once it is stopped: figures that allow for the looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, TextArray, check_share, explain, floats
from sortition.stats.roots import find_roots
from sortition.stats.sequential.group import GroupSequential
from sortition.stats.sequential.recursion import insides
from sortition.stats.sequential.scale import normal_from_t

__all__ = ["StageWise", "stage_wise"]

_MOST_DOUBLINGS = 40


@dataclass(frozen=True)
class StageWise:
    """Inference after stopping. Every array has the comparisons' shape.

    Attributes:
        p_value: Two-sided; one-sided where the plan is.
        median_unbiased: The estimate that is as often too large as too small, in the difference's unit.
        lower: The interval's lower end.
        upper: The interval's upper end.
        reason: Why figures are NaN; empty where none is.
    """

    p_value: FloatArray
    median_unbiased: FloatArray
    lower: FloatArray
    upper: FloatArray
    reason: TextArray


def stage_wise(
    plan: GroupSequential,
    difference: FloatLike,
    standard_error: FloatLike,
    *,
    look: int = -1,
    df: FloatLike = np.inf,
    confidence: float = 0.95,
) -> StageWise:
    """Returns p-value, interval and median-unbiased estimate of an experiment that was stopped at a look.

    Leaving upward counts as more extreme the earlier it is, and at the same look the further out; so the usual figures,
    too optimistic after stopping for success, are drawn toward 0.

    Source: Armitage 1957; Tsiatis, Rosner, Mehta, "Exact confidence intervals following a group sequential test",
    Biometrics 40, 1984; Jennison, Turnbull 2000, sections 8.3 to 8.5.

    Args:
        plan: The looks until then, at least.
        difference: Treatment - control at that look.
        standard_error: Its standard error then, in the same unit.
        look: Which look of the plan, from 0; the last one where -1.
        df: Degrees of freedom of the standard error; the statistic is carried over to the normal distribution.
        confidence: Of the interval, in (0, 1).

    Returns:
        Inference of the arguments' common shape. Valid when the experiment was stopped by the plan: a boundary was
        crossed at that look and not before, or it was the last.

    Raises:
        InvalidArgument: The confidence is outside (0, 1), or there is no such look.

    >>> from sortition.stats import group_sequential
    >>> found = stage_wise(group_sequential(5), 3.0, 1.0, look=2)
    >>> round(float(found.p_value), 4), round(float(found.median_unbiased), 2), round(float(found.lower), 2)
    (0.0031, 2.98, 1.01)
    """
    check_share("confidence", confidence)
    count = len(plan.information)
    if not -count <= look < count:
        raise InvalidArgument.of([("look", f"must be from 0 to {count - 1}, but is {look}")])
    last = look % count
    t, z = plan.information[: last + 1], plan.z[: last + 1]
    value, error, freedom = np.broadcast_arrays(floats(difference), floats(standard_error), floats(df))
    reason = explain(
        (np.isnan(value) | np.isnan(error), "the estimate or its standard error is unknown"),
        (error == 0, "the observations have no variance"),
        (~np.isfinite(value) | ~np.isfinite(error), "the estimate or its standard error is not a finite number"),
        (~(freedom > 0), "the standard error has no degrees of freedom"),
    )
    known = reason == ""
    with np.errstate(all="ignore"):
        raw = np.where(known, value / error, 0.0)
        score = normal_from_t(raw, np.where(known, freedom, 1))
        # What one standard error of the normal scale is worth, in the difference's unit.
        scale = error * np.where(np.abs(score) > 1e-8, raw / score, 1)
    before = insides(t, z, plan.sides)

    def exceeding(drift: FloatArray, place: FloatArray) -> FloatArray:
        """Returns the probability of leaving upward before, or of coming here and being at least as far up."""
        earlier = np.zeros(drift.shape)
        for inside, at, border in zip(before, t[:-1], z[:-1], strict=False):
            earlier = earlier + inside.above(float(at), border, drift)
        return np.asarray(earlier + before[-1].above(float(t[-1]), place, drift))

    def drift_at(probability: float) -> FloatArray:
        middle = score / np.sqrt(t[-1])
        low, high = middle - 1, middle + 1
        for _ in range(_MOST_DOUBLINGS):
            below, above = exceeding(low, score) < probability, exceeding(high, score) > probability
            if np.all(below & above):
                break
            low = np.where(below, low, middle - 2 * (middle - low))
            high = np.where(above, high, middle + 2 * (high - middle))
        return find_roots(lambda drift: exceeding(drift, score) - probability, low, high, tolerance=1e-12)

    with np.errstate(all="ignore"):
        still = np.zeros_like(score)
        p = exceeding(still, score)
        if plan.sides == 2:
            # Boundaries are symmetric: being further down is being further up from -z.
            p = np.minimum(1, 2 * np.minimum(p, exceeding(still, -score)))
        unit = np.sqrt(t[-1]) * scale
        tail = (1 - confidence) / 2
        lower, middle, upper = (drift_at(share) * unit for share in (tail, 0.5, 1 - tail))
    p, middle, lower, upper = (np.where(known, one, np.nan) for one in (p, middle, lower, upper))
    return StageWise(p, middle, lower, upper, reason)
