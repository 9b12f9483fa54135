"""Results as messages: what cannot be known is absent."""

from __future__ import annotations

import dataclasses
import math
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from sortition.analyzer.result import (
    AlwaysValid,
    AnalysisResult,
    Comparison,
    DataQuality,
    Guardrail,
    Interval,
    Look,
    Posterior,
    PowerResult,
    QualityPart,
    ReachedDecision,
    RecommendationKind,
    SampleRatio,
    Segment,
    SeriesPoint,
    VariantMetric,
    VariantSummary,
)
from sortition.api.convert import analysis_to_proto, power_to_proto, series_point_to_proto, timestamp
from sortition.model import DecisionPolicy, ExperimentStatus
from sortition.rpc.v1 import analysis_pb2

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=timezone.utc)

KNOWN = Comparison(
    variant="fast",
    metric="time",
    method="welch_t",
    quantile=0.95,
    difference=-1.5,
    interval=Interval(-2, -1),
    relative=-0.5,
    relative_interval=Interval(-0.6, -0.4),
    p_value=0.001,
    p_adjusted=0.002,
    df=99.5,
    effect_size=-0.8,
    chance_to_beat=0.999,
    significant=True,
    improvement=True,
    reason="r",
    posterior=Posterior(0.999, -1.4, 0.01, Interval(-1.9, -0.9), 0.9, "flat"),
    always_valid=AlwaysValid("asymptotic_cs", Interval(-3, 0.5), Interval(-0.8, 0.1), 0.07),
    variance_reduction=0.4,
    standard_error=0.25,
)
UNKNOWN = Comparison(variant="fast", metric="time", method="welch_t", reason="one observation")


def result(kind: RecommendationKind = RecommendationKind.SHIP) -> AnalysisResult:
    return AnalysisResult(
        experiment="e",
        organization="o",
        status=ExperimentStatus.PAUSED,
        analyzed_at=NOW,
        primary_metric="time",
        confidence=0.95,
        alpha=0.05,
        variants=(VariantSummary("slow", True, 0.5, 0, math.nan), VariantSummary("fast", False, 0.5, 7, 1.0)),
        metrics=(
            VariantMetric("slow", "time", 0, quantiles=((0.5, math.nan),), refused=1, clamped=2, late=3),
            VariantMetric("fast", "time", 7, 1.0, 0.5, 0.1, 0.25, 2.0, ((0.5, 1.5),)),
        ),
        comparisons=(UNKNOWN, KNOWN),
        guardrails=(Guardrail("found", "fast", True, "intact"),),
        sample_ratio=SampleRatio(math.nan, "unknown", 0.5, -1.25),
        units=7,
        min_samples=40,
        winner="fast",
        should_ship=True,
        recommendation_kind=kind,
        recommendation="Ship it.",
        warnings=("w",),
        policy=DecisionPolicy.GROUP_SEQUENTIAL,
        provisional=True,
        horizon=400,
        looks=(Look(40, 41, NOW, 0.1, 4.9, 1e-6, 2e-6), Look(400, information=1.0)),
        reached=ReachedDecision("d1", NOW, 41, RecommendationKind.SHIP, "fast", "Ship fast."),
        settled=True,
        quality=DataQuality(0.5, (QualityPart("split", 0.5, "uneven"), QualityPart("daily_rate", math.nan, "too few"))),
        segments=(Segment("device", "other", (VariantMetric("fast", "time", 3),), (KNOWN,)),),
    )


def present(message: Any) -> set[str]:
    """Returns the fields of a message that have presence and are there."""
    return {field.name for field, _ in message.ListFields() if field.has_presence}


def test_unknown_figures_are_absent_and_known_ones_are_there() -> None:
    message = analysis_to_proto(result())
    assert present(message.comparisons[0]) == set()
    assert message.comparisons[0].reason == "one observation"
    figures = {"difference", "relative", "p_value", "p_adjusted", "df", "effect_size", "chance_to_beat", "quantile"}
    figures |= {"variance_reduction", "standard_error"}
    nested = {"interval", "relative_interval", "posterior", "always_valid"}
    assert present(message.comparisons[1]) == figures | nested
    for name in figures:
        assert getattr(message.comparisons[1], name) == getattr(KNOWN, name), name
    assert (message.comparisons[1].interval.lower, message.comparisons[1].interval.upper) == (-2, -1)
    assert present(message.metrics[0]) == set()
    assert not message.metrics[0].quantiles
    assert (message.metrics[0].refused, message.metrics[0].clamped, message.metrics[0].late) == (1, 2, 3)
    assert present(message.metrics[1]) == {"mean", "sd", "se", "min", "max"}
    assert message.metrics[1].quantiles[0].value == 1.5
    assert not message.sample_ratio.HasField("p_value")
    assert message.variants[0].share == 0


def test_every_field_of_a_result_is_in_its_message() -> None:
    message = analysis_to_proto(result())
    assert {field.name for field in dataclasses.fields(AnalysisResult)} == {
        field.name for field in analysis_pb2.AnalysisResult.DESCRIPTOR.fields
    }
    filled = {field.name for field, _ in message.ListFields()}
    assert filled == {field.name for field in dataclasses.fields(AnalysisResult)}


def test_the_parts_of_a_result_are_in_its_message_whole() -> None:
    """Every field of every part, so that none is forgotten on the way."""

    def check(part: Any, message: Any) -> None:
        for field in dataclasses.fields(part):
            value, found = getattr(part, field.name), getattr(message, field.name)
            if dataclasses.is_dataclass(value):
                check(value, found)
            elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
                assert len(found) == len(value), field.name
                for one, other in zip(value, found, strict=True):
                    check(one, other)
            elif isinstance(value, Interval):
                assert math.isnan(value.lower) or (found.lower, found.upper) == value, field.name
            elif isinstance(value, float):
                assert (
                    (field.name == "share" or not message.HasField(field.name)) if math.isnan(value) else found == value
                )
            elif isinstance(value, (int, str)) and not hasattr(value, "value"):
                assert found == value, field.name

    check(result(), analysis_to_proto(result()))


@pytest.mark.parametrize("kind", list(RecommendationKind))
def test_each_kind_of_advice_has_its_number(kind: RecommendationKind) -> None:
    number = analysis_to_proto(result(kind)).recommendation_kind
    assert analysis_pb2.RecommendationKind.Name(number) == f"RECOMMENDATION_KIND_{kind.name}"


def test_a_day_of_the_control_has_no_difference() -> None:
    message = series_point_to_proto(SeriesPoint(date(2026, 3, 1), "slow", 0, math.nan, 0, 5, 1.5, 4))
    assert message.day == "2026-03-01"
    assert present(message) == {"cumulative_mean"}
    other = SeriesPoint(date(2026, 3, 1), "fast", 2, 1.0, 1, 5, 1.5, 4, -0.5, Interval(-1, 0))
    assert present(series_point_to_proto(other)) == {
        "mean",
        "cumulative_mean",
        "cumulative_difference",
        "cumulative_interval",
    }


def test_power_that_cannot_be_known_is_absent() -> None:
    assert present(power_to_proto(PowerResult(10, 20))) == set()
    message = power_to_proto(PowerResult(10, 20, 0.5, 7, 3.5, "r"))
    assert (message.achieved_power, message.days, message.units_missing, message.reason) == (0.5, 3.5, 7, "r")


def test_times_keep_their_instant() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    message = timestamp(elsewhere)
    assert message is not None
    assert (message.seconds, message.nanos) == (int(NOW.timestamp()), 250_000_000)
    assert timestamp(None) is None
