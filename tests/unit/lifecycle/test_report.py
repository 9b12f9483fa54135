"""Where an experiment stands, and what is missing, in words."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sortition.analyzer.result import AnalysisResult, Guardrail, RecommendationKind, SampleRatio
from sortition.lifecycle.report import report
from sortition.model import ExperimentSpec, ExperimentStatus, validate
from sortition.store.records import ExperimentRecord
from unit.lifecycle.world import START


def experiment(status: str = "running", unit: str = "session", **decision: Any) -> ExperimentRecord:
    plain = {
        "key": "k",
        "subject": {"kind": "agent", "id": "a"},
        "unit": unit,
        "metrics": [{"name": "m", "kind": "binary", "goal": "maximize", "role": "primary"}],
        "variants": [{"name": "a", "weight": 50, "control": True}, {"name": "b", "weight": 50}],
        "decision": {"min_samples": 300, **decision},
    }
    spec = validate(ExperimentSpec, plain)
    started = None if status == "draft" else START
    return ExperimentRecord("id", spec, ExperimentStatus(status), 1, START, started_at=started)


def analysis(
    units: int,
    *,
    kind: RecommendationKind = RecommendationKind.NOT_SIGNIFICANT,
    winner: str = "",
    ratio: SampleRatio | None = None,
    guardrails: tuple[Guardrail, ...] = (),
) -> AnalysisResult:
    return AnalysisResult(
        experiment="k",
        organization="default",
        status=ExperimentStatus.RUNNING,
        analyzed_at=START,
        primary_metric="m",
        confidence=0.95,
        alpha=0.05,
        variants=(),
        metrics=(),
        comparisons=(),
        guardrails=guardrails,
        sample_ratio=ratio or SampleRatio(0.5, "ok"),
        units=units,
        min_samples=300,
        winner=winner,
        should_ship=bool(winner),
        recommendation_kind=kind,
        recommendation="",
    )


def todo(record: ExperimentRecord, result: AnalysisResult, **after: float) -> tuple[str, ...]:
    return report(record, result, START + timedelta(**after)).todo


@pytest.mark.parametrize(("units", "progress"), [(0, 0.0), (75, 0.25), (300, 1.0), (900, 1.0)])
def test_progress_is_the_share_of_the_minimum(units: int, progress: float) -> None:
    assert report(experiment(), analysis(units), START).progress == progress


def test_running_time_counts_from_the_start_to_the_end() -> None:
    record = experiment()
    later = START + timedelta(hours=2)
    assert report(record, analysis(0), later).running_seconds == 7200
    assert report(replace(record, ended_at=START + timedelta(hours=1)), analysis(0), later).running_seconds == 3600
    assert report(experiment("draft"), analysis(0), later).running_seconds == 0
    assert report(record, analysis(0), START - timedelta(hours=1)).running_seconds == 0, "the clock was set back"


@pytest.mark.parametrize(
    ("unit", "units", "line"),
    [
        ("session", 94, "206 more sessions"),
        ("entity", 94, "206 more entities"),
        ("user", 299, "1 more user"),
        ("request", 0, "300 more requests"),
    ],
)
def test_missing_units_are_counted(unit: str, units: int, line: str) -> None:
    assert todo(experiment(unit=unit), analysis(units)) == (line,)


def test_thousands_are_grouped() -> None:
    assert todo(experiment(min_samples=12_000), analysis(0)) == ("12,000 more sessions",)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (analysis(300), "enough data: decide"),
        (analysis(300, kind=RecommendationKind.BELOW_MDE), "enough data: decide"),
        (analysis(300, kind=RecommendationKind.SHIP, winner="b"), "enough data: complete it and ship b"),
        (analysis(300, kind=RecommendationKind.REGRESSION), "enough data, and a real worsening: stop it"),
    ],
)
def test_enough_data_call_for_a_decision(result: AnalysisResult, line: str) -> None:
    assert todo(experiment(), result) == (line,)


def test_time_that_is_over_is_told() -> None:
    record = experiment()
    assert todo(record, analysis(10), days=14, seconds=-1) == ("290 more sessions",)
    assert todo(record, analysis(10), days=14) == ("290 more sessions", "14 days are over: decide")
    assert todo(experiment(max_days=1), analysis(10), days=1)[-1] == "1 day is over: decide"
    assert todo(experiment(max_days=0.5), analysis(10), days=1)[-1] == "0.5 days are over: decide"


def test_a_maximum_that_is_reached_is_told() -> None:
    record = experiment(max_samples=400)
    assert todo(record, analysis(399)) == ("enough data: decide",)
    assert todo(record, analysis(400)) == ("enough data: decide", "400 sessions are reached: decide")


def test_doubts_come_before_everything_else() -> None:
    red = analysis(300, kind=RecommendationKind.INVALID, ratio=SampleRatio(0.00012, "red"))
    assert todo(experiment(), red) == (
        "the units are not split as declared (p = 0.00012): find out why before deciding",
    )
    yellow = analysis(10, ratio=SampleRatio(0.004, "yellow"))
    assert todo(experiment(), yellow) == (
        "the units may not be split as declared (p = 0.004): keep watching",
        "290 more sessions",
    )
    unknown = analysis(10, ratio=SampleRatio(math.nan, "unknown"))
    assert todo(experiment(), unknown) == ("290 more sessions",)


def test_broken_guardrails_are_named() -> None:
    guardrails = (Guardrail("ok", "b", False, "is broken: −3.0 %"), Guardrail("cost", "b", True, "is intact"))
    assert todo(experiment(), analysis(10, guardrails=guardrails)) == (
        "guardrail ok of b is broken: −3.0 %",
        "290 more sessions",
    )


def test_guardrails_nobody_can_judge_are_not_called_broken() -> None:
    unknown = tuple(Guardrail("ok", name, False, "is unknown: no outcomes yet", unknown=True) for name in ("b", "c"))
    assert todo(experiment(), analysis(10, guardrails=unknown)) == (
        "guardrail ok of b and c is unknown: no outcomes yet",
        "290 more sessions",
    )


def test_a_pause_is_named_first() -> None:
    assert todo(experiment("paused"), analysis(94)) == ("paused: resume or complete it", "206 more sessions")


@pytest.mark.parametrize(("status", "lines"), [("draft", ("draft: start it",)), ("completed", ()), ("cancelled", ())])
def test_what_does_not_run_lacks_no_units(status: str, lines: tuple[str, ...]) -> None:
    assert todo(experiment(status), analysis(0), days=30) == lines
