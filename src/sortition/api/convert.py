"""What the lifecycle and the analyzer return, as messages. NaN, a figure that cannot be known, is an absent field."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from google.protobuf import timestamp_pb2

from sortition.analyzer.result import (
    AnalysisResult,
    Comparison,
    Interval,
    PowerResult,
    RecommendationKind,
    SampleRatio,
    SeriesPoint,
    VariantMetric,
)
from sortition.lifecycle import Report
from sortition.model.wire import spec_to_proto, status_to_proto, struct_from_config, subject_to_proto
from sortition.rpc.v1 import admin_pb2, analysis_pb2, experiment_pb2
from sortition.store.records import AuditEvent, ExperimentRecord, SubjectRecord, VersionRecord

__all__ = [
    "analysis_to_proto",
    "event_to_proto",
    "experiment_to_proto",
    "power_to_proto",
    "report_to_proto",
    "series_point_to_proto",
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


def timestamp(at: datetime | None) -> timestamp_pb2.Timestamp | None:
    """Returns an aware time as its message; None, an absent field, for None."""
    if at is None:
        return None
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(at)
    return message


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _interval(interval: Interval) -> analysis_pb2.Interval | None:
    if math.isnan(interval.lower) or math.isnan(interval.upper):
        return None
    return analysis_pb2.Interval(lower=interval.lower, upper=interval.upper)


def experiment_to_proto(record: ExperimentRecord) -> experiment_pb2.Experiment:
    """Returns a stored experiment as its message."""
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
    )


def _sample_ratio(ratio: SampleRatio) -> analysis_pb2.SampleRatio:
    return analysis_pb2.SampleRatio(p_value=_known(ratio.p_value), verdict=ratio.verdict)


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
    )


def report_to_proto(report: Report) -> analysis_pb2.ExperimentReport:
    """Returns where an experiment stands as its message."""
    return analysis_pb2.ExperimentReport(
        experiment=experiment_to_proto(report.record),
        analysis=analysis_to_proto(report.analysis),
        progress=report.progress,
        running_seconds=report.running_seconds,
        todo=report.todo,
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
    )


def power_to_proto(result: PowerResult) -> analysis_pb2.PowerResult:
    """Returns how many units are needed as its message."""
    figures: dict[str, Any] = {"achieved_power": _known(result.achieved_power), "days": _known(result.days)}
    return analysis_pb2.PowerResult(
        units_per_variant=result.units_per_variant,
        units_total=result.units_total,
        units_missing=result.units_missing,
        reason=result.reason,
        **figures,
    )
