"""Sample sizes of plans and of stored experiments."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analyzer_samples import NOW, Outcomes, make_record, unit_names
from sortition.analyzer.power import draft_power, experiment_power, plan_power
from sortition.analyzer.result import PowerResult
from sortition.errors import InvalidArgument
from sortition.model import DecisionPolicy, ExperimentStatus, MetricKind

TIME = {"name": "time", "kind": "continuous", "goal": "minimize", "role": "primary"}


def test_a_plan_for_means_is_cohens() -> None:
    """d = 0.5 at 5 % and 80 %: 64 units per arm (Cohen 1988, table 2.4.1)."""
    found = plan_power(MetricKind.CONTINUOUS, baseline=10.0, sd=2.0, mde=0.1, units_per_day=32)
    assert (found.units_per_variant, found.units_total, found.days, found.reason) == (64, 128, 4.0, "")
    assert math.isnan(found.achieved_power)


def test_a_plan_for_rates_takes_the_harder_direction() -> None:
    """0.50 to 0.75 at 90 %: 76.7 units per arm (the manual of R); 0.50 to 0.25 is its mirror image."""
    found = plan_power(MetricKind.BINARY, baseline=0.5, sd=None, mde=0.5, power=0.9)
    assert (found.units_per_variant, found.reason) == (77, "without units per day the days are unknown")
    up = plan_power(MetricKind.BINARY, 0.9, None, 0.05).units_per_variant
    # From 0.9 a fall to 0.855 needs more than a rise to 0.945, since rates nearer to a half vary more.
    assert up == plan_power(MetricKind.BINARY, 0.1, None, 0.45).units_per_variant
    # From 0.9 a rise by a fifth is impossible, a fall is not: 0.9 to 0.72.
    assert 60 < plan_power(MetricKind.BINARY, 0.9, None, 0.2).units_per_variant < 80


def test_more_treatments_need_more_units_each() -> None:
    two = plan_power(MetricKind.CONTINUOUS, 1.0, 1.0, 0.1)
    three = plan_power(MetricKind.CONTINUOUS, 1.0, 1.0, 0.1, confidence=0.975)
    corrected = plan_power(MetricKind.CONTINUOUS, 1.0, 1.0, 0.1, variants=3)
    assert corrected.units_per_variant == three.units_per_variant > two.units_per_variant
    assert corrected.units_total == 3 * corrected.units_per_variant


def test_every_bad_argument_is_named() -> None:
    with pytest.raises(InvalidArgument) as caught:
        plan_power(MetricKind.CONTINUOUS, 0.0, None, -1.0, 0.4, 1.0, 1, 0.0)
    assert [violation.field for violation in caught.value.violations] == [
        "baseline", "sd", "mde", "confidence", "power", "variants", "units_per_day"
    ]  # fmt: skip
    for baseline in (0.0, 1.0, math.nan):
        with pytest.raises(InvalidArgument, match="baseline: must be a rate between 0 and 1"):
            plan_power(MetricKind.BINARY, baseline, None, 0.1)
    with pytest.raises(InvalidArgument, match=r"takes the rate 0\.9 out of"):
        plan_power(MetricKind.BINARY, 0.9, None, 1.0)
    with pytest.raises(InvalidArgument, match=r"more than 2\*\*53 units"):
        plan_power(MetricKind.CONTINUOUS, 1.0, 1.0, 1e-9)


def running(n: int = 200, **decision: Any) -> Outcomes:
    outcomes = Outcomes(make_record([TIME], {"a": 50, "b": 50}, **decision))
    for name in ("a", "b"):
        # Half 8, half 12: the mean is 10, and the variance is 4·n/(n - 1) exactly.
        outcomes.add(name, "time", unit_names(name, n), [8.0, 12.0] * (n // 2))
    return outcomes


def test_a_running_experiment_in_closed_form() -> None:
    """σ² = 80/19, δ = 1: 4·σ²·(1.959964 + 0.841621)²/δ² in total; 40 units in two days are 20 a day."""
    outcomes = running(n=20, mde=0.1)
    found = experiment_power(outcomes.record, outcomes.data(), NOW)
    variance = 4 * 20 / 19
    assert found.units_total == math.ceil(4 * variance * 2.801585218**2)
    assert found.units_per_variant == math.ceil(found.units_total / 2)
    assert found.units_missing == found.units_total - 40
    assert found.days == pytest.approx(found.units_missing / 20)
    assert 0 < found.achieved_power < 0.8


def test_enough_units_need_no_more_days() -> None:
    outcomes = running(n=200, mde=0.1)
    found = experiment_power(outcomes.record, outcomes.data(), NOW)
    assert (found.units_missing, found.days, found.reason) == (0, 0.0, "")
    assert found.achieved_power > 0.99


def test_the_minimum_sample_counts_too() -> None:
    outcomes = running(n=200, mde=0.1, min_samples=1000)
    found = experiment_power(outcomes.record, outcomes.data(), NOW)
    assert found.units_missing == 600
    assert found.days == pytest.approx(3.0)


def test_units_that_repeat_count_once() -> None:
    rng = np.random.default_rng(6)
    once, often = (Outcomes(make_record([TIME], {"a": 50, "b": 50}, mde=0.01)) for _ in range(2))
    for name in ("a", "b"):
        values, units = rng.normal(10, 2, 1000).tolist(), unit_names(name, 1000)
        once.add(name, "time", units, values)
        often.add(name, "time", units * 20, values * 20)
    first, second = (experiment_power(one.record, one.data(), NOW).units_total for one in (once, often))
    assert second == pytest.approx(first, rel=0.4, abs=0)


def test_what_cannot_be_known_says_so() -> None:
    record = make_record([TIME], {"a": 50, "b": 50})
    empty = experiment_power(record, Outcomes(record).data(), NOW)
    assert repr(empty) == repr(PowerResult(0, 0, reason="the control has no outcomes yet"))
    flat = Outcomes(record)
    for name in ("a", "b"):
        flat.add(name, "time", unit_names(name, 9), [5.0] * 9)
    assert experiment_power(record, flat.data(), NOW).reason == "the outcomes have not varied yet"
    lonely = Outcomes(record).add("a", "time", unit_names("a", 9), [float(k) for k in range(1, 10)])
    assert experiment_power(record, lonely.data(), NOW).reason.startswith("a variant has too few outcomes")
    outcomes = running(n=20, mde=0.0)
    assert experiment_power(outcomes.record, outcomes.data(), NOW).reason.startswith(
        "the minimum detectable effect is 0"
    )
    ended = replace(running(n=20).record, status=ExperimentStatus.COMPLETED, ended_at=NOW)
    found = experiment_power(ended, running(n=20).data(), NOW)
    assert found.reason == "the experiment is over, so no more units will come"
    assert math.isnan(found.days)


def test_looking_more_often_costs_units() -> None:
    """Waudby-Smith et al. and Jennison & Turnbull: at 5 looks O'Brien and Fleming ask for 1.03 times as many."""
    once = plan_power(MetricKind.CONTINUOUS, 10.0, 5.0, 0.05).units_total
    planned = plan_power(
        MetricKind.CONTINUOUS, 10.0, 5.0, 0.05, policy=DecisionPolicy.GROUP_SEQUENTIAL, looks=5
    ).units_total
    always = plan_power(MetricKind.CONTINUOUS, 10.0, 5.0, 0.05, policy=DecisionPolicy.SEQUENTIAL).units_total
    assert planned / once == pytest.approx(1.03, abs=0.006)
    assert 1.3 < always / once < 1.8


