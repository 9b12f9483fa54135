"""Compares every treatment with the control on every metric, and corrects for how many questions that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sortition.analyzer.always_valid import ASYMPTOTIC, Sequences, confidence_sequences, planned_share
from sortition.analyzer.beliefs import posteriors
from sortition.analyzer.methods import Compared, method_for
from sortition.analyzer.periods import compare_by_period, effective_observations, has_periods
from sortition.analyzer.policies import Deciding, Policy
from sortition.analyzer.result import AlwaysValid, Comparison, Interval
from sortition.analyzer.sample import Sample, units_may_repeat
from sortition.model import Correction, Goal, Metric, MetricKind, MetricRole
from sortition.stats import (
    ConfidenceSequence,
    Difference,
    FloatArray,
    FloatLike,
    Moments,
    QuantileDifference,
    RelativeLift,
    asymptotic_cs,
    benjamini_hochberg,
    chance_to_beat,
    cohens_d,
    holm,
    quantile_difference,
    relative_lift,
)
from sortition.stats.distributions import critical

__all__ = ["QUANTILE_DIFFERENCE", "MetricComparison", "compare_metric", "corrected"]

QUANTILE_DIFFERENCE = "quantile_difference"


@dataclass(frozen=True)
class MetricComparison:
    """One metric compared: arrays have the shape (treatments,).

    Attributes:
        metric: The metric.
        control: The control's sample.
        treatments: The treatments' samples.
        compared: The differences of means at a single look, and how they were made.
        relative: The same, relative to the control.
        sequences: What is valid at every look.
        deciding: The figures that decide under the experiment's policy.
        policy: That policy.
    """

    metric: Metric
    control: Sample
    treatments: tuple[Sample, ...]
    compared: Compared
    relative: RelativeLift
    sequences: Sequences
    deciding: Deciding
    policy: Policy

    @property
    def difference(self) -> Difference:
        """The differences of means at a single look."""
        return self.compared.difference

    @property
    def methods(self) -> tuple[str, ...]:
        """How each treatment was compared at a single look."""
        return self.compared.methods

    def means(self) -> list[Comparison]:
        """Returns the comparisons of means, not yet corrected."""
        maximize = self.metric.goal is Goal.MAXIMIZE
        found, effects, deciding = self.difference, self._effects(), self.deciding
        beliefs = posteriors(self.metric, self.compared, self.policy.decision.mde, self.policy.confidence)
        reduction = self.compared.variance_reduction
        return [
            Comparison(
                variant=sample.variant,
                metric=self.metric.name,
                method=_named(self.methods[index], deciding.how[index]),
                difference=float(found.difference[index]),
                interval=_interval(deciding.lower[index], deciding.upper[index]),
                relative=float(self.relative.value[index]),
                relative_interval=_interval(deciding.relative_lower[index], deciding.relative_upper[index]),
                p_value=float(deciding.p_value[index]),
                df=_finite(found.df[index]),
                effect_size=float(effects[index]),
                chance_to_beat=math.nan if belief is None else belief.chance_to_beat,
                improvement=_improves(float(found.difference[index]), maximize),
                reason=str(found.reason[index]) or str(self.relative.reason[index]),
                posterior=belief,
                always_valid=_always_valid(
                    self.sequences.methods[index], self.sequences.difference, self.sequences.relative, index
                ),
                variance_reduction=math.nan if reduction is None else float(reduction[index]),
                standard_error=float(found.standard_error[index]),
            )
            for index, (sample, belief) in enumerate(zip(self.treatments, beliefs, strict=True))
        ]

    def quantiles(self) -> list[Comparison]:
        """Returns the comparisons of the metric's quantiles, not yet corrected."""
        wanted = self.metric.reported_quantiles
        if not wanted:
            return []
        clustered = units_may_repeat((self.control, *self.treatments))
        control, confidence = self.control.bins, self.policy.confidence
        return [
            comparison
            for index, sample in enumerate(self.treatments)
            for comparison in self._of_quantiles(
                sample.variant,
                wanted,
                quantile_difference(control, sample.bins, wanted, clustered=clustered, confidence=confidence),
                float(self.sequences.progress[index]),
            )
        ]

    def _of_quantiles(
        self, variant: str, wanted: tuple[float, ...], found: QuantileDifference, progress: float
    ) -> list[Comparison]:
        maximize = self.metric.goal is Goal.MAXIMIZE
        confidence = self.policy.confidence
        # The statistic is the difference in units of the error that its own interval is made of.
        chances = chance_to_beat(found.statistic, np.ones_like(found.statistic), maximize=maximize)
        df = _degrees(found.df)
        lift = relative_lift(found.control, found.control_error, found.treatment, found.treatment_error, df, confidence)
        alpha, error = self.policy.alpha, np.hypot(found.control_error, found.treatment_error)
        error = np.where(found.reason == "", error, np.nan)
        sequence = asymptotic_cs(found.difference, error, progress, planned_n=1.0, alpha=alpha, df=df)
        relative = asymptotic_cs(lift.value, _spread(lift, df, confidence), progress, planned_n=1.0, alpha=alpha, df=df)
        single = Deciding(("",) * len(wanted), found.lower, found.upper, lift.lower, lift.upper, found.p_value)
        shown = self.policy.informing(
            single,
            Sequences(
                (ASYMPTOTIC,) * len(wanted),
                sequence,
                relative,
                np.full(len(wanted), progress),
                error,
                np.ones(len(wanted)),
            ),
        )
        return [
            Comparison(
                variant=variant,
                metric=self.metric.name,
                method=_named(QUANTILE_DIFFERENCE, shown.how[index]),
                quantile=q,
                difference=float(found.difference[index]),
                interval=_interval(shown.lower[index], shown.upper[index]),
                relative=float(lift.value[index]),
                relative_interval=_interval(shown.relative_lower[index], shown.relative_upper[index]),
                p_value=float(shown.p_value[index]),
                df=_finite(found.df[index]),
                chance_to_beat=float(chances[index]),
                improvement=_improves(float(found.difference[index]), maximize),
                reason=str(found.reason[index]) or str(lift.reason[index]),
                always_valid=_always_valid(ASYMPTOTIC, sequence, relative, index),
                standard_error=float(error[index]),
            )
            for index, q in enumerate(wanted)
        ]

    def _effects(self) -> FloatArray:
        if self.metric.kind is MetricKind.RATIO:
            # The observations of a ratio are numerators: their spread says nothing about the ratio's.
            return np.full(len(self.treatments), np.nan)
        moments = [sample.moments for sample in self.treatments]
        together = Moments.of(
            [one.n for one in moments], [one.mean for one in moments], [one.variance for one in moments]
        )
        found = cohens_d(self.control.moments, together).value
        if not has_periods(self.control, self.treatments):
            return found
        # The difference is that within periods; only its unit, the spread of observations, is of all of them.
        with np.errstate(all="ignore"):
            crude = together.mean - self.control.moments.mean
            return np.asarray(np.where(crude == 0, np.nan, found / crude * self.difference.difference))


