"""A metric over time, letter by letter."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sortition.render import series_view
from sortition.render.plots import interval_plot
from sortition.rpc.v1.analysis_pb2 import Interval, Series, SeriesPoint
from unit.render.search import make_experiment, text

EXPECTED = """\
search-strategy   total_time ↓
day (UTC)   variant     new sessions  that day  sessions so far  so far  difference  interval
2026-01-30  sequential            40  1.92 s                 40  1.92 s
            combined              41  0.81 s                 41  0.81 s  −1.11 s     [−2.00, 0.10]  ├────●──────┼┤
2026-01-31  sequential            60  1.90 s                100  1.91 s
            combined              59  –                     100  0.81 s  −1.10 s     –"""
NARROW = """\
search-strategy   total_time ↓
day (UTC)   new sessions  that day  difference
variant     so far        so far    interval
2026-01-30  40            1.92 s
sequential  40            1.92 s
            41            0.81 s    −1.11 s        ├────●──────┼┤
combined    41            0.81 s    [−2.00, 0.10]"""


def point(day: str, variant: str, new: int, so_far: int, whole: float, **more: Any) -> SeriesPoint:
    return SeriesPoint(day=day, variant=variant, new_units=new, cumulative_units=so_far, cumulative_mean=whole, **more)


def make_series() -> Series:
    first = point("2026-01-30", "combined", 41, 41, 0.81, mean=0.81, cumulative_difference=-1.11)
    first.cumulative_interval.CopyFrom(Interval(lower=-2.0, upper=0.1))
    return Series(
        metric="total_time",
        points=[
            point("2026-01-30", "sequential", 40, 40, 1.92, mean=1.92),
            first,
            point("2026-01-31", "sequential", 60, 100, 1.91, mean=1.9),
            point("2026-01-31", "combined", 59, 100, 0.81, cumulative_difference=-1.1),
        ],
    )


def test_whole_table() -> None:
    assert text(series_view(make_series(), make_experiment()), 130) == EXPECTED


def test_a_narrow_terminal_gets_cells_in_two_lines() -> None:
    assert text(series_view(make_series(), make_experiment()), 80).startswith(NARROW)


def test_before_the_first_day_it_says_so() -> None:
    assert text(series_view(Series(metric="total_time"), make_experiment())).endswith("no outcomes yet")


@pytest.mark.parametrize(
    ("numbers", "drawn"),
    [
        ((-1.0, 0.0, 1.0), "├───────────●───────────┤"),
        ((0.5, 0.75, 1.0), "            │     ├──●──┤"),
        ((-1.0, -0.75, -0.5), "├──●──┤     │            "),
        ((-0.5, 0.5, 1.0), "      ├─────┼─────●─────┤"),
        ((0.0, 0.0, 0.0), "            ●            "),
        ((-7.0, -6.0, 9.0), "●───────────┼───────────┤"),
    ],
)
def test_intervals_are_drawn_to_scale(numbers: tuple[float, float, float], drawn: str) -> None:
    assert interval_plot(*numbers, 1.0) == drawn


@pytest.mark.parametrize("numbers", [(math.nan, 0.0, 1.0, 1.0), (0.0, 0.0, math.inf, 1.0), (0.0, 0.0, 0.0, 0.0)])
def test_what_is_not_known_is_not_drawn(numbers: tuple[float, float, float, float]) -> None:
    assert interval_plot(*numbers) == ""
