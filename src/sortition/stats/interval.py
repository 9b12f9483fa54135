"""The interval of one mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, TextArray, check_share, explain
from sortition.stats.distributions import critical
from sortition.stats.samples import Moments

__all__ = ["ConfidenceInterval", "confidence_interval"]


@dataclass(frozen=True)
class ConfidenceInterval:
    """Means with their intervals. Every array has the moments' shape.

    Attributes:
        estimate: The mean, in the metric's unit; NaN without observations.
        standard_error: Its standard error.
        df: Degrees of freedom; infinite for the normal distribution.
        lower: The interval's lower end.
        upper: Its upper end.
        reason: Why figures are NaN; empty where none is.
    """

    estimate: FloatArray
    standard_error: FloatArray
    df: FloatArray
    lower: FloatArray
    upper: FloatArray
    reason: TextArray


def confidence_interval(
    moments: Moments, confidence: float = 0.95, *, distribution: Literal["t", "normal"] = "t"
) -> ConfidenceInterval:
    """Returns the parametric interval of a mean of independent observations.

    Source: Student, "The probable error of a mean", Biometrika 6, 1908; NIST/SEMATECH e-Handbook, 1.3.5.2.

    Args:
        moments: The observations.
        confidence: Of the interval, in (0, 1); 0.95.
        distribution: "t" (the default), or "normal" where the standard deviation is known or n is large.

    Returns:
        Intervals in the metric's unit. NaN with a reason below two observations; of width 0 without variance.

    Raises:
        InvalidArgument: The confidence is outside (0, 1), or there is no such distribution.

    The heat flow meter of NIST/SEMATECH e-Handbook 1.3.5.2 (ZARR13):

    >>> found = confidence_interval(Moments.of(195, 9.261460, 0.2278881e-01**2))
    >>> round(float(found.lower), 5), round(float(found.upper), 5)
    (9.25824, 9.26468)
    """
    check_share("confidence", confidence)
    if distribution not in ("t", "normal"):
        raise InvalidArgument.of([("distribution", f"{distribution!r} is unknown; use one of: t, normal")])
    reason = explain(
        (~(moments.n >= 2), "fewer than 2 observations"),
        (~(np.isfinite(moments.variance) & (moments.variance >= 0)), "the variance is not a finite number >= 0"),
    )
    known = reason == ""
    with np.errstate(all="ignore"):
        error = np.where(known, np.sqrt(moments.variance / moments.n), np.nan)
        df = np.where(known, moments.n - 1 if distribution == "t" else np.inf, np.nan)
        half = critical(confidence, df) * error
    estimate = np.where(moments.n > 0, moments.mean, np.nan)
    return ConfidenceInterval(estimate, error, df, estimate - half, estimate + half, reason)
