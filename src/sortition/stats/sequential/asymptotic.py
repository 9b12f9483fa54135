"""Confidence sequences of whatever has an estimate and a standard error."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy import special

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, answered, check_share, explain, floats
from sortition.stats.sequential.scale import normal_from_t, t_from_normal
from sortition.stats.sequential.sequence import ConfidenceSequence

__all__ = ["Side", "asymptotic_cs", "boundary", "positive", "tuned"]

Side = Literal["both", "lower", "upper"]
_SIDES = ("both", "lower", "upper")
_NEWTON_STEPS = 20
"""Newton's method takes about five."""


def tuned(alpha: float) -> float:
    """Returns the n·ρ² at which the two-sided interval is as short as it can be beside the standard error.

    It solves ln((x + 1)/α²) = x, hence x = -1 - W₋₁(-α²/e) (Waudby-Smith et al., arXiv 2103.06476, section B.2).

    >>> round(tuned(0.05), 6), round(math.log((tuned(0.05) + 1) / 0.05**2), 6)
    (8.211968, 8.211968)
    """
    # W₋₁ loses its argument below 1e-308; there ln(x + 1) hardly moves x and the equation is its own best step.
    square = alpha * alpha / math.e
    found = -1 - float(special.lambertw(-square, -1).real) if square > 1e-300 else -2 * math.log(alpha)
    for _ in range(4):
        found = math.log1p(found) - 2 * math.log(alpha)
    return found


def boundary(spread: FloatLike, alpha: FloatLike, *, two_sided: bool = True) -> FloatArray:
    """Returns how many standard errors the interval reaches from the estimate.

    Args:
        spread: n·ρ², > 0.
        alpha: In (0, 1).
        two_sided: Whether both ends are bounded, or one.

    >>> float(boundary(tuned(0.05), 0.05).round(4))
    3.0351
    """
    x, level = floats(spread), floats(alpha)
    with np.errstate(all="ignore"):
        needed = np.log1p(x) / 2 - np.log(level)
        u = np.sqrt(2 * needed) if two_sided else _one_sided(needed - math.log(2))
        return np.asarray(np.sqrt((x + 1) / x) * u)


def _one_sided(needed: FloatArray) -> FloatArray:
    """Returns the u with u²/2 + ln Φ(u) = needed, by Newton's method from above: the left side is convex and rises."""
    u = np.sqrt(2 * needed + 2)
    for _ in range(_NEWTON_STEPS):
        log_below = special.log_ndtr(u)
        slope = u + np.exp(-(u**2) / 2 - log_below) / math.sqrt(2 * math.pi)
        step = (u**2 / 2 + log_below - needed) / slope
        u = u - step
        if np.all(~(np.abs(step) > 1e-15 * np.abs(u))):
            break
    return floats(u)


