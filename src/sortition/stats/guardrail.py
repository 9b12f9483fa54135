"""Whether a treatment is worse than the control by more than a margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.stats.arrays import FloatArray, FloatLike, TextArray, explain, floats
from sortition.stats.distributions import t_cdf

__all__ = ["NonInferiority", "non_inferiority"]


@dataclass(frozen=True)
class NonInferiority:
    """Treatments beside the worst value that a margin still tolerates.

    Attributes:
        reserve: How far the treatment is on the good side of the worst tolerated value, in the metric's unit; negative
            beyond it.
        error: Its standard error.
        p_broken: One-sided, for "worse by at most the margin": small when the margin is exceeded.
        p_kept: One-sided, for "worse by at least the margin": small when the treatment is shown to be non-inferior.
        reason: Why figures are NaN; empty where none is.
    """

    reserve: FloatArray
    error: FloatArray
    p_broken: FloatArray
    p_kept: FloatArray
    reason: TextArray


def non_inferiority(
    control: FloatLike,
    control_error: FloatLike,
    treatment: FloatLike,
    treatment_error: FloatLike,
    df: FloatLike,
    margin: FloatLike,
    *,
    maximize: bool = True,
) -> NonInferiority:
    """Tests treatment against control - margin·|control| (control + margin·|control| where smaller is better).

    The margin is relative to the estimated control, so its error counts with the factor (1 - margin·sign): a linear
    contrast, which needs no division and stands a baseline of 0.

    Source: Laster, Johnson, "Non-inferiority trials: the 'at least as good as' criterion", Statistics in Medicine 22,
    2003.

    Args:
        control: The control's estimate.
        control_error: Its standard error.
        treatment: The treatment's estimate.
        treatment_error: Its standard error.
        df: Degrees of freedom; infinite for the normal distribution.
        margin: The relative worsening that is still tolerated, in [0, 1).
        maximize: Whether larger is better.

    >>> test = non_inferiority(0.90, 0.01, 0.85, 0.01, np.inf, 0.01)
    >>> round(float(test.reserve), 6), round(float(test.p_broken), 6)
    (-0.041, 0.001786)
    """
    base, value, tolerated = floats(control), floats(treatment), floats(margin)
    toward = 1.0 if maximize else -1.0
    with np.errstate(all="ignore"):
        reserve = toward * (value - base) + tolerated * np.abs(base)
        weight = 1 - toward * tolerated * np.sign(base)
        error = np.hypot(floats(treatment_error), weight * floats(control_error))
        reason = explain(
            (np.isnan(reserve) | np.isnan(error), "an estimate or its error is unknown"), (error == 0, "no variance")
        )
        statistic = np.where(reason == "", reserve / error, np.nan)
    return NonInferiority(reserve, error, t_cdf(statistic, df), t_cdf(-statistic, df), reason)
