"""Relative differences with their intervals, one below the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sortition.render.numbers import MINUS, relative
from sortition.report.markup import Element, element
from sortition.report.plots.axes import Axis, horizontal_axis
from sortition.report.plots.marks import drawing, marker, path, shorten

__all__ = ["MAX_ROWS", "IntervalRow", "interval_plot"]

MAX_ROWS = 40
_ROW = 30.0
_GROUP = 26.0
_LEFT, _RIGHT = 190.0, 560.0
_TOP = 16.0
# One interval that reaches far beyond all that was found would press the others into a point.
_REACH = 6.0


@dataclass(frozen=True)
class IntervalRow:
    """One interval. Differences are shares: 0.05 is 5 %.

    Attributes:
        group: What it is of; rows of one group follow each other below its name.
        label: Who it is of.
        place: The series it belongs to; gives the shape.
        value: The difference.
        lower: The lower end of its interval.
        upper: The upper end.
        outer: The ends of a wider interval that holds at every look; None when there is none.
        threshold: What it is to be compared with: the minimum detectable effect, or a guardrail's margin; None without.
        word: What it comes to, in a word.
        tone: "good", "bad" or "plain".
    """

    group: str
    label: str
    place: int
    value: float
    lower: float
    upper: float
    outer: tuple[float, float] | None = None
    threshold: float | None = None
    word: str = ""
    tone: str = "plain"


def interval_plot(name: str, title: str, description: str, rows: Sequence[IntervalRow]) -> Element:
    """Draws intervals on one axis of relative differences, with a line at 0.

    An interval that reaches beyond the axis ends in an arrow. What is not known is said in words.
    """
    axis = Axis(*_ends(rows), _LEFT, _RIGHT)
    parts: list[Element] = []
    y, group = _TOP, ""
    for row in rows[:MAX_ROWS]:
        if row.group != group:
            y += _GROUP
            parts.append(element("text", shorten(row.group, 60), x=4, y=y - 4, class_="group"))
            group = row.group
        y += _ROW
        parts.append(_row(row, axis, y - _ROW / 2))
    under = horizontal_axis(
        axis, _TOP, y + 4, title="relative difference to the control", label=_percent(axis), zero=True
    )
    return drawing(name, title, description, y + 50, under, *parts, key=_key(rows))


def _key(rows: Sequence[IntervalRow]) -> list[str]:
    key = ["thick: the interval"]
    if any(row.outer for row in rows):
        key.append("thin: what holds at every look")
    if any(row.threshold is not None for row in rows):
        key.append("dashed: the minimum detectable effect, or the margin of a guardrail")
    return [*key, "hollow: not significant"] if any(row.tone == "plain" for row in rows) else key


def _ends(rows: Sequence[IntervalRow]) -> tuple[float, float]:
    marks = [abs(each) for row in rows for each in (row.value, row.threshold or 0.0) if math.isfinite(each)]
    limit = _REACH * max(marks, default=0.0)
    inner = [min(abs(row.upper - row.lower), 10.0) for row in rows if math.isfinite(row.upper - row.lower)]
    limit = max(limit, min(inner, default=0.0)) or 0.1
    ends = [end for row in rows for end in (row.lower, row.upper, *(row.outer or ())) if math.isfinite(end)]
    ends += [row.threshold for row in rows if row.threshold is not None]
    lower, upper = max(min(ends, default=-limit), -limit), min(max(ends, default=limit), limit)
    lower, upper = min(lower, 0.0), max(upper, 0.0)
    room = max(0.04 * (upper - lower), 1e-6)
    return lower - room, upper + room


def _percent(axis: Axis) -> Callable[[float], str]:
    ticks = axis.ticks()
    step = min((after - before for before, after in pairwise(ticks)), default=0.1)
    decimals = max(0, -math.floor(math.log10(step * 100) + 1e-9))

    def label(tick: float) -> str:
        size = f"{abs(tick) * 100:,.{decimals}f} %"
        return size if tick == 0 else f"{'+' if tick > 0 else MINUS}{size}"

    return label


def _row(row: IntervalRow, axis: Axis, y: float) -> Element:
    parts = [element("text", shorten(row.label, 24), x=16, y=y + 4, class_="label")]
    if not math.isfinite(row.value):
        parts.append(element("text", "not known", x=_RIGHT + 14, y=y + 4, class_="note"))
        return element("g", *parts)
    if row.threshold is not None and axis.holds(row.threshold):
        place = axis.place(row.threshold)
        parts.append(element("line", x1=place, x2=place, y1=y - 12, y2=y + 12, class_="threshold"))
    if row.outer and all(map(math.isfinite, row.outer)):
        first, last = axis.place(row.outer[0]), axis.place(row.outer[1])
        parts.append(path([(first, y), (last, y)], class_="outer"))
        parts += [path([(end, y - 4), (end, y + 4)], class_="outer") for end in (first, last)]
    if math.isfinite(row.lower) and math.isfinite(row.upper):
        parts.append(path([(axis.place(row.lower), y), (axis.place(row.upper), y)], class_=f"interval {row.tone}"))
        parts += [_end(row.lower, axis, y, row.tone), _end(row.upper, axis, y, row.tone)]
    parts.append(marker(row.place, axis.place(row.value), y, hollow=row.tone == "plain", tone=f"t-{row.tone}"))
    said = f"{relative(row.value)}  {row.word}".rstrip()
    parts.append(element("text", said, x=_RIGHT + 14, y=y + 4, class_=f"label t-{row.tone}"))
    return element("g", *parts)


def _end(value: float, axis: Axis, y: float, tone: str) -> Element:
    place = axis.place(value)
    if axis.holds(value):
        return path([(place, y - 6), (place, y + 6)], class_=f"interval {tone}")
    back = 7 if value < axis.lower else -7
    return path([(place + back, y - 6), (place, y), (place + back, y + 6)], class_=f"interval {tone}")
