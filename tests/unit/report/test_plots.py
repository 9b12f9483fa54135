"""Plots put figures where they belong."""

from __future__ import annotations

import math
import re

import pytest

from sortition.report.markup import Element
from sortition.report.plots import (
    Effect,
    EffectDay,
    IntervalRow,
    Line,
    ShareRow,
    Spread,
    effect_plot,
    interval_plot,
    line_plot,
    power_plot,
    share_plot,
    spread_plot,
)
from sortition.report.plots.axes import Axis, bounds, tick_label
from sortition.report.plots.days import runs

MINUS = "\N{MINUS SIGN}"


def elements(root: Element, class_: str) -> list[dict[str, str]]:
    """Returns the attributes of the elements of a class, in order."""
    found = []
    for child in root.children:
        if isinstance(child, Element):
            attributes = dict(child.attributes)
            if class_ in attributes.get("class", "").split():
                found.append(attributes)
            found += elements(child, class_)
    return found


def texts(root: Element, class_: str) -> list[str]:
    found: list[str] = []
    for child in root.children:
        if isinstance(child, Element):
            if class_ in dict(child.attributes).get("class", "").split():
                found.append("".join(each for each in child.children if isinstance(each, str)))
            found += texts(child, class_)
    return found


def points(path: dict[str, str]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path["d"])]


def row(value: float, lower: float, upper: float, **more: object) -> IntervalRow:
    return IntervalRow("m", "b", 1, value, lower, upper, **more)  # type: ignore[arg-type]


def test_an_axis_is_linear_or_logarithmic_and_keeps_to_its_ends() -> None:
    axis = Axis(-1.0, 3.0, 100.0, 500.0)
    assert [axis.place(value) for value in (-1, 0, 1, 3)] == [100, 200, 300, 500]
    assert (axis.place(-9), axis.place(9)) == (100, 500)
    ratios = Axis(1.0, 1000.0, 0.0, 300.0, logarithmic=True)
    assert [round(ratios.place(value)) for value in (0.01, 1, 10, 100, 1000, 1e9)] == [0, 0, 100, 200, 300, 300]
    assert ratios.ticks(4) == [1, 10, 100, 1000]


@pytest.mark.parametrize(
    ("lower", "upper"),
    [(0, 1), (-0.31, 0.07), (-5, 1e6), (1e9, 1e9 + 1e-3), (-1e-12, 1e-12), (1e-300, 1e-299), (0, 1e99)],
)
def test_ticks_are_few_round_and_on_the_axis(lower: float, upper: float) -> None:
    axis = Axis(lower, upper, 0.0, 100.0)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    assert all(axis.holds(tick) or math.isclose(tick, lower) or math.isclose(tick, upper) for tick in ticks)
    labels = [tick_label(tick, ticks) for tick in ticks]
    assert all(len(label) <= 14 for label in labels)


def test_tick_labels_have_the_decimals_they_need() -> None:
    assert [tick_label(tick, [-0.5, 0.0, 0.5]) for tick in (-0.5, 0.0, 0.5)] == [f"{MINUS}0.5", "0", "0.5"]
    assert tick_label(1500.0, [1000.0, 1500.0]) == "1,500"
    assert tick_label(0.25, [0.2, 0.25]) == "0.25"


@pytest.mark.parametrize("values", [[], [math.nan], [5.0], [0.0], [5.0, 5.0], [1e9, 1e9 + 1e-9], [math.inf, 2.0]])
def test_an_axis_has_two_ends_whatever_it_shows(values: list[float]) -> None:
    lower, upper = bounds(values)
    assert math.isfinite(lower)
    assert math.isfinite(upper)
    assert lower < upper
    assert all(lower <= value <= upper for value in values if math.isfinite(value))


def test_an_interval_is_drawn_from_end_to_end_around_its_value() -> None:
    rows = [row(-0.2, -0.4, 0.0, tone="good"), row(0.1, -0.1, 0.3)]
    drawn = interval_plot("n", "t", "d", rows)
    zero = float(elements(drawn, "zero")[0]["x1"])
    spans = [points(each) for each in elements(drawn, "interval")]
    first, _, _, second, _, _ = spans
    (left, _), (right, _) = first
    assert right == pytest.approx(zero)
    square = elements(drawn, "mark")[0]
    assert float(square["x"]) + float(square["width"]) / 2 == pytest.approx((left + right) / 2, abs=0.02)
    (start, _), (end, _) = second
    # Both are 0.4 long, on one axis.
    assert end - start == pytest.approx(right - left, abs=0.02)
    assert start == pytest.approx((left + zero) / 2 + (zero - left) / 4, abs=0.02)
    assert "hollow" in elements(drawn, "mark")[1]["class"]
    assert "hollow" not in square["class"]


