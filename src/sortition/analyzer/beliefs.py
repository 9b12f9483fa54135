"""What is believed of a difference after the outcomes: Bayesian figures beside those that decide."""

from __future__ import annotations

import numpy as np

from sortition import stats
from sortition.analyzer.methods import Compared
from sortition.analyzer.result import Interval, Posterior
from sortition.model import Goal, Metric
from sortition.stats import Difference

__all__ = ["posteriors"]

_UNIFORM = 1.0
# So many standard errors wide, a normal prior moves no figure by more than rounding.
_WIDE = 1e9


def posteriors(metric: Metric, compared: Compared, mde: float, confidence: float) -> list[Posterior | None]:
    """Returns the posterior of each treatment's difference; None where there is none.

    Rates of independent outcomes have Beta priors; the difference of all other means has a normal one, declared
    relative to the control. Without a declared prior it is flat: uniform rates, or the limit of ever wider normal
    priors.

    Args:
        metric: The metric.
        compared: Its differences.
        mde: The minimum detectable effect, relative to the control.
        confidence: Of the credible interval.
    """
    if compared.counts is not None:
        return _of_rates(metric, compared, mde, confidence)
    return _of_means(metric, compared.difference, mde, confidence)


def _of_rates(metric: Metric, compared: Compared, mde: float, confidence: float) -> list[Posterior | None]:
    assert compared.counts is not None
    declared = metric.prior
    prior = (
        _UNIFORM if declared is None or declared.successes is None else declared.successes,
        _UNIFORM if declared is None or declared.failures is None else declared.failures,
    )
    control, treatment = compared.counts
    base = compared.difference.control
    found = stats.beta_binomial(
        control, treatment, prior, confidence=confidence, practical=_practical(base, mde),
        maximize=metric.goal is Goal.MAXIMIZE,
    )  # fmt: skip
    text = "uniform rates" if prior == (_UNIFORM, _UNIFORM) else f"rates Beta({prior[0]:g}, {prior[1]:g})"
    return _listed(found, text)


def _of_means(metric: Metric, difference: Difference, mde: float, confidence: float) -> list[Posterior | None]:
    base, error = np.abs(difference.control), difference.standard_error
    known = (error > 0) & np.isfinite(error) & np.isfinite(base)
    declared = metric.prior
    if declared is None or declared.sd is None:
        text, centers, widths = "flat", np.zeros_like(base), _WIDE * error
    else:
        mean, sd = declared.mean or 0.0, declared.sd
        text, centers, widths = f"relative difference N({mean:g}, {sd:g})", mean * base, sd * base
        # Relative to a control of 0 nothing is believed.
        known &= base > 0
    found = stats.normal_normal(
        difference.difference, np.where(known, error, np.nan),
        np.where(known, centers, 0.0), np.where(known, widths, 1.0),
        confidence=confidence, practical=_practical(base, mde), maximize=metric.goal is Goal.MAXIMIZE,
    )  # fmt: skip
    return _listed(found, text)


def _practical(base: stats.FloatArray, mde: float) -> stats.FloatArray:
    return np.where(np.isfinite(base), np.abs(base) * mde, 0.0)


def _listed(found: stats.Posterior, prior: str) -> list[Posterior | None]:
    figures = zip(
        found.chance_to_beat.tolist(),
        found.expected_lift.tolist(),
        found.expected_loss.tolist(),
        found.lower.tolist(),
        found.upper.tolist(),
        found.chance_of_practical.tolist(),
        strict=True,
    )
    return [
        None if np.isnan(chance) else Posterior(chance, lift, loss, Interval(lower, upper), practical, prior)
        for chance, lift, loss, lower, upper, practical in figures
    ]
