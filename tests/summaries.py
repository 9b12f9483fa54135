"""Finished experiments with results by hand, for tests of what is said about many of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sortition.analyzer.json import to_json
from sortition.analyzer.result import AnalysisResult, Comparison, Interval, RecommendationKind, SampleRatio
from sortition.model import ExperimentSpec, ExperimentStatus, SubjectRef, validate
from sortition.store import Database, decisions, experiments, subjects
from sortition.store.records import DecisionRecord, ExperimentRecord
from store_samples import AGENT, NOW

__all__ = ["decided", "finished", "keep"]


def finished(key: str, *, organization: str = "default", metric: str = "time", **changes: Any) -> ExperimentRecord:
    """Returns a completed experiment that compares "new" with "old"."""
    raw: dict[str, Any] = {
        "key": key,
        "organization": organization,
        "subject": {"kind": AGENT.kind, "id": AGENT.id},
        "metrics": [{"name": metric, "kind": "duration", "unit": "s", "goal": "minimize", "role": "primary"}],
        "variants": [
            {"name": "old", "weight": 50, "control": True, "config": {}},
            {"name": "new", "weight": 50, "config": {"new": True}},
        ],
    }
    record = ExperimentRecord(
        id=f"{organization}-{key}",
        spec=validate(ExperimentSpec, raw),
        status=ExperimentStatus.COMPLETED,
        revision=1,
        created_at=NOW,
        started_at=NOW,
        ended_at=NOW,
    )
    return replace(record, **changes)


def decided(
    record: ExperimentRecord,
    difference: float = -1.0,
    interval: tuple[float, float] = (-2.0, 0.0),
    *,
    winner: str = "new",
    act: str = "promote",
    variant: str = "new",
    confidence: float = 0.95,
) -> DecisionRecord:
    """Returns the decision that ended it; made by automatic mode unless `act` is empty."""
    result = AnalysisResult(
        experiment=record.spec.key,
        organization=record.spec.organization,
        status=ExperimentStatus.RUNNING,
        analyzed_at=NOW,
        primary_metric=record.spec.primary.name,
        confidence=confidence,
        alpha=1 - confidence,
        variants=(),
        metrics=(),
        comparisons=(Comparison("new", record.spec.primary.name, "welch_t", None, difference, Interval(*interval)),),
        guardrails=(),
        sample_ratio=SampleRatio(1.0, "ok"),
        units=100,
        min_samples=100,
        winner=winner,
        should_ship=bool(winner),
        recommendation_kind=RecommendationKind.SHIP,
        recommendation="Ship new.",
    )
    return DecisionRecord(
        id=f"decision-{record.id}",
        experiment_id=record.id,
        at=NOW,
        kind="complete",
        winner=winner,
        should_ship=bool(winner),
        result=to_json(result),
        inputs={"format": 1},
        act={"act": act, "variant": variant, "reasons": ["because"]} if act else None,
    )


def keep(db: Database, record: ExperimentRecord, decision: DecisionRecord | None = None, *, seconds: int = 0) -> None:
    """Stores an experiment as made so many seconds later, with its decision and its subject."""
    at: datetime = record.created_at + timedelta(seconds=seconds)
    ref: SubjectRef = record.spec.subject
    with db.write() as tx:
        if subjects.get(tx, record.spec.organization, ref) is None:
            subjects.insert(tx, record.spec.organization, ref, "", NOW)
        experiments.insert(tx, replace(record, created_at=at))
        if decision is not None:
            decisions.insert(tx, decision)
