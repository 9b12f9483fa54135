"""The analysis of one experiment, from its aggregates to a recommendation."""

from __future__ import annotations

from datetime import datetime

from sortition.analyzer.caveats import caveats
from sortition.analyzer.compare import MetricComparison, compare_metric, corrected
from sortition.analyzer.evidence import Evidence
from sortition.analyzer.guardrails import guardrail_states
from sortition.analyzer.methods import policy_named
from sortition.analyzer.result import AnalysisResult, RecommendationKind, VariantMetric, VariantSummary
from sortition.analyzer.sample import Sample
from sortition.analyzer.sample_ratio import judge_split
from sortition.stats import quantile
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["analyze", "samples_of"]


def analyze(record: ExperimentRecord, data: ExperimentData, now: datetime) -> AnalysisResult:
    """Compares every variant with the control and decides by the experiment's policy.

    Intervals have the confidence 1 - alpha, alpha being the level after the risk is taken into account: what is
    displayed is what decides.

    Args:
        record: The experiment.
        data: All its aggregates.
        now: Stored as the time of the analysis; nothing else depends on it.

    Raises:
        InvalidArgument: The experiment's decision policy does not exist.
    """
    spec = record.spec
    policy = policy_named(spec.decision.policy.value)
    alpha = spec.decision.alpha
    confidence = round(1 - alpha, 12)
    compared: dict[str, MetricComparison] = {}
    for index, metric in enumerate(spec.metrics):
        control, treatments = samples_of(record, data, index)
        compared[metric.name] = compare_metric(metric, control, treatments, policy, confidence)
    comparisons = corrected(
        [one for comparison in compared.values() for one in (*comparison.means(), *comparison.quantiles(confidence))],
        {metric.name: metric.role for metric in spec.metrics},
        alpha,
    )
    units = [int(held) for held in data.units]
    evidence = Evidence(
        spec=spec,
        primary=tuple(one for one in comparisons if one.metric == spec.primary.name and one.quantile is None),
        guardrails=guardrail_states(spec, compared),
        sample_ratio=judge_split(record, units),
        units=sum(units),
    )
    verdict = policy.decide(evidence)
    return AnalysisResult(
        experiment=spec.key,
        organization=spec.organization,
        status=record.status,
        analyzed_at=now,
        primary_metric=spec.primary.name,
        confidence=confidence,
        alpha=alpha,
        variants=tuple(
            VariantSummary(
                name=variant.name,
                control=variant.control,
                weight=variant.basis_points / 10_000,
                units=held,
                share=held / evidence.units if evidence.units else 0.0,
            )
            for variant, held in zip(spec.variants, units, strict=True)
        ),
        metrics=tuple(one for comparison in compared.values() for one in _described(comparison)),
        comparisons=comparisons,
        guardrails=evidence.guardrails,
        sample_ratio=evidence.sample_ratio,
        units=evidence.units,
        min_samples=spec.decision.min_samples,
        winner=verdict.winner,
        should_ship=verdict.kind is RecommendationKind.SHIP,
        recommendation_kind=verdict.kind,
        recommendation=verdict.text,
        warnings=(
            *caveats(spec, units, evidence.sample_ratio, tuple(compared.values()), confidence),
            *verdict.warnings,
        ),
    )


def samples_of(record: ExperimentRecord, data: ExperimentData, metric: int) -> tuple[Sample, tuple[Sample, ...]]:
    """Returns the control's sample of a metric (by its index), and the treatments' in declared order."""
    variants = record.spec.variants
    samples = [
        Sample(variant.name, record.spec.metrics[metric], int(data.units[index]), data.cells.get((index, metric)))
        for index, variant in enumerate(variants)
    ]
    control = next(index for index, variant in enumerate(variants) if variant.control)
    return samples[control], (*samples[:control], *samples[control + 1 :])


def _described(comparison: MetricComparison) -> list[VariantMetric]:
    """Every variant of one metric: the control, then the treatments in declared order."""
    found = comparison.difference
    errors = [float(found.control_error[0]), *(float(error) for error in found.treatment_error)]
    return [
        _variant_metric(sample, error)
        for sample, error in zip((comparison.control, *comparison.treatments), errors, strict=True)
    ]


def _variant_metric(sample: Sample, error: float) -> VariantMetric:
    wanted, cell = sample.metric.reported_quantiles, sample.cell
    values = quantile(sample.bins, wanted).value.tolist() if wanted and sample.n else []
    return VariantMetric(
        variant=sample.variant,
        metric=sample.metric.name,
        n=sample.n,
        mean=sample.mean,
        sd=sample.variance**0.5,
        se=error,
        min=sample.lowest,
        max=sample.highest,
        quantiles=tuple(zip(wanted, values, strict=False)) if values else (),
        refused=cell.refused if cell else 0,
        clamped=cell.clamped if cell else 0,
        late=cell.late if cell else 0,
    )
