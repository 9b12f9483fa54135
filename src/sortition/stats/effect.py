"""Effect sizes: differences in units of a standard deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray, TextArray, explain
from sortition.stats.samples import Moments

__all__ = ["EffectSize", "cohens_d"]


@dataclass(frozen=True)
class EffectSize:
    """Standardized differences, without unit.

    Attributes:
        d: Cohen's d.
        g: Hedges' g: d without its bias in small samples.
        reason: Why they are NaN; empty where they are not.
    """

    d: FloatArray
    g: FloatArray
    reason: TextArray


def cohens_d(control: Moments, treatment: Moments) -> EffectSize:
    """Returns (treatment - control) / the pooled standard deviation.

    Source: Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition, 1988, 2.5.1; Hedges,
    "Distribution
    theory for Glass's estimator of effect size", Journal of Educational Statistics 6, 1981, with the exact correction.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.

    >>> effect = cohens_d(Moments.of(10, 0.0, 1.0), Moments.of(10, 1.0, 1.0))
    >>> round(float(effect.d), 6), round(float(effect.g), 6)
    (1.0, 0.957646)
    """
    with np.errstate(all="ignore"):
        df = control.n + treatment.n - 2
        weight = (control.n - 1) / df
        variance = weight * control.variance + (1 - weight) * treatment.variance
        reason = explain(
            ((control.n < 2) | (treatment.n < 2), "an arm has fewer than 2 observations"),
            (variance == 0, "the observations have no variance"),
        )
        d = np.where(reason == "", (treatment.mean - control.mean) / np.sqrt(variance), np.nan)
        # Gamma(m/2) / Gamma((m-1)/2) as a rising factorial, which is accurate for any m.
        correction = special.poch((df - 1) / 2, 0.5) / np.sqrt(df / 2)
    return EffectSize(d, np.asarray(d * correction), reason)