def test_an_interval_beyond_the_axis_ends_in_an_arrow_and_the_rest_stays_readable() -> None:
    rows = [row(0.1, 0.05, 0.15), row(0.1, -1000.0, 1000.0), row(math.nan, math.nan, math.nan)]
    drawn = interval_plot("n", "t", "d", rows)
    spans = [points(each) for each in elements(drawn, "interval")]
    readable = spans[0]
    assert readable[1][0] - readable[0][0] > 10
    arrows = spans[4:6]
    assert all(len(each) == 3 for each in arrows)
    assert all(len(each) == 2 for each in spans[:4])
    assert texts(drawn, "note")[0] == "not known"


def test_thresholds_and_wider_intervals_are_drawn_where_they_are() -> None:
    drawn = interval_plot("n", "t", "d", [row(0.2, 0.1, 0.3, outer=(0.0, 0.4), threshold=0.1)])
    (lower, _), (upper, _) = points(elements(drawn, "outer")[0])
    (inner, _), _ = points(elements(drawn, "interval")[0])
    assert lower == pytest.approx(float(elements(drawn, "zero")[0]["x1"]))
    assert inner == pytest.approx(float(elements(drawn, "threshold")[0]["x1"]))
    assert lower < inner < upper
    assert texts(drawn, "note")[-1].startswith("thick: the interval · thin:")


DAYS = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]


def test_an_effect_has_its_area_inside_its_confidence_sequence() -> None:
    days = [
        EffectDay(-1.0, -1.0 - room, -1.0 + room, (-1.0 - 2 * room, -1.0 + 2 * room)) for room in (0.8, 0.4, 0.3, 0.2)
    ]
    drawn = effect_plot("n", "t", "d", DAYS, [Effect("b", 1, days)], axis_title="s")
    area = points(elements(drawn, "band")[0])
    assert len(area) == 8
    line = points(elements(drawn, "line")[0])
    lower, upper = points(elements(drawn, "always")[0]), points(elements(drawn, "always")[1])
    for day in range(4):
        assert upper[day][1] < area[7 - day][1] < line[day][1] < area[day][1] < lower[day][1]
        assert area[day][0] == line[day][0] == lower[day][0]


def test_days_without_figures_are_gaps_and_a_single_day_is_a_bar() -> None:
    assert runs([math.nan, 1.0, 2.0, math.nan, 3.0]) == [[1, 2], [4]]
    drawn = line_plot("n", "t", "d", DAYS, [Line("a", 0, [1.0, 2.0, math.nan, 3.0])], axis_title="s")
    # One of the lines belongs to the legend.
    assert [len(points(each)) for each in elements(drawn, "line")] == [2, 2, 1]
    single = effect_plot("n", "t", "d", DAYS[:1], [Effect("b", 1, [EffectDay(1.0, 0.5, 1.5)])], axis_title="s")
    (x, top), (same, bottom) = points(elements(single, "interval")[0])
    assert x == same
    assert abs(top - bottom) > 20


def test_the_height_of_a_bin_is_its_share() -> None:
    spreads = [Spread("a", 0, [0.2, 0.4, 0.1]), Spread("b", 1, [0.1, 0.1, 0.8], [("p50", 2.5)]), Spread("c", 2, [])]
    drawn = spread_plot("n", "t", "d", [0.0, 1.0, 2.0, 3.0], False, spreads, axis_title="s")
    outlines = [points(each) for each in elements(drawn, "thin")]
    assert len(outlines) == 2, "a variant without outcomes has a panel and no outline"
    assert len(elements(drawn, "always")) == 2, "the control is behind every other variant, too"
    heights = [[outline[0][1] - outline[place][1] for place in (1, 3, 5)] for outline in outlines]
    assert [round(height / heights[1][2], 3) for height in heights[0]] == [0.25, 0.5, 0.125]
    place = float(elements(drawn, "threshold")[0]["x1"])
    assert place == pytest.approx((outlines[1][5][0] + outlines[1][6][0]) / 2, abs=0.02)


def test_bars_are_as_long_as_their_shares() -> None:
    rows = [ShareRow("a", 0.5, 0.25), ShareRow("b", 0.25), ShareRow("c", math.nan)]
    drawn = share_plot("n", "t", "d", rows)
    long, short = elements(drawn, "bar")
    assert float(long["width"]) == pytest.approx(2 * float(short["width"]), abs=0.02)
    assert float(elements(drawn, "expected")[0]["x1"]) == pytest.approx(
        float(short["x"]) + float(short["width"]), abs=0.02
    )


def test_power_crosses_what_is_wanted_at_what_is_needed() -> None:
    curve = [(100, 0.2), (400, 0.8), (700, 0.95)]
    drawn = power_plot("n", "t", "d", curve, wanted=0.8, now=300, needed=400, units="sessions")
    (_, _), (x, y), (_, _) = points(elements(drawn, "line")[0])
    assert float(elements(drawn, "needed")[0]["x1"]) == pytest.approx(x)
    assert float(elements(drawn, "threshold")[0]["y1"]) == pytest.approx(y)
    assert float(elements(drawn, "now")[0]["x1"]) < x
