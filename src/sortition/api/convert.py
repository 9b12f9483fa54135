"""What the lifecycle and the analyzer return, as messages. NaN, a figure that cannot be known, is an absent field."""

from __future__ import annotations

import math
from typing import Any

from sortition.analyzer.result import (
    AlwaysValid,
    AnalysisResult,
    Comparison,
    DataQuality,
    Interval,
    Look,
    Posterior,
    PowerResult,
    ReachedDecision,
    RecommendationKind,
    SampleRatio,
    Segment,
    SeriesPoint,
    VariantMetric,
)
from sortition.api.registration import registration_to_proto, run_to_proto
from sortition.api.times import timestamp
from sortition.lifecycle import Ending, Registered, Replay, Report, Reweighted, Step
from sortition.model.wire import (
    policy_to_proto,
    spec_to_proto,
    status_to_proto,
    struct_from_config,
    subject_to_proto,
)
from sortition.rpc.v1 import admin_pb2, analysis_pb2, experiment_pb2
from sortition.store.records import AuditEvent, DecisionRecord, ExperimentRecord, SubjectRecord, VersionRecord

__all__ = [
    "analysis_to_proto",
    "decision_to_proto",
    "ending_to_proto",
    "event_to_proto",
    "experiment_to_proto",
    "power_to_proto",
    "registered_to_proto",
    "replay_to_proto",
    "report_to_proto",
    "reweighted_to_proto",
    "series_point_to_proto",
    "step_to_proto",
    "subject_record_to_proto",
    "timestamp",
    "version_to_proto",
]

_ADVICE = {
    RecommendationKind.NEED_MORE_DATA: analysis_pb2.RECOMMENDATION_KIND_NEED_MORE_DATA,
    RecommendationKind.NOT_SIGNIFICANT: analysis_pb2.RECOMMENDATION_KIND_NOT_SIGNIFICANT,
    RecommendationKind.SHIP: analysis_pb2.RECOMMENDATION_KIND_SHIP,
    RecommendationKind.BELOW_MDE: analysis_pb2.RECOMMENDATION_KIND_BELOW_MDE,
    RecommendationKind.REGRESSION: analysis_pb2.RECOMMENDATION_KIND_REGRESSION,
    RecommendationKind.INVALID: analysis_pb2.RECOMMENDATION_KIND_INVALID,
}


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _interval(interval: Interval) -> analysis_pb2.Interval | None:
    if math.isnan(interval.lower) or math.isnan(interval.upper):
        return None
    return analysis_pb2.Interval(lower=interval.lower, upper=interval.upper)


def experiment_to_proto(
    record: ExperimentRecord, registration: experiment_pb2.Registration | None = None
) -> experiment_pb2.Experiment:
    """Returns a stored experiment as its message, with more about its registration than it knows itself if given."""
    return experiment_pb2.Experiment(
        id=record.id,
        spec=spec_to_proto(record.spec),
        status=status_to_proto(record.status),
        created_at=timestamp(record.created_at),
        started_at=timestamp(record.started_at),
        ended_at=timestamp(record.ended_at),
        archived_at=timestamp(record.archived_at),
        winner=record.winner,
        shipped_version=record.shipped_version,
        spec_hash=record.spec.hash,
        revision=record.revision,
        registration=registration or registration_to_proto(record),
        run=run_to_proto(record),
    )


def registered_to_proto(found: Registered) -> admin_pb2.GetRegistrationResponse:
    """Returns what is known of a registration as its message."""
    registration = registration_to_proto(found.record, found.peeks, found.deviations, document=True)
    return admin_pb2.GetRegistrationResponse(
        experiment=experiment_to_proto(found.record, registration),
        verified=not found.differences,
        differences=found.differences,
    )


def version_to_proto(record: VersionRecord) -> admin_pb2.SubjectVersion:
    """Returns a version of a subject as its message."""
    return admin_pb2.SubjectVersion(
        number=record.number,
        config=struct_from_config(record.config),
        config_hash=record.config_hash,
        created_at=timestamp(record.created_at),
        origin=record.origin,
        experiment=record.experiment,
        note=record.note,
    )


def subject_record_to_proto(record: SubjectRecord) -> admin_pb2.Subject:
    """Returns a subject as its message."""
    return admin_pb2.Subject(
        organization=record.organization,
        ref=subject_to_proto(record.ref),
        description=record.description,
        current=version_to_proto(record.current) if record.current else None,
        created_at=timestamp(record.created_at),
    )


def event_to_proto(event: AuditEvent) -> admin_pb2.AuditEvent:
    """Returns an audited act as its message."""
    return admin_pb2.AuditEvent(
        id=event.id,
        at=timestamp(event.at),
        actor=event.actor,
        action=event.action,
        organization=event.organization,
        object=event.object,
        reason=event.reason,
        details=struct_from_config(event.details),
    )


