"""The analysis of one experiment, from its aggregates to a recommendation."""

from __future__ import annotations

from datetime import datetime

from sortition.analyzer.caveats import caveats
from sortition.analyzer.compare import MetricComparison, compare_metric, corrected
from sortition.analyzer.decide import decide
from sortition.analyzer.evidence import Evidence
from sortition.analyzer.guardrails import guardrail_states
from sortition.analyzer.history import History
from sortition.analyzer.periods import periods_of
from sortition.analyzer.policies import policy_for
from sortition.analyzer.quality import quality_of, quality_warnings
from sortition.analyzer.reached import after
from sortition.analyzer.result import AnalysisResult, RecommendationKind, VariantMetric, VariantSummary
from sortition.analyzer.sample import Sample
from sortition.analyzer.sample_ratio import judge_split
from sortition.analyzer.segments import break_down
from sortition.stats import quantile
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["analyze", "samples_of"]


def analyze(
    record: ExperimentRecord, data: ExperimentData, now: datetime, history: History | None = None
) -> AnalysisResult:
    """Compares every variant with the control and decides by the experiment's policy.

    Intervals have the confidence 1 - alpha, alpha being the level after the risk is taken into account: what is
    displayed is what decides. A decision that was reached before stays, whatever the figures say since; only what makes
    shipping unsafe now, a broken split or guardrail, stands in its way.

    Args:
        record: The experiment.
        data: All its aggregates.
        now: Stored as the time of the analysis; nothing else depends on it.
        history: The looks and the decision before this one; none when absent.

    Raises:
        InvalidArgument: The experiment's decision policy does not exist.
    """
    spec = record.spec
    history = history or History()
    units = [int(held) for held in data.units]
    policy = policy_for(spec, sum(units), history, now)
    compared: dict[str, MetricComparison] = {}
    for index, metric in enumerate(spec.metrics):
        control, treatments = samples_of(record, data, index)
        compared[metric.name] = compare_metric(metric, control, treatments, policy)
    comparisons = corrected(
        [one for comparison in compared.values() for one in (*comparison.means(), *comparison.quantiles())],
        {metric.name: metric.role for metric in spec.metrics},
        policy.alpha,
        spec.decision.correction,
    )
    sample_ratio = judge_split(record, units, data.units_by_period)
    quality = quality_of(record, data, sample_ratio)
    evidence = Evidence(
        spec=spec,
        primary=tuple(one for one in comparisons if one.metric == spec.primary.name and one.quantile is None),
        guardrails=guardrail_states(spec, compared),
        sample_ratio=sample_ratio,
        units=sum(units),
        provisional=policy.provisional,
        final=policy.final,
        next_look=next((look.planned_units for look in policy.looks if not look.units), 0),
        quality=quality,
    )
    breakdown = break_down(record, data, policy)
    found = decide(evidence)
    verdict = after(history.reached, evidence, found)
    return AnalysisResult(
        experiment=spec.key,
        organization=spec.organization,
        status=record.status,
        analyzed_at=now,
        primary_metric=spec.primary.name,
        confidence=policy.confidence,
        alpha=policy.alpha,
        variants=tuple(
            VariantSummary(
                name=variant.name,
                control=variant.control,
                weight=weight / 10_000,
                units=held,
                share=held / evidence.units if evidence.units else 0.0,
            )
            for variant, held, weight in zip(spec.variants, units, record.weights, strict=True)
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
            *caveats(record, units, evidence.sample_ratio, tuple(compared.values())),
            *quality_warnings(quality),
            *breakdown.warnings,
            *verdict.warnings,
        ),
        policy=spec.decision.policy,
        provisional=policy.provisional and history.reached is None,
        horizon=spec.decision.horizon or 0,
        looks=policy.looks,
        reached=history.reached,
        quality=quality,
        segments=breakdown.segments,
        settled=history.reached is None and policy.settles(found, evidence),
    )


def samples_of(record: ExperimentRecord, data: ExperimentData, metric: int) -> tuple[Sample, tuple[Sample, ...]]:
    """Returns the control's sample of a metric (by its index), and the treatments' in declared order."""
    variants = record.spec.variants
    declared, periods = record.spec.metrics[metric], periods_of(record, data)
    samples = [
        Sample(
            variant.name,
            declared,
            int(data.units[index]),
            data.cells.get((index, metric)),
            tuple(
                Sample(variant.name, declared, int(one.units[index]), one.cells.get((index, metric))) for one in periods
            ),
        )
        for index, variant in enumerate(variants)
    ]
    control = next(index for index, variant in enumerate(variants) if variant.control)
    return samples[control], (*samples[:control], *samples[control + 1 :])


def _described(comparison: MetricComparison) -> list[VariantMetric]:
    """Every variant of one metric: the control, then the treatments in declared order."""
    found = comparison.compared.plain
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