def asymptotic_cs(
    difference: FloatLike,
    standard_error: FloatLike,
    n: FloatLike,
    *,
    alpha: float = 0.05,
    planned_n: FloatLike | None = None,
    rho: FloatLike | None = None,
    df: FloatLike = np.inf,
    side: Side = "both",
) -> ConfidenceSequence:
    """Bounds a difference at every look, whatever the outcomes' distribution, once there are enough of them.

    The half-width is √(2(nρ²+1)/(nρ²) · ln(√(nρ²+1)/α)) standard errors; with σ̂ = error·√n that is the paper's. ρ
    decides where the interval is shortest, not whether it holds, as long as it is fixed before the outcomes are seen.
    Like the central limit theorem the guarantee is asymptotic: start looking when the estimate is about normal.

    Where the standard error itself is estimated with few degrees of freedom, the normal bound is carried over to
    Student's t at the same tail probability (the significance-level approach, Jennison, Turnbull, "Group Sequential
    Methods with Applications to Clinical Trials", 2000, section 4.4).

    Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic confidence
    sequences", Annals of Statistics 52, 2024, arXiv 2103.06476, theorem 2.2; one-sided the mixture over positive
    differences alone of Howard, Ramdas, McAuliffe, Sekhon, Annals of Statistics 49, 2021, proposition 6.

    Args:
        difference: Treatment - control, or anything else that is to be compared with 0.
        standard_error: Its standard error, in the same unit.
        n: Units or observations that it is made of, over both arms.
        alpha: The probability that the interval ever misses, in (0, 1); at most 0.5 with one side.
        planned_n: The n at which the interval shall be shortest, > 0. Give it or `rho`.
        rho: The paper's ρ, > 0.
        df: Degrees of freedom of the standard error; infinite when it is as good as known.
        side: Which end is bounded. "lower" tests that there is no increase, "upper" that there is no decrease.

    Returns:
        Sequences of the arguments' common shape. NaN with a reason without observations or without any variance.

    Raises:
        InvalidArgument: Alpha is outside (0, 1), not exactly one of `planned_n` and `rho` is given or it is not > 0, or
            there is no such side.

    >>> look = asymptotic_cs(0.05, 0.01, 10_000, planned_n=10_000)
    >>> round(float(look.lower), 5), round(float(look.upper), 5), round(float(look.p_value), 6)
    (0.01965, 0.08035, 4.4e-05)

    With sixteen groups of units in each arm the standard error is less certain:

    >>> round(float(asymptotic_cs(0.05, 0.01, 10_000, planned_n=10_000, df=30).lower), 5)
    0.01685
    """
    check_share("alpha", alpha)
    if side != "both" and alpha > 0.5:
        raise InvalidArgument.of([("alpha", f"must be at most 0.5 with one side, but is {alpha}")])
    if side not in _SIDES:
        raise InvalidArgument.of([("side", f"is {side!r}; use one of: {', '.join(_SIDES)}")])
    value, error, held, freedom = np.broadcast_arrays(floats(difference), floats(standard_error), floats(n), floats(df))
    level = alpha if side == "both" else min(2 * alpha, 0.999)
    spread = held * _per_observation(planned_n, rho, level)
    reason = explain(
        (~(held > 0), "there are no observations"),
        (np.isnan(value) | np.isnan(error), "the estimate or its standard error is unknown"),
        (error == 0, "the observations have no variance"),
        (~np.isfinite(value) | ~np.isfinite(error), "the estimate or its standard error is not a finite number"),
        (~(freedom > 0), "the standard error has no degrees of freedom"),
    )
    known = answered(reason)
    with np.errstate(all="ignore"):
        c = boundary(np.where(known, spread, 1), alpha, two_sided=side == "both")
        half = np.where(known, t_from_normal(c, np.where(known, freedom, 1)) * error, np.nan)
        statistic = np.where(known, value / error, np.nan)
        p = _p_value(normal_from_t(statistic, np.where(known, freedom, 1)), spread, side)
    open_end = np.where(known, np.inf, np.nan)
    return ConfidenceSequence(
        estimate=value,
        lower=-open_end if side == "upper" else value - half,
        upper=open_end if side == "lower" else value + half,
        p_value=np.where(known, p, np.nan),
        reason=reason,
    )


def _per_observation(planned_n: FloatLike | None, rho: FloatLike | None, alpha: float) -> FloatArray:
    """Returns ρ²."""
    if planned_n is not None and rho is None:
        return tuned(alpha) / positive("planned_n", planned_n)
    if rho is not None and planned_n is None:
        return positive("rho", rho) ** 2
    raise InvalidArgument.of([("planned_n", "give either planned_n or rho, fixed before the outcomes are seen")])


def positive(name: str, value: FloatLike) -> FloatArray:
    """Returns a number or numbers as float64.

    Raises:
        InvalidArgument: One is not finite and > 0.
    """
    given = floats(value)
    if not np.all((given > 0) & np.isfinite(given)):
        raise InvalidArgument.of([(name, f"must be a finite number > 0, but is {given.tolist()}")])
    return given


def _p_value(z: FloatArray, spread: FloatArray, side: Side) -> FloatArray:
    """Returns the alpha at which `boundary` is |z|, on the bounded side: the mixture's reciprocal."""
    exponent = z**2 * (spread / (spread + 1)) / 2
    if side == "both":
        return np.asarray(np.minimum(1, np.exp(np.log1p(spread) / 2 - exponent)))
    u = (z if side == "lower" else -z) * np.sqrt(spread / (spread + 1))
    p = np.exp(np.log1p(spread) / 2 - exponent - special.log_ndtr(np.maximum(u, 0))) / 2
    return np.asarray(np.where(u > 0, np.minimum(1, p), np.where(np.isnan(u), np.nan, 1.0)))
