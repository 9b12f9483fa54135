"""The relative lift (treatment - control) / |control| with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, TextArray, check_share, explain, floats
from sortition.stats.distributions import critical

__all__ = ["RelativeLift", "relative_lift"]


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


class _Estimates(NamedTuple):
    """Two estimates with their errors, and the critical value of the interval; all of one shape."""

    control: FloatArray
    control_error: FloatArray
    treatment: FloatArray
    treatment_error: FloatArray
    critical: FloatArray

    @property
    def lift(self) -> FloatArray:
        return np.where(self.control != 0, (self.treatment - self.control) / np.abs(self.control), np.nan)

    @property
    def no_base(self) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.bool_]], str]:
        return self.control == 0, "the control is 0, so no change is relative to it"


def _delta(known: _Estimates) -> RelativeLift:
    """Deng, Knoblich, Lu 2018: variance (se_t² + (treatment/control)²·se_c²) / control²."""
    base = known.control
    spread = np.hypot(known.treatment_error / base, (known.treatment / base) * (known.control_error / base))
    half = known.critical * np.where(base != 0, spread, np.nan)
    reason = explain(known.no_base, (np.isnan(half), "an error is unknown"))
    return RelativeLift(known.lift, known.lift - half, known.lift + half, reason)


def _log(known: _Estimates) -> RelativeLift:
    """Katz et al. 1978: the interval of log(treatment/control) carried back."""
    base, value = known.control, known.treatment
    positive = (base > 0) & (value > 0)
    logarithm = np.where(positive, np.log(value) - np.log(base), np.nan)
    half = known.critical * np.hypot(known.control_error / base, known.treatment_error / value)
    reason = explain((~positive, "a logarithm needs estimates > 0"), (np.isnan(half), "an error is unknown"))
    return RelativeLift(known.lift, np.expm1(logarithm - half), np.expm1(logarithm + half), reason)


def _fieller(known: _Estimates) -> RelativeLift:
    """Fieller 1954: all ratios that the two estimates do not contradict."""
    base, value, z = known.control, known.treatment, known.critical
    share = (z * known.control_error / base) ** 2
    quotient = value / base
    half = (
        z
        / np.abs(base)
        * np.hypot(known.treatment_error * np.sqrt(np.maximum(1 - share, 0)), quotient * known.control_error)
    )
    bounded = share < 1
    sign = np.sign(base)
    # quotient / (1 - share) - 1 without the cancellation of a lift near 0.
    middle = ((value - base) / base + share) / (1 - share)
    ends = np.stack([(middle - half / (1 - share)) * sign, (middle + half / (1 - share)) * sign])
    ends = np.where(bounded, ends, np.nan)
    reason = explain(
        known.no_base,
        (np.isnan(share) | np.isnan(half), "an error is unknown"),
        (~bounded, "the control cannot be told from 0, so the relative change has no bounds"),
    )
    return RelativeLift(known.lift, ends.min(axis=0), ends.max(axis=0), reason)


def _countable(found: RelativeLift) -> RelativeLift:
    """Answers nothing where the lift itself is beyond all numbers: nothing can be said about where it lies then."""
    beyond = np.isinf(found.value)
    if not beyond.any():
        return found
    value, lower, upper = (np.where(beyond, np.nan, part) for part in (found.value, found.lower, found.upper))
    told = np.where(
        beyond & (found.reason == ""), "the control is so close to 0 that no number holds the lift", found.reason
    )
    return RelativeLift(value, lower, upper, told)


_METHODS: Mapping[str, Callable[[_Estimates], RelativeLift]] = {"delta": _delta, "log": _log, "fieller": _fieller}


def relative_lift(
    control: FloatLike,
    control_error: FloatLike,
    treatment: FloatLike,
    treatment_error: FloatLike,
    df: FloatLike = np.inf,
    confidence: float = 0.95,
    *,
    method: Literal["delta", "log", "fieller"] = "delta",
) -> RelativeLift:
    """Returns the lift of a treatment over a control, with an interval.

    - `delta`: symmetric around the lift; for a baseline far from 0 beside its error.
    - `log`: the interval of log(treatment/control) carried back; both estimates must be > 0.
    - `fieller`: honest also when the baseline is noisy. Where the control cannot be told from 0 no bounded interval
      exists: NaN with a reason.

    Source: delta: Deng, Knoblich, Lu 2018, arXiv 1803.06336, section 3.1; log: Katz, Baptista, Azen, Pike, "Obtaining
    confidence intervals for the risk ratio in cohort studies", Biometrics 34, 1978; Fieller: "Some problems in interval
    estimation", JRSS B 16, 1954.

    Args:
        control: The control's estimate.
        control_error: Its standard error.
        treatment: The treatment's estimate, independent of the control's.
        treatment_error: Its standard error.
        df: Degrees of freedom; infinite (the default) for the normal distribution.
        confidence: Of the interval, in (0, 1); 0.95.
        method: How the interval is made; "delta".

    Returns:
        Lifts of the arguments' common shape. NaN with a reason where there is no answer.

    Raises:
        InvalidArgument: The confidence is outside (0, 1), or there is no such method.

    >>> for method in ("delta", "log", "fieller"):
    ...     lift = relative_lift(10.0, 0.3, 12.0, 0.4, method=method)
    ...     print(round(float(lift.value), 6), round(float(lift.lower), 6), round(float(lift.upper), 6))
    0.2 0.094526 0.305474
    0.2 0.099028 0.310249
    0.2 0.098424 0.309902
    """
    check_share("confidence", confidence)
    interval = _METHODS.get(method)
    if interval is None:
        raise InvalidArgument.of([("method", f"{method!r} is unknown; use one of: {', '.join(_METHODS)}")])
    parts = (floats(part) for part in (control, control_error, treatment, treatment_error))
    with np.errstate(all="ignore"):
        return _countable(interval(_Estimates(*np.broadcast_arrays(*parts, critical(confidence, df)))))
