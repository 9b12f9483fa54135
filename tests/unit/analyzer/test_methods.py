"""Which method compares, and what degenerate data say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analyzer_samples import NOW, Outcomes, make_record, unit_names
from sortition.analyzer.analyze import analyze
from sortition.analyzer.policies import POLICIES
from sortition.analyzer.result import AnalysisResult, Comparison
from sortition.errors import InvalidArgument
from sortition.model import DecisionPolicy

TIME = {"name": "time", "kind": "continuous", "goal": "minimize", "role": "primary"}
DONE = {"name": "done", "kind": "binary", "goal": "maximize", "role": "primary"}
HALVES = {"a": 50, "b": 50}
RNG = np.random.default_rng(11)


def mean_comparison(result: AnalysisResult) -> Comparison:
    (found,) = [one for one in result.comparisons if one.quantile is None]
    return found


def test_one_observation_per_unit_is_compared_by_observations() -> None:
    record = make_record([TIME], HALVES)
    outcomes = Outcomes(record)
    values = {name: RNG.normal(10, 2, 100) for name in HALVES}
    for name, sample in values.items():
        outcomes.add(name, "time", unit_names(name, 100), sample.tolist())
    found = mean_comparison(analyze(record, outcomes.data(), NOW))
    assert found.method == "welch_t"
    assert found.p_value == pytest.approx(
        scipy_stats.ttest_ind(values["b"], values["a"], equal_var=False).pvalue, rel=1e-9
    )


def test_units_that_repeat_are_compared_by_units() -> None:
    """Ten equal observations of each unit say no more than one: p must stay that of the units."""
    record = make_record([TIME], HALVES)
    once, often = Outcomes(record), Outcomes(record)
    for name in HALVES:
        units, values = unit_names(name, 400), RNG.normal(10, 2, 400)
        once.add(name, "time", units, values.tolist())
        often.add(name, "time", units * 10, values.tolist() * 10)
    by_rows, by_units = (mean_comparison(analyze(record, one.data(), NOW)) for one in (once, often))
    assert (by_rows.method, by_units.method) == ("welch_t", "ratio_delta")
    assert by_units.difference == pytest.approx(by_rows.difference, rel=1e-9, abs=0)
    width = by_units.interval.upper - by_units.interval.lower
    # 128 buckets estimate the same error with about 127 degrees of freedom an arm: within a quarter.
    assert width == pytest.approx(by_rows.interval.upper - by_rows.interval.lower, rel=0.25, abs=0)
    assert 100 < by_units.df < 256


def test_fewer_observations_than_units_may_hide_repeats() -> None:
    """500 exposed units, of which 40 gave ten observations each: only the units count."""
    record = make_record([TIME], HALVES)
    outcomes = Outcomes(record)
    for name in HALVES:
        outcomes.expose(name, unit_names(name, 500))
        values = RNG.normal(10, 2, 40)
        outcomes.add(name, "time", unit_names(name, 40) * 10, np.tile(values, 10).tolist())
    assert mean_comparison(analyze(record, outcomes.data(), NOW)).method == "ratio_delta"


def test_a_ratio_is_compared_by_units_even_when_none_repeats() -> None:
    """Clicks per view: ΣS/ΣD and not the mean of anything."""
    record = make_record([{"name": "ctr", "kind": "ratio", "goal": "maximize", "role": "primary"}], HALVES)
    outcomes = Outcomes(record)
    outcomes.add("a", "ctr", unit_names("a", 4), [1, 0, 2, 3], denominators=[10, 5, 10, 15])
    outcomes.add("b", "ctr", unit_names("b", 4), [4, 1, 2, 3], denominators=[10, 5, 10, 15])
    result = analyze(record, outcomes.data(), NOW)
    found = mean_comparison(result)
    assert found.method == "ratio_delta"
    assert found.difference == pytest.approx(10 / 40 - 6 / 40)
    assert [one.mean for one in result.metrics] == pytest.approx([0.15, 0.25])
    assert math.isnan(found.effect_size)


def test_a_rate_of_units_that_repeat_is_compared_by_units() -> None:
    record = make_record([DONE], HALVES)
    outcomes = Outcomes(record)
    for name, rate in (("a", 0.3), ("b", 0.6)):
        values = (RNG.random(400) < rate).astype(float)
        outcomes.add(name, "done", unit_names(name, 200) * 2, values.tolist())
    assert mean_comparison(analyze(record, outcomes.data(), NOW)).method == "ratio_delta"


def test_small_counts_are_tested_exactly_and_say_so() -> None:
    """The lady tasting tea as an experiment of eight cups."""
    record = make_record([DONE], HALVES)
    outcomes = Outcomes(record)
    outcomes.add("a", "done", unit_names("a", 4), [1, 0, 0, 0])
    outcomes.add("b", "done", unit_names("b", 4), [1, 1, 1, 0])
    result = analyze(record, outcomes.data(), NOW)
    found = mean_comparison(result)
    assert found.method == "fisher_exact"
    assert found.p_value == pytest.approx(34 / 70)
    assert found.interval.lower < 0 < found.interval.upper
    assert any("counts are small" in line for line in result.warnings)


def test_certain_success_against_certain_failure_has_an_interval() -> None:
    """10/10 and 0/10: the plain interval would be a point; Newcombe 1998 gives 0.6075 to 1."""
    record = make_record([DONE], HALVES)
    outcomes = Outcomes(record)
    outcomes.add("a", "done", unit_names("a", 10), [0] * 10)
    outcomes.add("b", "done", unit_names("b", 10), [1] * 10)
    found = mean_comparison(analyze(record, outcomes.data(), NOW))
    assert tuple(found.interval) == pytest.approx((0.6075, 1.0), abs=5e-5)
    assert found.p_value == pytest.approx(2 / math.comb(20, 10))
    assert math.isnan(found.relative)
    assert found.reason == "the control is 0, so no change is relative to it"


@pytest.mark.parametrize(
    ("control", "treatment", "reason"),
    [
        ([], [1.0, 2.0], "the control has fewer than 2 observations"),
        ([1.0, 2.0], [3.0], "the treatment has fewer than 2 observations"),
        ([0.1] * 3, [0.1] * 7, "the observations have no variance"),
    ],
)
def test_degenerate_data_say_so(control: list[float], treatment: list[float], reason: str) -> None:
    record = make_record([TIME], HALVES)
    outcomes = Outcomes(record)
    for name, values in (("a", control), ("b", treatment)):
        if values:
            outcomes.add(name, "time", unit_names(name, len(values)), values)
    found = mean_comparison(analyze(record, outcomes.data(), NOW))
    assert found.reason == reason
    for figure in (found.p_value, found.p_adjusted, found.interval.lower, found.chance_to_beat, found.df):
        assert math.isnan(figure)
    assert not found.significant


def test_equal_observations_of_units_that_repeat_have_no_variance() -> None:
    """0.1 added up many times is not a multiple of 0.1; what rounding leaves must not look like a difference."""
    record = make_record([TIME], HALVES)
    outcomes = Outcomes(record)
    for name, repeats in (("a", 3000), ("b", 3001)):
        outcomes.add(name, "time", unit_names(name, 20) * repeats, [0.1] * 20 * repeats)
    found = mean_comparison(analyze(record, outcomes.data(), NOW))
    assert found.reason == "the groups of units have no variance"
    assert math.isnan(found.p_value)


def test_differences_below_the_resolution_of_numbers_decide_nothing() -> None:
    record = make_record([TIME], HALVES)
    outcomes = Outcomes(record)
    for name, offset in (("a", 0.0), ("b", 1.0)):
        outcomes.add(name, "time", unit_names(name, 100), [1e16 + offset * 2 + (k % 2) * 2 for k in range(100)])
    found = mean_comparison(analyze(record, outcomes.data(), NOW))
    assert found.reason == "the standard error is below the resolution of 64-bit numbers"
    assert math.isnan(found.p_value)
    assert not found.significant


def test_quantiles_of_units_that_repeat_use_groups_of_units() -> None:
    metric = {**TIME, "kind": "duration", "quantiles": [0.5, 0.9]}
    record = make_record([metric], HALVES)
    alone, often = Outcomes(record), Outcomes(record)
    for name in HALVES:
        units, values = unit_names(name, 600), RNG.lognormal(0, 0.5, 600)
        alone.add(name, "time", units, values.tolist())
        often.add(name, "time", units * 5, values.tolist() * 5)
    first, second = (
        [one for one in analyze(record, outcomes.data(), NOW).comparisons if one.quantile is not None]
        for outcomes in (alone, often)
    )
    assert [(one.quantile, one.method) for one in first] == [(0.5, "quantile_difference"), (0.9, "quantile_difference")]
    assert [one.df for one in second] == [30, 30]
    assert all(math.isnan(one.df) for one in first)
    for one in (*first, *second):
        assert one.interval.lower < one.difference < one.interval.upper
        assert one.relative_interval.lower < one.relative < one.relative_interval.upper
        assert math.isnan(one.effect_size)


def test_quantiles_shown_are_the_order_statistics() -> None:
    metric = {**TIME, "kind": "duration"}
    record = make_record([metric], HALVES)
    outcomes = Outcomes(record)
    values = RNG.lognormal(0, 1, 5000)
    outcomes.add("a", "time", unit_names("a", 5000), values.tolist())
    shown = analyze(record, outcomes.data(), NOW).metrics[0].quantiles
    assert [q for q, _ in shown] == [0.5, 0.95, 0.99]
    assert [value for _, value in shown] == pytest.approx(
        np.quantile(values, [0.5, 0.95, 0.99]).tolist(), rel=0.0101, abs=0
    )


def test_policies_are_refused_by_name() -> None:
    assert set(POLICIES) == {str(policy) for policy in DecisionPolicy}
    record = make_record([TIME], HALVES)
    decision = record.spec.decision.model_copy(update={"policy": "by_feel"})
    unknown = replace(record, spec=record.spec.model_copy(update={"decision": decision}))
    with pytest.raises(
        InvalidArgument,
        match=r"decision.policy: 'by_feel' is not available; use one of: sequential, fixed_horizon, group_sequential",
    ):
        analyze(unknown, Outcomes(record).data(), NOW)