def compare_metric(metric: Metric, control: Sample, treatments: tuple[Sample, ...], policy: Policy) -> MetricComparison:
    """Compares the treatments with the control on one metric, as the policy wants it."""
    periods = has_periods(control, treatments)
    method = compare_by_period if periods else method_for(metric, (control, *treatments))
    compared = method(control, treatments, policy.confidence)
    difference = compared.difference
    df = _degrees(difference.df)
    relative = relative_lift(
        difference.control,
        difference.control_error,
        difference.treatment,
        difference.treatment_error,
        df,
        policy.confidence,
    )
    unknown = difference.reason != ""
    relative = replace(
        relative,
        lower=np.where(unknown, np.nan, relative.lower),
        upper=np.where(unknown, np.nan, relative.upper),
    )
    planned = np.maximum([policy.planned_units(control.variant, one.variant) for one in treatments], 2)
    sequences = confidence_sequences(
        compared,
        relative,
        _spread(relative, df, policy.confidence),
        planned_share(control, treatments, planned),
        planned,
        _effective(control, treatments) if periods else (_observations([control]), _observations(treatments)),
        policy.alpha,
    )
    deciding = policy.deciding(metric, difference, relative, sequences)
    return MetricComparison(metric, control, treatments, compared, relative, sequences, deciding, policy)


