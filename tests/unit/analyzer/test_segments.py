"""Levels on their own: each compared as it is, all corrected together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analyzer_samples import NOW, TODAY, Outcomes, make_record
from sortition.analyzer.analyze import analyze
from sortition.analyzer.json import from_json, to_json
from sortition.analyzer.result import AnalysisResult, Comparison, Interval, Segment
from sortition.analyzer.segments import MAX_COMPARISONS
from sortition.core import Cell
from sortition.lifecycle.decision import data_from_inputs, inputs_of
from sortition.model import DecisionPolicy, Dimension
from sortition.stats import BucketSums, benjamini_hochberg, ratio_delta
from sortition.store.records import ExperimentData

METRICS: list[dict[str, Any]] = [
    {"name": "cost", "kind": "continuous", "goal": "minimize", "role": "primary"},
    {"name": "found", "kind": "binary", "goal": "maximize"},
]
DEVICE = Dimension(name="device", levels=("mobile", "desktop"))
PLAN = Dimension(name="plan", levels=("free", "paid"))
MOBILE, DESKTOP, OTHER_DEVICE, FREE, PAID = 1, 2, 3, 4, 5


def outcomes(*dimensions: Dimension, arms: int = 2, metrics: Sequence[dict[str, Any]] = METRICS) -> Outcomes:
    record = make_record(metrics, {f"v{number}": 100 / arms for number in range(arms)})
    spec = record.spec.model_copy(update={"dimensions": dimensions})
    return Outcomes(replace(record, spec=spec))


def with_levels(
    made: Outcomes, found: dict[tuple[int, int, int], tuple[list[str], list[float]]]
) -> tuple[ExperimentData, dict[tuple[int, int, int], Cell]]:
    """Adds values by (variant, metric, level), each also for everyone."""
    cells = {}
    for place, (units, values) in found.items():
        cell = Cell()
        cell.add_many(made.record.id, units, values)
        cells[place] = cell
        variant, metric = made.record.spec.variants[place[0]].name, made.record.spec.metrics[place[1]].name
        if place[2] in (MOBILE, DESKTOP, OTHER_DEVICE):
            made.add(variant, metric, units, values, day=TODAY)
    return replace(made.data(), levels=cells), cells


def drawn(effects: dict[int, float], *, seed: int = 1, number: int = 300) -> dict[Any, Any]:
    """Draws the cost of both variants at each level; the treatment adds an effect."""
    rng = np.random.default_rng(seed)
    found = {}
    for level, effect in effects.items():
        for variant in (0, 1):
            units = [f"{variant}-{level}-{index}" for index in range(number)]
            found[variant, 0, level] = (units, (rng.normal(10, 1, number) + variant * effect).tolist())
    return found


def by_level(result: AnalysisResult) -> dict[tuple[str, str], Segment]:
    return {(segment.dimension, segment.level): segment for segment in result.segments}


def primary(segment: Segment) -> Comparison:
    return next(one for one in segment.comparisons if one.metric == "cost")


def test_an_effect_at_one_level_is_found_at_that_level() -> None:
    made = outcomes(DEVICE)
    data, cells = with_levels(made, drawn({MOBILE: -2.0, DESKTOP: 0.0}))
    result = analyze(made.record, data, NOW)
    found = by_level(result)
    assert list(found) == [("device", "mobile"), ("device", "desktop")]
    mobile, desktop = primary(found["device", "mobile"]), primary(found["device", "desktop"])
    assert (mobile.significant, mobile.improvement, desktop.significant) == (True, True, False)
    control, treatment = (
        BucketSums.of(*np.frombuffer(cells[variant, 0, MOBILE].buckets).reshape(128, 2).T) for variant in (0, 1)
    )
    expected = ratio_delta(control, treatment)
    assert mobile.difference == expected.difference
    assert mobile.method == "ratio_delta"
    assert mobile.interval == Interval(float(expected.lower), float(expected.upper))
    assert [(one.variant, one.n) for one in found["device", "mobile"].metrics if one.metric == "cost"] == [
        ("v0", 300),
        ("v1", 300),
    ]
    # Of the other metric nothing was recorded.
    assert [one.metric for one in found["device", "mobile"].comparisons] == ["cost"]


def test_a_level_that_only_one_variant_has_says_why_it_is_not_compared() -> None:
    made = outcomes(DEVICE, arms=4)
    drawn_at = drawn({MOBILE: 0.0})
    del drawn_at[1, 0, MOBILE]
    data, _ = with_levels(made, drawn_at)
    comparisons = by_level(analyze(made.record, data, NOW))["device", "mobile"].comparisons
    assert len(comparisons) == 3
    for comparison in comparisons:
        assert math.isnan(comparison.difference)
        assert (comparison.significant, comparison.always_valid) == (False, None)
        assert comparison.reason


def test_a_sequential_experiment_shows_figures_that_hold_at_every_look() -> None:
    made = outcomes(DEVICE)
    decision = made.record.spec.decision.model_copy(update={"policy": DecisionPolicy.SEQUENTIAL})
    made.record = replace(made.record, spec=made.record.spec.model_copy(update={"decision": decision}))
    data, _ = with_levels(made, drawn({MOBILE: -2.0, DESKTOP: 0.0}))
    found = by_level(analyze(made.record, data, NOW))
    for segment in found.values():
        shown = primary(segment)
        assert shown.always_valid is not None
        assert (shown.interval, shown.p_value) == (shown.always_valid.interval, shown.always_valid.p_value)
        assert shown.method == "ratio_delta, asymptotic_cs"
    assert primary(found["device", "mobile"]).significant


def test_all_levels_of_all_dimensions_are_one_family() -> None:
    made = outcomes(DEVICE, PLAN)
    effects = {MOBILE: -0.25, DESKTOP: 0.1, FREE: -0.2, PAID: 0.05}
    data, _ = with_levels(made, drawn(effects, seed=3))
    result = analyze(made.record, data, NOW)
    all_of_them = [one for segment in result.segments for one in segment.comparisons]
    assert [one.p_adjusted for one in all_of_them] == pytest.approx(
        benjamini_hochberg([one.p_value for one in all_of_them]).tolist(), nan_ok=True
    )
    assert any(one.p_adjusted > one.p_value for one in all_of_them)
    assert all(one.significant == (one.p_adjusted < 0.05) for one in all_of_them)


def test_other_is_shown_only_when_it_was_seen() -> None:
    made = outcomes(DEVICE)
    data, _ = with_levels(made, drawn({MOBILE: 0.0, OTHER_DEVICE: 0.0}))
    result = analyze(made.record, data, NOW)
    assert list(by_level(result)) == [("device", "mobile"), ("device", "desktop"), ("device", "other")]
    assert by_level(result)["device", "desktop"] == Segment("device", "desktop")


def test_segments_decide_nothing() -> None:
    made = outcomes(DEVICE)
    data, _ = with_levels(made, drawn({MOBILE: -2.0, DESKTOP: 2.0}))
    result = analyze(made.record, data, NOW)
    alone = analyze(made.record, replace(data, levels={}), NOW)
    assert result.segments
    without = to_json(replace(result, segments=(), warnings=()))
    assert without == to_json(replace(alone, segments=(), warnings=()))


def test_without_dimensions_there_are_no_segments() -> None:
    made = outcomes()
    assert analyze(made.record, made.data(), NOW).segments == ()


def test_outcomes_without_levels_are_told_of() -> None:
    made = outcomes(DEVICE)
    data, _ = with_levels(made, drawn({MOBILE: 0.0}))
    assert not [line for line in analyze(made.record, data, NOW).warnings if "knows no dimensions" in line]
    made.add("v0", "cost", ["a", "b"], [1.0, 2.0])
    lacking = analyze(made.record, replace(made.data(), levels=data.levels), NOW)
    assert "device: 2 outcomes of cost came through a sidecar that knows no dimensions" in lacking.warnings


def test_beyond_the_bound_the_primary_metric_and_guardrails_come_first() -> None:
    metrics = [{"name": f"m{number}", "kind": "binary", "goal": "maximize"} for number in range(8)]
    metrics[4]["role"], metrics[5]["role"] = "guardrail", "primary"
    wide = Dimension(name="page", levels=tuple(f"p{number}" for number in range(16)))
    made = outcomes(wide, arms=20, metrics=metrics)
    cells = {(variant, index, level): Cell() for variant in (0, 1) for index in range(8) for level in range(1, 18)}
    for cell in cells.values():
        cell.add(made.record.id, "unit", 1.0)
    result = analyze(made.record, replace(made.data(), levels=cells), NOW)
    names = {one.metric for segment in result.segments for one in segment.comparisons}
    assert names == {"m5", "m4", "m0"}
    assert sum(len(segment.comparisons) for segment in result.segments) <= MAX_COMPARISONS
    assert "segments: 3 metrics of 8 compared; the limit is 1,024 comparisons" in result.warnings


def test_a_decision_keeps_what_its_segments_were_made_of() -> None:
    made = outcomes(DEVICE)
    data, _ = with_levels(made, drawn({MOBILE: -2.0, DESKTOP: 0.0}))
    again = data_from_inputs(inputs_of(made.record, data))
    assert again.levels.keys() == data.levels.keys()
    result = analyze(made.record, data, NOW)
    assert to_json(analyze(made.record, again, NOW))["segments"] == to_json(result)["segments"]
    assert to_json(from_json(to_json(result))) == to_json(result)


def test_an_a_a_experiment_seldom_stands_out() -> None:
    # Four true nulls in one family: Benjamini-Hochberg keeps the chance of any below 5 %; 12 of 100 would be 3.2 sigma.
    stands_out = 0
    for seed in range(100):
        made = outcomes(DEVICE, PLAN)
        effects = dict.fromkeys((MOBILE, DESKTOP, FREE, PAID), 0.0)
        data, _ = with_levels(made, drawn(effects, seed=seed, number=100))
        result = analyze(made.record, data, NOW)
        stands_out += any(one.significant for segment in result.segments for one in segment.comparisons)
    assert stands_out < 12
