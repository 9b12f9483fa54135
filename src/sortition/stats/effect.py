"""Effect sizes: differences in units of a standard deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray, TextArray, explain
from sortition.stats.samples import Moments

__all__ = ["EffectSize", "cohens_d", "hedges_g"]


@dataclass(frozen=True)
class EffectSize:
    """Standardized differences, without unit.

    Attributes:
        value: Treatment - control, in pooled standard deviations.
        reason: Why it is NaN; empty where it is not.
    """

    value: FloatArray
    reason: TextArray


def cohens_d(control: Moments, treatment: Moments) -> EffectSize:
    """Returns (treatment - control) / the pooled standard deviation.

    Source: Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition, 1988, 2.5.1.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.

    Returns:
        Effects. NaN with a reason below two observations in an arm, or without any variance.

    >>> float(cohens_d(Moments.of(10, 0.0, 4.0), Moments.of(10, 1.0, 4.0)).value)
    0.5
    """
    with np.errstate(all="ignore"):
        weight = (control.n - 1) / (control.n + treatment.n - 2)
        variance = weight * control.variance + (1 - weight) * treatment.variance
        reason = explain(
            ((control.n < 2) | (treatment.n < 2), "an arm has fewer than 2 observations"),
            (variance == 0, "the observations have no variance"),
            (~np.isfinite(variance), "a variance is not a finite number"),
        )
        d = np.where(reason == "", (treatment.mean - control.mean) / np.sqrt(variance), np.nan)
    return EffectSize(d, reason)


def hedges_g(control: Moments, treatment: Moments) -> EffectSize:
    """Returns Cohen's d without its bias in small samples, by the exact correction.

    Source: Hedges, "Distribution theory for Glass's estimator of effect size and related estimators", Journal of
    Educational Statistics 6, 1981, equation 6e.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.

    Returns:
        Effects. NaN with a reason below two observations in an arm, or without any variance.

    >>> round(float(hedges_g(Moments.of(10, 0.0, 1.0), Moments.of(10, 1.0, 1.0)).value), 6)
    0.957646
    """
    effect = cohens_d(control, treatment)
    with np.errstate(all="ignore"):
        df = control.n + treatment.n - 2
        # Gamma(m/2) / Gamma((m-1)/2) as a rising factorial, which is accurate for any m.
        correction = special.poch((df - 1) / 2, 0.5) / np.sqrt(df / 2)
    return EffectSize(np.asarray(effect.value * correction), effect.reason)