def _variant_metric(metric: VariantMetric) -> analysis_pb2.VariantMetric:
    return analysis_pb2.VariantMetric(
        variant=metric.variant,
        metric=metric.metric,
        n=metric.n,
        mean=_known(metric.mean),
        sd=_known(metric.sd),
        se=_known(metric.se),
        min=_known(metric.min),
        max=_known(metric.max),
        quantiles=[
            analysis_pb2.QuantileValue(q=q, value=value) for q, value in metric.quantiles if not math.isnan(value)
        ],
        refused=metric.refused,
        clamped=metric.clamped,
        late=metric.late,
    )


def _comparison(comparison: Comparison) -> analysis_pb2.Comparison:
    return analysis_pb2.Comparison(
        variant=comparison.variant,
        metric=comparison.metric,
        quantile=comparison.quantile,
        method=comparison.method,
        difference=_known(comparison.difference),
        interval=_interval(comparison.interval),
        relative=_known(comparison.relative),
        relative_interval=_interval(comparison.relative_interval),
        p_value=_known(comparison.p_value),
        p_adjusted=_known(comparison.p_adjusted),
        df=_known(comparison.df),
        effect_size=_known(comparison.effect_size),
        chance_to_beat=_known(comparison.chance_to_beat),
        significant=comparison.significant,
        improvement=comparison.improvement,
        reason=comparison.reason,
        posterior=_posterior(comparison.posterior),
        always_valid=_always_valid(comparison.always_valid),
        variance_reduction=_known(comparison.variance_reduction),
        standard_error=_known(comparison.standard_error),
    )


def _posterior(posterior: Posterior | None) -> analysis_pb2.Posterior | None:
    if posterior is None:
        return None
    return analysis_pb2.Posterior(
        chance_to_beat=_known(posterior.chance_to_beat),
        expected_lift=_known(posterior.expected_lift),
        expected_loss=_known(posterior.expected_loss),
        interval=_interval(posterior.interval),
        chance_of_practical=_known(posterior.chance_of_practical),
        prior=posterior.prior,
    )


def _always_valid(figures: AlwaysValid | None) -> analysis_pb2.AlwaysValid | None:
    if figures is None:
        return None
    return analysis_pb2.AlwaysValid(
        method=figures.method,
        interval=_interval(figures.interval),
        relative_interval=_interval(figures.relative_interval),
        p_value=_known(figures.p_value),
    )


def _sample_ratio(ratio: SampleRatio) -> analysis_pb2.SampleRatio:
    return analysis_pb2.SampleRatio(
        p_value=_known(ratio.p_value),
        verdict=ratio.verdict,
        sequential_p_value=_known(ratio.sequential_p_value),
        log_e_value=_known(ratio.log_e_value),
    )


def _quality(quality: DataQuality | None) -> analysis_pb2.DataQuality | None:
    if quality is None:
        return None
    return analysis_pb2.DataQuality(
        score=_known(quality.score),
        parts=[
            analysis_pb2.QualityPart(name=part.name, score=_known(part.score), detail=part.detail)
            for part in quality.parts
        ],
    )


def _look(look: Look) -> analysis_pb2.Look:
    return analysis_pb2.Look(
        planned_units=look.planned_units,
        units=look.units,
        at=timestamp(look.at),
        information=look.information,
        boundary=_known(look.boundary),
        level=_known(look.level),
        spent=_known(look.spent),
    )


def _reached(reached: ReachedDecision | None) -> analysis_pb2.ReachedDecision | None:
    if reached is None:
        return None
    return analysis_pb2.ReachedDecision(
        id=reached.id,
        at=timestamp(reached.at),
        units=reached.units,
        kind=_ADVICE[reached.kind],
        winner=reached.winner,
        recommendation=reached.recommendation,
    )


def _segment(segment: Segment) -> analysis_pb2.Segment:
    return analysis_pb2.Segment(
        dimension=segment.dimension,
        level=segment.level,
        metrics=[_variant_metric(metric) for metric in segment.metrics],
        comparisons=[_comparison(comparison) for comparison in segment.comparisons],
    )


def analysis_to_proto(result: AnalysisResult) -> analysis_pb2.AnalysisResult:
    """Returns an analysis as its message."""
    return analysis_pb2.AnalysisResult(
        experiment=result.experiment,
        organization=result.organization,
        status=status_to_proto(result.status),
        analyzed_at=timestamp(result.analyzed_at),
        primary_metric=result.primary_metric,
        confidence=result.confidence,
        alpha=result.alpha,
        variants=[
            analysis_pb2.VariantSummary(
                name=variant.name,
                control=variant.control,
                weight=variant.weight,
                units=variant.units,
                # Nothing has a share of nothing.
                share=_known(variant.share) or 0.0,
            )
            for variant in result.variants
        ],
        metrics=[_variant_metric(metric) for metric in result.metrics],
        comparisons=[_comparison(comparison) for comparison in result.comparisons],
        guardrails=[
            analysis_pb2.Guardrail(
                metric=guardrail.metric,
                variant=guardrail.variant,
                intact=guardrail.intact,
                detail=guardrail.detail,
                unknown=guardrail.unknown,
            )
            for guardrail in result.guardrails
        ],
        sample_ratio=_sample_ratio(result.sample_ratio),
        units=result.units,
        min_samples=result.min_samples,
        winner=result.winner,
        should_ship=result.should_ship,
        recommendation_kind=_ADVICE[result.recommendation_kind],
        recommendation=result.recommendation,
        warnings=result.warnings,
        policy=policy_to_proto(result.policy),
        provisional=result.provisional,
        horizon=result.horizon,
        looks=[_look(look) for look in result.looks],
        reached=_reached(result.reached),
        settled=result.settled,
        quality=_quality(result.quality),
        segments=[_segment(segment) for segment in result.segments],
    )


