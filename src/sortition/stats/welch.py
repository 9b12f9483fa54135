"""The difference of two means of independent observations."""

from __future__ import annotations

import numpy as np

from sortition.stats.arrays import check_share, explain
from sortition.stats.difference import Difference, compare, welch_satterthwaite
from sortition.stats.samples import Moments

__all__ = ["welch_t"]


def welch_t(control: Moments, treatment: Moments, confidence: float = 0.95) -> Difference:
    """Compares means by Welch's t: unequal variances, Welch–Satterthwaite degrees of freedom.

    Valid only where observations are independent: one per unit. Where units repeat use `ratio_delta`.

    Source: Welch, "The generalization of Student's problem when several different population variances are involved",
    Biometrika 34, 1947.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.
        confidence: Of the interval, in (0, 1).

    Returns:
        Differences in the metric's unit. NaN with a reason below two observations in an arm, or without any variance.

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    The miles per gallon of American and Japanese cars (NIST/SEMATECH e-Handbook, 1.3.5.3):

    >>> test = welch_t(Moments.of(79, 30.48101, 6.10771**2), Moments.of(249, 20.14458, 6.41470**2))
    >>> round(float(test.statistic), 4), round(float(test.df), 3)
    (-12.9463, 136.875)
    """
    check_share("confidence", confidence)
    few_control, few_treatment = control.n < 2, treatment.n < 2
    with np.errstate(all="ignore"):
        control_error = np.where(few_control, np.nan, np.sqrt(control.variance / control.n))
        treatment_error = np.where(few_treatment, np.nan, np.sqrt(treatment.variance / treatment.n))
        df = welch_satterthwaite(control_error, control.n - 1, treatment_error, treatment.n - 1)
    reason = explain(
        (few_control, "the control has fewer than 2 observations"),
        (few_treatment, "the treatment has fewer than 2 observations"),
        ((control_error == 0) & (treatment_error == 0), "the observations have no variance"),
        (~np.isfinite(control_error) | ~np.isfinite(treatment_error), "a variance is not a finite number"),
    )
    return compare(
        np.where(control.n > 0, control.mean, np.nan),
        control_error,
        np.where(treatment.n > 0, treatment.mean, np.nan),
        treatment_error,
        df,
        confidence,
        reason,
    )