def corrected(
    comparisons: list[Comparison], roles: dict[str, MetricRole], alpha: float, correction: Correction = Correction.HOLM
) -> tuple[Comparison, ...]:
    """Fills in the corrected p-values and what they say.

    Three families: the means of the primary metric (as declared, Holm by default: they decide), the means of guardrails
    (Holm), and everything that only informs: the means of secondary metrics and all quantiles (Benjamini–Hochberg).
    """
    rules = {
        MetricRole.PRIMARY: _CORRECTIONS[correction],
        MetricRole.GUARDRAIL: holm,
        MetricRole.SECONDARY: benjamini_hochberg,
    }

    def family(comparison: Comparison) -> MetricRole:
        return roles[comparison.metric] if comparison.quantile is None else MetricRole.SECONDARY

    adjusted = np.full(len(comparisons), np.nan)
    for role in MetricRole:
        members = [index for index, comparison in enumerate(comparisons) if family(comparison) is role]
        adjusted[members] = rules[role]([comparisons[index].p_value for index in members])
    return tuple(
        replace(comparison, p_adjusted=float(p), significant=bool(p < alpha))
        for comparison, p in zip(comparisons, adjusted, strict=True)
    )


def _same(p_values: FloatLike) -> FloatArray:
    return np.asarray(p_values, dtype=np.float64)


_CORRECTIONS: dict[Correction, Callable[[FloatLike], FloatArray]] = {
    Correction.HOLM: holm,
    Correction.BENJAMINI_HOCHBERG: benjamini_hochberg,
    Correction.NONE: _same,
}


def _named(method: str, how: str) -> str:
    return f"{method}, {how}" if how else method


def _observations(samples: Sequence[Sample]) -> FloatArray:
    """Returns how many observations means are made of; of ratios the sums of denominators."""
    return np.array([sample.buckets.denominator.sum() for sample in samples], dtype=np.float64)


def _effective(control: Sample, treatments: Sequence[Sample]) -> tuple[FloatArray, FloatArray]:
    """Returns the same of means over periods: as many observations as would make them as certain."""
    found = np.array([effective_observations(control, one) for one in treatments])
    return found[:, 0], found[:, 1]


def _spread(lift: RelativeLift, df: FloatArray, confidence: float) -> FloatArray:
    """Returns the standard errors of lifts."""
    return np.asarray((lift.upper - lift.lower) / 2 / critical(confidence, df))


def _always_valid(
    method: str, found: ConfidenceSequence, relative: ConfidenceSequence, index: int
) -> AlwaysValid | None:
    if math.isnan(found.p_value[index]):
        return None
    return AlwaysValid(
        method=method,
        interval=_interval(found.lower[index], found.upper[index]),
        relative_interval=_interval(relative.lower[index], relative.upper[index]),
        p_value=float(found.p_value[index]),
    )


def _interval(lower: float, upper: float) -> Interval:
    return Interval(float(lower), float(upper))


def _degrees(df: FloatArray) -> FloatArray:
    """Degrees of freedom where there are some; elsewhere nothing depends on them."""
    return np.where(np.isnan(df), np.inf, df)


def _finite(df: float) -> float:
    return float(df) if math.isfinite(df) else math.nan


def _improves(difference: float, maximize: bool) -> bool:
    return difference > 0 if maximize else difference < 0
