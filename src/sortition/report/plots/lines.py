"""Lines over days, one for each variant."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sortition.report.markup import Element
from sortition.report.plots.axes import Axis, bounds, vertical_axis
from sortition.report.plots.days import day_axis, day_place, runs
from sortition.report.plots.marks import WIDTH, drawing, legend, marker, path, series_class

__all__ = ["Line", "line_plot"]

_LEFT, _RIGHT = 84.0, WIDTH - 16
_HEIGHT = 220.0


@dataclass(frozen=True)
class Line:
    """One variant by day: its name, its place among the series (the control is 0), and NaN on days without outcomes."""

    name: str
    place: int
    values: Sequence[float]


def line_plot(
    name: str, title: str, description: str, days: Sequence[str], lines: Sequence[Line], *,
    axis_title: str, label: Callable[[float], str] | None = None,
) -> Element:  # fmt: skip
    """Draws all variants on the same axes."""
    names, room = legend([(line.place, line.name) for line in lines], left=_LEFT, top=14)
    top = 14 + room + 22
    axis = Axis(*bounds([value for line in lines for value in line.values]), top + _HEIGHT, top)
    parts = [names, vertical_axis(axis, _LEFT, _RIGHT, title=axis_title, label=label)]
    for line in lines:
        spots = [(day_place(index, days, _LEFT, _RIGHT), value) for index, value in enumerate(line.values)]
        for run in runs(line.values):
            points = [(spots[each][0], axis.place(spots[each][1])) for each in run]
            parts.append(path(points, class_=f"line {series_class(line.place)}"))
        parts += [marker(line.place, x, axis.place(value)) for x, value in spots if math.isfinite(value)]
    parts.append(day_axis(days, _LEFT, _RIGHT, top + _HEIGHT))
    return drawing(name, title, description, top + _HEIGHT + 30, *parts)
