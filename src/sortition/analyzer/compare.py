"""Compares every treatment with the control on every metric, and corrects for how many questions that is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sortition.analyzer.methods import Policy
from sortition.analyzer.result import Comparison, Interval
from sortition.analyzer.sample import Sample, units_may_repeat
from sortition.model import Goal, Metric, MetricKind, MetricRole
from sortition.stats import (
    Difference,
    FloatArray,
    FloatLike,
    Moments,
    QuantileDifference,
    RelativeLift,
    benjamini_hochberg,
    chance_to_beat,
    cohens_d,
    holm,
    quantile_difference,
    relative_delta,
)

__all__ = ["QUANTILE_DIFFERENCE", "MetricComparison", "compare_metric", "corrected"]

QUANTILE_DIFFERENCE = "quantile_difference"


@dataclass(frozen=True)
class MetricComparison:
    """One metric compared: arrays have the shape (treatments,).

    Attributes:
        metric: The metric.
        control: The control's sample.
        treatments: The treatments' samples.
        methods: How each treatment was compared.
        difference: The differences of means.
        relative: The same, relative to the control.
    """

    metric: Metric
    control: Sample
    treatments: tuple[Sample, ...]
    methods: tuple[str, ...]
    difference: Difference
    relative: RelativeLift

    def means(self) -> list[Comparison]:
        """Returns the comparisons of means, not yet corrected."""
        maximize = self.metric.goal is Goal.MAXIMIZE
        found, effects = self.difference, self._effects()
        chances = chance_to_beat(found.difference, found.standard_error, maximize=maximize)
        return [
            Comparison(
                variant=sample.variant,
                metric=self.metric.name,
                method=self.methods[index],
                difference=float(found.difference[index]),
                interval=_interval(found.lower[index], found.upper[index]),
                relative=float(self.relative.value[index]),
                relative_interval=_interval(self.relative.lower[index], self.relative.upper[index]),
                p_value=float(found.p_value[index]),
                df=_finite(found.df[index]),
                effect_size=float(effects[index]),
                chance_to_beat=float(chances[index]),
                improvement=_improves(float(found.difference[index]), maximize),
                reason=str(found.reason[index]) or str(self.relative.reason[index]),
            )
            for index, sample in enumerate(self.treatments)
        ]

    def quantiles(self, confidence: float) -> list[Comparison]:
        """Returns the comparisons of the metric's quantiles, not yet corrected."""
        wanted = self.metric.reported_quantiles
        if not wanted:
            return []
        clustered = units_may_repeat((self.control, *self.treatments))
        control = self.control.bins
        return [
            comparison
            for sample in self.treatments
            for comparison in self._of_quantiles(
                sample.variant,
                wanted,
                quantile_difference(control, sample.bins, wanted, clustered=clustered, confidence=confidence),
                confidence,
            )
        ]

    def _of_quantiles(
        self, variant: str, wanted: tuple[float, ...], found: QuantileDifference, confidence: float
    ) -> list[Comparison]:
        maximize = self.metric.goal is Goal.MAXIMIZE
        # The statistic is the difference in units of the error that its own interval is made of.
        chances = chance_to_beat(found.statistic, np.ones_like(found.statistic), maximize=maximize)
        relative = relative_delta(
            found.control, found.control_error, found.treatment, found.treatment_error, _degrees(found.df), confidence
        )
        return [
            Comparison(
                variant=variant,
                metric=self.metric.name,
                method=QUANTILE_DIFFERENCE,
                quantile=q,
                difference=float(found.difference[index]),
                interval=_interval(found.lower[index], found.upper[index]),
                relative=float(relative.value[index]),
                relative_interval=_interval(relative.lower[index], relative.upper[index]),
                p_value=float(found.p_value[index]),
                df=_finite(found.df[index]),
                chance_to_beat=float(chances[index]),
                improvement=_improves(float(found.difference[index]), maximize),
                reason=str(found.reason[index]) or str(relative.reason[index]),
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
        return cohens_d(self.control.moments, together).d


def compare_metric(
    metric: Metric, control: Sample, treatments: tuple[Sample, ...], policy: Policy, confidence: float
) -> MetricComparison:
    """Compares the treatments with the control on one metric by the policy's method."""
    method = policy.method(metric, (control, *treatments))
    difference, methods = method(control, treatments, confidence)
    relative = relative_delta(
        difference.control,
        difference.control_error,
        difference.treatment,
        difference.treatment_error,
        _degrees(difference.df),
        confidence,
    )
    unknown = difference.reason != ""
    relative = replace(
        relative,
        lower=np.where(unknown, np.nan, relative.lower),
        upper=np.where(unknown, np.nan, relative.upper),
    )
    return MetricComparison(metric, control, treatments, methods, difference, relative)


def corrected(comparisons: list[Comparison], roles: dict[str, MetricRole], alpha: float) -> tuple[Comparison, ...]:
    """Fills in the corrected p-values and what they say.

    Three families: the means of the primary metric (Holm: they decide), the means of guardrails (Holm), and everything
    that only informs: the means of secondary metrics and all quantiles (Benjamini–Hochberg).
    """

    def family(comparison: Comparison) -> MetricRole:
        return roles[comparison.metric] if comparison.quantile is None else MetricRole.SECONDARY

    adjusted = np.full(len(comparisons), np.nan)
    for role in MetricRole:
        members = [index for index, comparison in enumerate(comparisons) if family(comparison) is role]
        adjust: Callable[[FloatLike], FloatArray] = benjamini_hochberg if role is MetricRole.SECONDARY else holm
        adjusted[members] = adjust([comparisons[index].p_value for index in members])
    return tuple(
        replace(comparison, p_adjusted=float(p), significant=bool(p < alpha))
        for comparison, p in zip(comparisons, adjusted, strict=True)
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
