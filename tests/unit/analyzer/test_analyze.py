"""The whole analysis, from cells to words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analyzer_samples import NOW, TODAY, Outcomes, make_record, unit_names
from sortition.analyzer.analyze import analyze
from sortition.analyzer.result import RecommendationKind
from sortition.core import Cell
from sortition.stats import benjamini_hochberg, holm

METRICS: list[dict[str, Any]] = [
    {"name": "total_time", "kind": "duration", "goal": "minimize", "role": "primary", "unit": "s"},
    {"name": "found_all", "kind": "binary", "goal": "maximize", "role": "guardrail", "margin": 0.01},
    {"name": "bytes_read", "kind": "continuous", "goal": "minimize"},
]
ARMS = {"sequential": 33, "combined": 33, "pooled": 34}
TIMES = {"sequential": 1.92, "combined": 0.81, "pooled": 1.10}


def searched(found: float = 1.0) -> Outcomes:
    rng = np.random.default_rng(4)
    outcomes = Outcomes(make_record(METRICS, ARMS, min_samples=300))
    for name, number in (("sequential", 104), ("combined", 101), ("pooled", 107)):
        units = unit_names(name, number)
        outcomes.add(name, "total_time", units, rng.normal(TIMES[name], 0.2, number).tolist())
        ok = np.ones(number)
        ok[: round(number * (1 - found))] = name == "sequential"
        outcomes.add(name, "found_all", units, ok.tolist())
        outcomes.add(name, "bytes_read", units, rng.normal(1e6, 1e4, number).tolist())
    return outcomes


def test_the_table_of_a_search_experiment() -> None:
    outcomes = searched()
    result = analyze(outcomes.record, outcomes.data(), NOW)
    assert (result.experiment, result.organization, result.primary_metric) == ("search", "default", "total_time")
    assert (result.units, result.min_samples, result.confidence, result.alpha) == (312, 300, 0.95, 0.05)
    assert [(one.name, one.control, one.weight, one.units) for one in result.variants] == [
        ("sequential", True, 0.33, 104),
        ("combined", False, 0.33, 101),
        ("pooled", False, 0.34, 107),
    ]
    assert sum(one.share for one in result.variants) == pytest.approx(1)
    assert result.sample_ratio.verdict == "ok"
    assert result.sample_ratio.p_value == pytest.approx(
        float(scipy_stats.chisquare([104, 101, 107], np.array([0.33, 0.33, 0.34]) * 312).pvalue)
    )
    assert (result.winner, result.should_ship) == ("combined", True)
    assert result.recommendation_kind is RecommendationKind.SHIP
    assert result.recommendation.startswith("Ship combined: total_time −5")
    assert result.recommendation.endswith("(p < 0.001), guardrail found_all intact.")
    assert [(one.metric, one.variant, one.intact) for one in result.guardrails] == [
        ("found_all", "combined", True),
        ("found_all", "pooled", True),
    ]
    assert len(result.metrics) == 9
    assert len(result.comparisons) == 3 * 2 + 3 * 2
    assert result.analyzed_at is NOW


def test_corrections_by_family() -> None:
    """Holm over the primary means, Holm over guardrail means, Benjamini–Hochberg over all that only informs."""
    outcomes = searched(found=0.9)
    comparisons = analyze(outcomes.record, outcomes.data(), NOW).comparisons
    families = (
        (holm, [one for one in comparisons if one.metric == "total_time" and one.quantile is None], 2),
        (holm, [one for one in comparisons if one.metric == "found_all"], 2),
        (benjamini_hochberg, [one for one in comparisons if one.quantile is not None or one.metric == "bytes_read"], 8),
    )
    for adjust, family, size in families:
        assert len(family) == size
        expected = adjust([one.p_value for one in family])
        assert [one.p_adjusted for one in family] == pytest.approx(expected.tolist(), nan_ok=True)
        assert [one.significant for one in family] == (expected < 0.05).tolist()


def test_a_broken_guardrail_is_seen_in_the_outcomes() -> None:
    outcomes = searched(found=0.9)
    result = analyze(outcomes.record, outcomes.data(), NOW)
    assert [one.intact for one in result.guardrails] == [False, False]
    assert result.guardrails[0].detail.startswith("is broken: −9.9 %, worse by more than 1 % (one-sided p ")
    assert (result.winner, result.recommendation_kind) == ("", RecommendationKind.REGRESSION)


def test_guardrails_without_outcomes_keep_anything_from_shipping() -> None:
    rng = np.random.default_rng(4)
    outcomes = Outcomes(make_record(METRICS, ARMS))
    for name in ARMS:
        outcomes.add(name, "total_time", unit_names(name, 100), rng.normal(TIMES[name], 0.2, 100).tolist())
    result = analyze(outcomes.record, outcomes.data(), NOW)
    assert [one.detail for one in result.guardrails] == ["is unknown: no outcomes yet"] * 2
    assert all(one.unknown and not one.intact and not one.broken for one in result.guardrails)
    assert (result.should_ship, result.recommendation_kind) == (False, RecommendationKind.NEED_MORE_DATA)


@pytest.mark.parametrize(
    ("control", "treatment", "margin", "intact", "words"),
    [
        ((900, 1000), (905, 1000), 0.05, True, "a worsening of more than 5 % is excluded"),
        ((900, 1000), (880, 1000), 0.02, True, "is neither shown nor excluded"),
        ((900, 1000), (850, 1000), 0.01, False, "worse by more than 1 %"),
        ((900, 1000), (850, 1000), 0.0, False, "worse than the control"),
        ((50, 50), (50, 50), 0.0, True, "no variance, not worse"),
        ((50, 50), (0, 50), 0.0, False, "−100.0 %"),
    ],
)
def test_guardrails(
    control: tuple[int, int], treatment: tuple[int, int], margin: float, intact: bool, words: str
) -> None:
    metrics: list[dict[str, Any]] = [
        {"name": "score", "kind": "continuous", "goal": "maximize", "role": "primary"},
        {"name": "safe", "kind": "binary", "goal": "maximize", "role": "guardrail", "margin": margin},
    ]
    outcomes = Outcomes(make_record(metrics, {"a": 50, "b": 50}))
    for name, (good, n) in (("a", control), ("b", treatment)):
        outcomes.add(name, "safe", unit_names(name, n), [1] * good + [0] * (n - good))
    (found,) = analyze(outcomes.record, outcomes.data(), NOW).guardrails
    assert found.intact is intact
    assert words in found.detail


def test_the_high_risk_level_is_what_is_shown() -> None:
    record = make_record(METRICS, ARMS, risk="high")
    result = analyze(record, Outcomes(record).data(), NOW)
    assert (result.alpha, result.confidence) == (0.01, 0.99)


def test_nothing_recorded_yet() -> None:
    record = make_record(METRICS, ARMS, min_samples=300)
    result = analyze(record, Outcomes(record).data(), NOW)
    assert result.recommendation == "Need more data: 0 of 300 sessions."
    assert math.isnan(result.sample_ratio.p_value)
    assert result.sample_ratio.verdict == "unknown"
    assert all(one.n == 0 and math.isnan(one.mean) and one.quantiles == () for one in result.metrics)
    assert all(one.reason and math.isnan(one.p_adjusted) for one in result.comparisons)


def test_a_red_split() -> None:
    outcomes = searched()
    outcomes.expose("pooled", unit_names("more", 100))
    result = analyze(outcomes.record, outcomes.data(), NOW)
    assert (result.sample_ratio.verdict, result.recommendation_kind) == ("red", RecommendationKind.INVALID)
    assert not result.should_ship
    assert any(line.startswith("units may not be split as declared") for line in result.warnings)


def test_splits_that_cannot_be_judged_are_unknown() -> None:
    few = Outcomes(make_record(METRICS, ARMS)).expose("pooled", unit_names("p", 12))
    assert analyze(few.record, few.data(), NOW).sample_ratio.verdict == "unknown"
    for record in (make_record(METRICS, ARMS, external=True), make_record(METRICS, ARMS, allocations=2)):
        outcomes = Outcomes(record).expose("pooled", unit_names("p", 500))
        assert analyze(record, outcomes.data(), NOW).sample_ratio.verdict == "unknown"


def test_caveats() -> None:
    record = make_record(
        [{"name": "score", "kind": "continuous", "goal": "maximize", "role": "primary"}], {"a": 50, "b": 50, "idle": 0}
    )
    rng = np.random.default_rng(0)
    outcomes = Outcomes(record)
    outcomes.expose("a", unit_names("a", 100)).expose("idle", unit_names("i", 3))
    outcomes.add("a", "score", unit_names("a", 80), rng.normal(0.01, 1, 80).tolist())
    outcomes.add("b", "score", unit_names("b", 90), rng.normal(1, 1, 90).tolist(), expose=False)
    n, mean, m2, lowest, highest, _, _, _, buckets, sketch = outcomes.daily[0, 0, TODAY].parts()
    outcomes.daily[0, 0, TODAY] = Cell.from_parts(n, mean, m2, lowest, highest, 4, 1, 2, buckets, sketch)
    lines = analyze(record, outcomes.data(), NOW).warnings
    for expected in (
        "idle has 3 sessions and a weight of 0; the split's test leaves them out",
        "score of a: at least 20 of 100 sessions have no outcome (yet)",
        "score of a: 4 values were refused",
        "score of a: 1 value was moved to a cap",
        "score of a: 2 values were too late and not counted",
        "score of b: has outcomes, but no session was exposed to the variant",
        "score: the control cannot be told from 0, so relative figures are not to be trusted",
    ):
        assert expected in lines
    first = analyze(record, outcomes.data(), NOW).metrics[0]
    assert (first.refused, first.clamped, first.late) == (4, 1, 2)


def test_the_analysis_is_the_same_for_the_same_inputs() -> None:
    outcomes = searched(found=0.95)
    first, second = (analyze(outcomes.record, outcomes.data(), NOW) for _ in range(2))
    assert repr(first) == repr(second)