def test_repeated_observations_and_quantiles_are_planned() -> None:
    plain = plan_power(MetricKind.CONTINUOUS, 10.0, 5.0, 0.05).units_total
    # Ten observations that are all alike tell as much as one; ten independent ones as much as ten units.
    alike = plan_power(MetricKind.CONTINUOUS, 10.0, 5.0, 0.05, observations=10.0, correlation=1.0).units_total
    apart = plan_power(MetricKind.CONTINUOUS, 10.0, 5.0, 0.05, observations=10.0).units_total
    assert alike == plain
    assert apart == pytest.approx(plain / 10, rel=0.02)
    # The median of a normal distribution: its error is sqrt(pi / 2) times that of the mean.
    density = 1 / (5.0 * math.sqrt(2 * math.pi))
    median = plan_power(MetricKind.CONTINUOUS, 10.0, None, 0.05, quantile=0.5, density=density).units_total
    assert median == pytest.approx(plain * math.pi / 2, rel=0.01)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"looks": 21}, "looks"),
        ({"observations": 0.5}, "observations_per_unit"),
        ({"correlation": 1.1}, "correlation"),
        ({"quantile": 1.0, "density": 1.0}, "quantile"),
        ({"quantile": 0.5}, "density"),
        ({"quantile": 0.5, "density": 0.0}, "density"),
    ],
)
def test_what_cannot_be_planned_is_refused(more: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        plan_power(MetricKind.CONTINUOUS, 10.0, 5.0, 0.05, **more)
    assert [violation.field for violation in caught.value.violations] == [field]


def test_a_running_experiment_tells_what_today_finds_and_when_it_is_done() -> None:
    """The smallest change that is found and the needed units follow from one another."""
    for policy in ("fixed_horizon", "sequential"):
        outcomes = running(n=200, mde=0.02, min_samples=2, policy=policy)
        found = experiment_power(outcomes.record, outcomes.data(), NOW)
        assert found.units_missing > 0
        # Errors shrink with the root of the units.
        assert found.mde == pytest.approx(0.02 * math.sqrt(found.units_total / 400), rel=0.02)
        assert found.expected_at == NOW + timedelta(days=found.days)
        assert found.units_per_day == pytest.approx(200.0)


def test_a_draft_takes_its_baseline_from_an_earlier_experiment() -> None:
    earlier = running(n=200, mde=0.02)
    draft = make_record([TIME], {"a": 50, "b": 50}, mde=0.02, min_samples=2)
    own = experiment_power(earlier.record, earlier.data(), NOW)
    found = draft_power(draft.spec, (earlier.record, earlier.data()), NOW)
    assert found.units_total == pytest.approx(own.units_total, rel=0.25)
    assert (found.baseline, found.units_missing) == ("a in search", found.units_total)
    assert found.days == pytest.approx(found.units_total / 200.0)
    assert math.isnan(found.achieved_power)
    none = draft_power(draft.spec, None, NOW)
    assert (none.units_total, "no earlier experiment on agent/search-agent" in none.reason) == (0, True)
