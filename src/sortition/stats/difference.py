"""The common result of every comparison of two estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.stats.arrays import FloatArray, TextArray, answered
from sortition.stats.distributions import critical, two_sided_p

__all__ = ["Difference", "compare", "welch_satterthwaite"]


@dataclass(frozen=True)
class Difference:
    """Treatments compared with controls. Every array has the comparisons' shape.

    Attributes:
        control: The control's estimate, in the metric's unit.
        control_error: Its standard error.
        treatment: The treatment's estimate.
        treatment_error: Its standard error.
        difference: Treatment - control.
        standard_error: The standard error of the difference that the interval is made of.
        df: Degrees of freedom; infinite for the normal distribution.
        statistic: What is referred to the t or normal distribution.
        p_value: Two-sided.
        lower: The interval's lower end.
        upper: The interval's upper end.
        reason: Why figures are NaN; empty where none is.
    """

    control: FloatArray
    control_error: FloatArray
    treatment: FloatArray
    treatment_error: FloatArray
    difference: FloatArray
    standard_error: FloatArray
    df: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    lower: FloatArray
    upper: FloatArray
    reason: TextArray


def welch_satterthwaite(
    control_error: FloatArray, control_df: FloatArray, treatment_error: FloatArray, treatment_df: FloatArray
) -> FloatArray:
    """Returns the degrees of freedom of a difference of two independent estimates (Satterthwaite 1946, Welch 1947).

    >>> one = np.float64(1)
    >>> round(float(welch_satterthwaite(one, np.float64(9), one, np.float64(9))), 9)
    18.0
    """
    with np.errstate(all="ignore"):
        # Shares of the variance and not variances: their squares neither underflow nor overflow.
        size = np.hypot(control_error, treatment_error)
        # Squared and not raised to a power, which NumPy rounds otherwise for one comparison than for several.
        share = np.square(control_error / size)
        other = np.square(treatment_error / size)
        return np.asarray(1 / (np.square(share) / control_df + np.square(other) / treatment_df))


def compare(
    control: FloatArray,
    control_error: FloatArray,
    treatment: FloatArray,
    treatment_error: FloatArray,
    df: FloatArray,
    confidence: float,
    reason: TextArray,
) -> Difference:
    """Returns the comparison of two estimates by their standard errors; NaN wherever there is a reason."""
    first, first_error, second, second_error = np.broadcast_arrays(control, control_error, treatment, treatment_error)
    known = answered(reason)
    with np.errstate(all="ignore"):
        difference = second - first
        error = np.where(known, np.hypot(first_error, second_error), np.nan)
        statistic = difference / error
        freedom = np.where(known, df, np.nan)
        half = critical(confidence, freedom) * error
    return Difference(
        control=first,
        control_error=first_error,
        treatment=second,
        treatment_error=second_error,
        difference=difference,
        standard_error=error,
        df=freedom,
        statistic=statistic,
        p_value=two_sided_p(statistic, freedom),
        lower=difference - half,
        upper=difference + half,
        reason=reason,
    )
