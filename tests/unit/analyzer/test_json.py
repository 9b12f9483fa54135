"""An analysis as JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from analyzer_samples import NOW, Outcomes, make_record, unit_names
from sortition.analyzer.analyze import analyze
from sortition.analyzer.json import from_json, to_json
from sortition.analyzer.result import AnalysisResult, VariantMetric
from sortition.errors import DataLoss
from sortition.model import canonical_json

METRICS = [
    {"name": "time", "kind": "duration", "goal": "minimize", "role": "primary"},
    {"name": "ok", "kind": "binary", "goal": "maximize", "role": "guardrail"},
]


def result() -> AnalysisResult:
    outcomes = Outcomes(make_record(METRICS, {"a": 50, "b": 50}))
    outcomes.add("a", "time", unit_names("a", 30), [1 / (k + 1) for k in range(30)])
    outcomes.add("b", "time", unit_names("b", 30), [2.0 + k for k in range(30)])
    return analyze(outcomes.record, outcomes.data(), NOW)


def test_the_round_trip_is_exact() -> None:
    """Through the text that the store keeps; repr, because NaN is not equal to itself."""
    first = result()
    assert any(math.isnan(one.p_value) for one in first.comparisons)
    assert any(one.quantile is None for one in first.comparisons)
    again = from_json(json.loads(canonical_json(to_json(first))))
    assert repr(again) == repr(first)
    assert type(again.metrics[0]) is VariantMetric
    assert again.metrics[1].min == 2.0
    assert isinstance(again.metrics[1].min, float)


def test_json_has_no_nan() -> None:
    assert json.loads(json.dumps(to_json(result()), allow_nan=False)) == to_json(result())


def test_times_are_utc() -> None:
    east = datetime(2026, 3, 2, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert to_json(replace(result(), analyzed_at=east))["analyzed_at"] == "2026-03-02T12:00:00+00:00"
    assert from_json(to_json(replace(result(), analyzed_at=east))).analyzed_at == NOW


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("units", "many", r"analysis\.units is 'many'"),
        ("units", None, r"analysis\.units is None"),
        ("units", True, r"analysis\.units is True"),
        ("status", "asleep", r"analysis\.status is 'asleep'"),
        ("analyzed_at", "yesterday", r"analysis\.analyzed_at is 'yesterday'"),
        ("analyzed_at", 7, r"analysis\.analyzed_at is 7"),
        ("alpha", "0.05", r"analysis\.alpha is '0\.05'"),
        ("variants", [1], r"analysis\.variants\[0\] is 1"),
        ("variants", {}, r"analysis\.variants is \{\}"),
        ("sample_ratio", {}, r"analysis\.sample_ratio: .*missing"),
        ("warnings", [3], r"analysis\.warnings\[0\] is 3"),
    ],
)
def test_damage_is_named(field: str, value: Any, where: str) -> None:
    damaged = {**to_json(result()), field: value}
    with pytest.raises(DataLoss, match=where):
        from_json(damaged)


def test_a_newer_field_is_left_out_and_an_older_one_defaults() -> None:
    stored = {**to_json(result()), "invented_later": 1}
    del stored["warnings"]
    assert from_json(stored).warnings == ()