def decision_to_proto(record: DecisionRecord, result: AnalysisResult | None = None) -> analysis_pb2.StoredDecision:
    """Returns a stored decision as its message, with the analysis it stands for if that is wanted."""
    return analysis_pb2.StoredDecision(
        id=record.id,
        at=timestamp(record.at),
        kind=record.kind,
        winner=record.winner,
        should_ship=record.should_ship,
        analysis=None if result is None else analysis_to_proto(result),
        act=str((record.act or {}).get("act", "")),
        reasons=_lines((record.act or {}).get("reasons")),
    )


def _lines(stored: object) -> list[str]:
    return [str(line) for line in stored] if isinstance(stored, list) else []


def reweighted_to_proto(done: Reweighted) -> admin_pb2.ReweightExperimentResponse:
    """Returns what becomes of weights as its message."""
    return admin_pb2.ReweightExperimentResponse(
        experiment=experiment_to_proto(done.record),
        weights=[
            admin_pb2.VariantWeight(variant=name, before=f"{had / 100:g}", after=f"{gets / 100:g}")
            for name, had, gets in done.weights()
        ],
        generation=done.after.generation,
        moved_buckets=done.moved,
        changed=done.changed,
        effective=done.effective,
    )


def step_to_proto(step: Step) -> admin_pb2.AutomaticStep:
    """Returns what automatic mode has done about an experiment as its message."""
    return admin_pb2.AutomaticStep(
        key=step.record.spec.key,
        organization=step.record.spec.organization,
        act=f"AUTOMATIC_ACT_{step.judgement.act.name}",
        variant=step.judgement.variant,
        reasons=step.judgement.reasons,
        missing=step.judgement.missing,
        allowed=step.allowed,
        decision_id=step.decision_id,
        refused=step.refused,
    )


def replay_to_proto(replay: Replay) -> analysis_pb2.ReplayResponse:
    """Returns a decision computed again as its message."""
    return analysis_pb2.ReplayResponse(
        decision=decision_to_proto(replay.decision, replay.result),
        experiment=replay.record.spec.key,
        organization=replay.record.spec.organization,
        identical=not replay.differences,
        differences=replay.differences,
    )


def report_to_proto(report: Report) -> analysis_pb2.ExperimentReport:
    """Returns where an experiment stands as its message."""
    return analysis_pb2.ExperimentReport(
        experiment=experiment_to_proto(
            report.record, registration_to_proto(report.record, report.peeks, report.deviations)
        ),
        analysis=analysis_to_proto(report.analysis),
        progress=report.progress,
        running_seconds=report.running_seconds,
        todo=report.todo,
        ending=ending_to_proto(report.ending),
    )


def ending_to_proto(ending: Ending | None) -> analysis_pb2.Ending | None:
    """Returns how an experiment ended as its message; None, an absent field, for one that has not."""
    if ending is None:
        return None
    return analysis_pb2.Ending(
        kind=f"ENDING_KIND_{ending.kind.name}",
        automatic=ending.automatic,
        variant=ending.variant,
        forced=ending.forced,
        taken_back=ending.taken_back,
        reasons=ending.reasons,
        decision_id=ending.decision_id,
    )


def series_point_to_proto(point: SeriesPoint) -> analysis_pb2.SeriesPoint:
    """Returns one day of one variant as its message."""
    return analysis_pb2.SeriesPoint(
        day=point.day.isoformat(),
        variant=point.variant,
        n=point.n,
        mean=_known(point.mean),
        new_units=point.new_units,
        cumulative_n=point.cumulative_n,
        cumulative_mean=_known(point.cumulative_mean),
        cumulative_units=point.cumulative_units,
        cumulative_difference=_known(point.cumulative_difference),
        cumulative_interval=_interval(point.cumulative_interval),
        cumulative_always_valid=_interval(point.cumulative_always_valid),
    )


def power_to_proto(result: PowerResult) -> analysis_pb2.PowerResult:
    """Returns how many units are needed as its message."""
    figures: dict[str, Any] = {"achieved_power": _known(result.achieved_power), "days": _known(result.days)}
    figures.update(mde=_known(result.mde), units_per_day=_known(result.units_per_day))
    return analysis_pb2.PowerResult(
        units_per_variant=result.units_per_variant,
        units_total=result.units_total,
        units_missing=result.units_missing,
        reason=result.reason,
        policy=policy_to_proto(result.policy),
        expected_at=timestamp(result.expected_at),
        baseline=result.baseline,
        **figures,
    )
