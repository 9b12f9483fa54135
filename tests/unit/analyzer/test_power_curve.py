"""Power curves agree with the figures they are drawn beside."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats

from analyzer_samples import make_record
from sortition.analyzer.plots import PowerPoint
from sortition.analyzer.power_curve import power_curve
from sortition.analyzer.result import PowerResult

FOUND = {"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"}
POLICIES: list[dict[str, Any]] = [
    {"policy": "fixed_horizon"},
    {"policy": "sequential"},
    {"policy": "group_sequential", "looks": [100, 200, 400]},
]


def curve(units: int, needed: int = 1000, **decision: Any) -> dict[int, PowerPoint]:
    spec = make_record([FOUND], {"old": 50, "new": 50}, **{"power": 0.8, "mde": 0.05, **decision}).spec
    found = power_curve(spec, PowerResult(needed // 2, needed), units)
    assert found.reason == ""
    return {point.units: point for point in found.points}


@pytest.mark.parametrize("decision", POLICIES, ids=lambda decision: str(decision["policy"]))
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_what_is_needed_gives_the_wanted_power_and_effect(decision: dict[str, Any], power: float) -> None:
    points = curve(300, **decision, power=power)
    assert points[1000].power == pytest.approx(power, abs=1e-3)
    assert points[1000].mde == 0.05
    assert 0 < points[300].power < power
    assert list(points) == sorted(points)
    powers = [point.power for point in points.values()]
    assert powers == sorted(powers)
    assert 0 <= powers[0] < 0.1
    assert power < powers[-1] <= 1
    mdes = [point.mde for point in points.values()]
    assert mdes == sorted(mdes, reverse=True)


def test_power_is_that_of_the_textbook() -> None:
    # A z-test: Φ(δ/σ − z) + Φ(−δ/σ − z), where δ/σ at n units is that of the wanted power times √(n / needed).
    points = curve(250, policy="fixed_horizon")
    wanted = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    for units in (250, 1000):
        shift = wanted * (units / 1000) ** 0.5
        expected = stats.norm.sf(1.959964 - shift) + stats.norm.cdf(-1.959964 - shift)
        assert points[units].power == pytest.approx(expected, abs=2e-5)
    # Four times the units find half the effect.
    assert points[250].mde == pytest.approx(0.1)


def test_the_curve_reaches_what_is_there_but_not_for_ever() -> None:
    assert 2500 in curve(2500)
    assert max(curve(2500)) >= 2500
    assert max(curve(10**9)) == 3000
    assert max(curve(0)) == 1600


def test_without_an_answer_there_is_a_reason() -> None:
    spec = make_record([FOUND], {"old": 50, "new": 50}).spec
    found = power_curve(spec, PowerResult(0, 0, reason="the control has no outcomes yet"), 10)
    assert (found.points, found.reason) == ((), "the control has no outcomes yet")
    assert power_curve(spec, PowerResult(0, 0), 10).reason
