"""Where an experiment stands, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sortition.analyzer.result import AnalysisResult, RecommendationKind
from sortition.analyzer.words import listed, noun
from sortition.lifecycle.endings import Ending
from sortition.lifecycle.ramp import ramp_line, standing
from sortition.model import ExperimentStatus
from sortition.store.records import DeviationRecord, ExperimentRecord, PeekRecord

__all__ = ["Report", "report"]

_DAY_S = 86_400


@dataclass(frozen=True)
class Report:
    """Where an experiment stands.

    Attributes:
        record: The experiment.
        analysis: Its live analysis; for a completed one, the stored one.
        progress: Exposed units over the minimum, in [0, 1].
        running_seconds: Seconds since it was first started, until it ended; 0 before.
        todo: What is missing or to be done, one line each; empty when there is nothing.
        peeks: How often results were shown while it ran; None where many experiments are reported on at once.
        deviations: What was done beside the registration, oldest first; likewise left out there.
        ending: How it ended; None while it has not.
    """

    record: ExperimentRecord
    analysis: AnalysisResult
    progress: float
    running_seconds: float
    todo: tuple[str, ...]
    peeks: PeekRecord | None = None
    deviations: tuple[DeviationRecord, ...] = ()
    ending: Ending | None = None


def report(record: ExperimentRecord, analysis: AnalysisResult, now: datetime) -> Report:
    """Returns where `record` stands at `now`, given its analysis."""
    seconds = _running_seconds(record, now)
    return Report(
        record=record,
        analysis=analysis,
        progress=min(1.0, analysis.units / record.spec.decision.min_samples),
        running_seconds=seconds,
        todo=tuple(_todo(record, analysis, seconds, now)),
    )


def _running_seconds(record: ExperimentRecord, now: datetime) -> float:
    if record.started_at is None:
        return 0.0
    # A clock that was set back makes no negative time.
    return max(0.0, ((record.ended_at or now) - record.started_at).total_seconds())


def _todo(record: ExperimentRecord, analysis: AnalysisResult, seconds: float, now: datetime) -> list[str]:
    if record.status is ExperimentStatus.DRAFT:
        return ["draft: start it"]
    if record.status not in (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED):
        return []
    lines = ["paused: resume or complete it"] if record.status is ExperimentStatus.PAUSED else []
    ramp = standing(record, analysis, now)
    if ramp is not None:
        lines.append(ramp_line(record, ramp))
    lines.extend(_doubts(analysis))
    decision, unit = record.spec.decision, record.spec.unit
    missing = decision.min_samples - analysis.units
    if missing > 0:
        lines.append(f"{missing:,} more {noun(missing, unit)}")
    else:
        lines.extend(_advice(analysis))
    if decision.max_samples is not None and analysis.units >= decision.max_samples:
        lines.append(f"{decision.max_samples:,} {noun(decision.max_samples, unit)} are reached: decide")
    if seconds >= decision.max_days * _DAY_S:
        lines.append(
            "1 day is over: decide" if decision.max_days == 1 else f"{decision.max_days:g} days are over: decide"
        )
    return lines


def _doubts(analysis: AnalysisResult) -> list[str]:
    lines = []
    ratio = analysis.sample_ratio
    if ratio.verdict == "red":
        lines.append(f"the units are not split as declared (p = {ratio.p_value:.2g}): find out why before deciding")
    elif ratio.verdict == "yellow":
        lines.append(f"the units may not be split as declared (p = {ratio.p_value:.2g}): keep watching")
    # What is the same for several variants, such as that there are no outcomes yet, is said once.
    variants: dict[tuple[str, str], list[str]] = {}
    for guardrail in analysis.guardrails:
        if not guardrail.intact:
            variants.setdefault((guardrail.metric, guardrail.detail), []).append(guardrail.variant)
    lines.extend(f"guardrail {metric} of {listed(names)} {detail}" for (metric, detail), names in variants.items())
    return lines


def _advice(analysis: AnalysisResult) -> list[str]:
    if analysis.should_ship:
        return [f"enough data: complete it and ship {analysis.winner}"]
    if analysis.recommendation_kind is RecommendationKind.REGRESSION:
        return ["enough data, and a real worsening: stop it"]
    if analysis.recommendation_kind is RecommendationKind.INVALID:
        return []
    return ["enough data: decide"]
