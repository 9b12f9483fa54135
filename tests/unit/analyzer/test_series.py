"""Series by day, and accumulated."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest

from analyzer_samples import NOW, TODAY, Outcomes, make_record, unit_names
from sortition.analyzer.analyze import analyze
from sortition.analyzer.series import series
from sortition.errors import NotFound

METRICS = [
    {"name": "time", "kind": "duration", "goal": "minimize", "role": "primary"},
    {"name": "cost", "kind": "continuous", "goal": "minimize"},
]
ARMS = {"b": 50, "a": 50}


def three_days() -> tuple[Outcomes, dict[str, list[list[float]]]]:
    rng = np.random.default_rng(9)
    outcomes, values = Outcomes(make_record(METRICS, ARMS)), {}
    for name in ARMS:
        values[name] = [rng.lognormal(0, 1, size).tolist() for size in (20, 30, 10)]
        # Ten units of the second day were there on the first.
        groups = [unit_names(name, 20), unit_names(name, 40)[10:], unit_names(f"{name}/late", 10)]
        for day, (units, sample) in enumerate(zip(groups, values[name], strict=True)):
            outcomes.add(name, "time", units, sample, day=TODAY - 2 + day)
    return outcomes, values


def test_days_and_what_they_add_up_to() -> None:
    outcomes, values = three_days()
    points = series(outcomes.record, outcomes.data(), None)
    assert [(point.day, point.variant) for point in points] == [
        (NOW.date() - timedelta(days=2 - day), name) for day in range(3) for name in ARMS
    ]
    for place, name in enumerate(ARMS):
        mine = points[place::2]
        assert [point.n for point in mine] == [20, 30, 10]
        assert [point.new_units for point in mine] == [20, 20, 10]
        assert [point.cumulative_units for point in mine] == [20, 40, 50]
        assert [point.cumulative_n for point in mine] == [20, 50, 60]
        assert [point.mean for point in mine] == pytest.approx([np.mean(day) for day in values[name]])
        assert mine[-1].cumulative_mean == pytest.approx(np.mean(np.concatenate(values[name])))


def test_the_last_point_is_the_analysis() -> None:
    outcomes, _ = three_days()
    last = series(outcomes.record, outcomes.data(), "time")[-1]
    found = analyze(outcomes.record, outcomes.data(), NOW).comparisons[0]
    assert last.cumulative_difference == pytest.approx(found.difference, rel=1e-12, abs=0)
    assert tuple(last.cumulative_interval) == pytest.approx(tuple(found.interval), rel=1e-12, abs=0)


def test_the_control_has_no_difference_and_missing_days_no_mean() -> None:
    outcomes, _ = three_days()
    outcomes.expose("a", ["new"], day=TODAY + 1)
    points = series(outcomes.record, outcomes.data(), "")
    control, treatment = points[-2:]
    assert math.isnan(control.cumulative_difference)
    assert math.isnan(control.cumulative_interval.lower)
    assert (treatment.n, treatment.new_units, treatment.cumulative_units) == (0, 1, 51)
    assert math.isnan(treatment.mean)
    assert treatment.cumulative_n == 60
    assert not math.isnan(treatment.cumulative_difference)


def test_a_metric_without_outcomes_has_days_of_units_alone() -> None:
    outcomes, _ = three_days()
    points = series(outcomes.record, outcomes.data(), "cost")
    assert len(points) == 6
    assert all(point.cumulative_n == 0 and math.isnan(point.cumulative_mean) for point in points)
    assert series(outcomes.record, Outcomes(outcomes.record).data(), None) == []


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    outcomes, _ = three_days()
    with pytest.raises(NotFound, match="search has no metric 'latency'; it has: time, cost"):
        series(outcomes.record, outcomes.data(), "latency")
