"""The relative lift (treatment - control) / |control| with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.stats.arrays import FloatArray, FloatLike, TextArray, check_share, explain, floats
from sortition.stats.distributions import critical

__all__ = ["RelativeLift", "fieller", "relative_delta", "relative_log"]


@dataclass(frozen=True)
class RelativeLift:
    """Relative lifts; 0.05 stands for 5 %.

    Attributes:
        value: (treatment - control) / |control|.
        lower: The interval's lower end.
        upper: The interval's upper end.
        reason: Why figures are NaN; empty where none is.
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    reason: TextArray


def _lift(control: FloatArray, treatment: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.where(control != 0, (treatment - control) / np.abs(control), np.nan)


def relative_delta(
    control: FloatLike,
    control_error: FloatLike,
    treatment: FloatLike,
    treatment_error: FloatLike,
    df: FloatLike = np.inf,
    confidence: float = 0.95,
) -> RelativeLift:
    """Returns the lift with its delta-method interval: variance (se_t² + (treatment/control)²·se_c²) / control².

    Source: Deng, Knoblich, Lu 2018, arXiv 1803.06336, section 3.1. For a baseline far from 0 beside its error.

    Args:
        control: The control's estimate.
        control_error: Its standard error.
        treatment: The treatment's estimate.
        treatment_error: Its standard error.
        df: Degrees of freedom; infinite for the normal distribution.
        confidence: Of the interval, in (0, 1).

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    >>> lift = relative_delta(10.0, 0.3, 12.0, 0.4)
    >>> round(float(lift.value), 6), round(float(lift.lower), 6), round(float(lift.upper), 6)
    (0.2, 0.094526, 0.305474)
    """
    check_share("confidence", confidence)
    base, error, value, other = (floats(part) for part in (control, control_error, treatment, treatment_error))
    lift = _lift(base, value)
    with np.errstate(all="ignore"):
        spread = np.hypot(other / base, (value / base) * (error / base))
        half = critical(confidence, df) * np.where(np.isnan(lift), np.nan, spread)
    reason = explain(
        (base == 0, "the control is 0, so no change is relative to it"), (np.isnan(half), "an error is unknown")
    )
    return RelativeLift(lift, lift - half, lift + half, reason)


def relative_log(
    control: FloatLike,
    control_error: FloatLike,
    treatment: FloatLike,
    treatment_error: FloatLike,
    df: FloatLike = np.inf,
    confidence: float = 0.95,
) -> RelativeLift:
    """Returns the lift with the interval of log(treatment/control) carried back; both must be > 0.

    Source: Katz, Baptista, Azen, Pike, "Obtaining confidence intervals for the risk ratio in cohort studies",
    Biometrics 34, 1978.

    Args:
        control: The control's estimate.
        control_error: Its standard error.
        treatment: The treatment's estimate.
        treatment_error: Its standard error.
        df: Degrees of freedom; infinite for the normal distribution.
        confidence: Of the interval, in (0, 1).

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    >>> lift = relative_log(10.0, 0.3, 12.0, 0.4)
    >>> round(float(lift.lower), 6), round(float(lift.upper), 6)
    (0.099028, 0.310249)
    """
    check_share("confidence", confidence)
    base, error, value, other = (floats(part) for part in (control, control_error, treatment, treatment_error))
    positive = (base > 0) & (value > 0)
    with np.errstate(all="ignore"):
        logarithm = np.where(positive, np.log(value) - np.log(base), np.nan)
        half = critical(confidence, df) * np.hypot(error / base, other / value)
    reason = explain((~positive, "a logarithm needs estimates > 0"), (np.isnan(half), "an error is unknown"))
    return RelativeLift(_lift(base, value), np.expm1(logarithm - half), np.expm1(logarithm + half), reason)


def fieller(
    control: FloatLike,
    control_error: FloatLike,
    treatment: FloatLike,
    treatment_error: FloatLike,
    df: FloatLike = np.inf,
    confidence: float = 0.95,
) -> RelativeLift:
    """Returns the lift with Fieller's interval, which stays honest when the baseline is noisy.

    Source: Fieller, "Some problems in interval estimation", JRSS B 16, 1954.

    Args:
        control: The control's estimate.
        control_error: Its standard error.
        treatment: The treatment's estimate.
        treatment_error: Its standard error.
        df: Degrees of freedom; infinite for the normal distribution.
        confidence: Of the interval, in (0, 1).

    Returns:
        Lifts. Where the control cannot be told from 0 no bounded interval exists: NaN with a reason.

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    >>> lift = fieller(10.0, 0.3, 12.0, 0.4)
    >>> round(float(lift.lower), 6), round(float(lift.upper), 6)
    (0.098424, 0.309902)
    """
    check_share("confidence", confidence)
    base, error, value, other = (floats(part) for part in (control, control_error, treatment, treatment_error))
    with np.errstate(all="ignore"):
        z = critical(confidence, df)
        share = (z * error / base) ** 2
        center = (value / base) / (1 - share)
        half = z / np.abs(base) / (1 - share) * np.sqrt(other**2 * (1 - share) + (value / base) ** 2 * error**2)
        bounded = share < 1
        sign = np.sign(base)
        ends = np.stack(np.broadcast_arrays((center - half - 1) * sign, (center + half - 1) * sign))
        ends = np.where(bounded, ends, np.nan)
    reason = explain(
        (base == 0, "the control is 0, so no change is relative to it"),
        (~bounded, "the control cannot be told from 0, so the relative change has no bounds"),
    )
    return RelativeLift(_lift(base, value), ends.min(axis=0), ends.max(axis=0), reason)
