"""How an accumulated difference settles, with its interval and its confidence sequence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sortition.report.markup import Element, element
from sortition.report.plots.axes import Axis, bounds, vertical_axis
from sortition.report.plots.days import day_axis, day_place, runs
from sortition.report.plots.marks import WIDTH, drawing, marker, path, series_class, shorten

__all__ = ["Effect", "EffectDay", "effect_plot"]

_LEFT, _RIGHT = 84.0, WIDTH - 16
_PANEL = 170.0
_TOP, _GAP, _BOTTOM = 46.0, 58.0, 38.0
# The first days' intervals are many times as wide as the last ones, which are what matters.
_REACH = 3.0


@dataclass(frozen=True)
class EffectDay:
    """A treatment's accumulated difference on one day; NaN for what is not known.

    Attributes:
        value: The difference, in the metric's unit.
        lower: The lower end of its interval.
        upper: The upper end.
        always: The ends of its confidence sequence.
    """

    value: float
    lower: float = math.nan
    upper: float = math.nan
    always: tuple[float, float] = (math.nan, math.nan)


@dataclass(frozen=True)
class Effect:
    """A treatment's accumulated difference by day.

    Attributes:
        name: The treatment's name.
        place: Its place; the control's is 0.
        days: One for each day of the plot; None where it has none.
    """

    name: str
    place: int
    days: Sequence[EffectDay | None]


def effect_plot(
    name: str, title: str, description: str, days: Sequence[str], effects: Sequence[Effect], *,
    axis_title: str, label: Callable[[float], str] | None = None,
) -> Element:  # fmt: skip
    """Draws a panel for each treatment, all on the same axes.

    The area is the interval of the policy that decides; the dashed lines are the confidence sequence.
    """
    ends = _ends(effects)
    parts: list[Element] = []
    for index, effect in enumerate(effects):
        top = _TOP + index * (_PANEL + _GAP)
        axis = Axis(*ends, top + _PANEL, top)
        heading = shorten(effect.name, 60)
        parts.append(element("text", heading, x=_LEFT, y=top - 9, class_="group"))
        shown = axis_title if index == 0 else ""
        parts.append(vertical_axis(axis, _LEFT, _RIGHT, label=label, zero=True))
        if shown:
            parts.append(element("text", shown, x=_LEFT, y=top - 28, class_="axis"))
        parts.append(_panel(f"{name}-clip-{index}", effect, days, axis, top))
        parts.append(day_axis(days, _LEFT, _RIGHT, top + _PANEL))
    height = _TOP + len(effects) * (_PANEL + _GAP) - _GAP + _BOTTOM
    key = (
        "line: the difference",
        "area: its interval",
        "dashed: its confidence sequence, which holds on all days together",
    )
    return drawing(name, title, description, height, *parts, key=key)


def _ends(effects: Sequence[Effect]) -> tuple[float, float]:
    known = [[day for day in effect.days if day and math.isfinite(day.value)] for effect in effects]
    last = [days[-1] for days in known if days]
    wide = [each for day in last for each in (day.lower, day.upper, *day.always, day.value) if math.isfinite(each)]
    reach = _REACH * max((abs(each) for each in wide), default=math.inf)
    every = [
        each for days in known for day in days for each in (day.lower, day.upper, *day.always) if math.isfinite(each)
    ]
    values = [day.value for days in known for day in days]
    return bounds([min(max(each, -reach), reach) for each in (*every, *values)], holding=(0.0,))


def _panel(clip: str, effect: Effect, days: Sequence[str], axis: Axis, top: float) -> Element:
    area = element("rect", x=_LEFT - 1, y=top, width=_RIGHT - _LEFT + 2, height=_PANEL)
    parts: list[Element] = [element("clipPath", area, id=clip)]
    drawn: list[Element] = []
    class_ = series_class(effect.place).split()[0]

    def at(index: int, value: float) -> tuple[float, float]:
        return day_place(index, days, _LEFT, _RIGHT), axis.place(value)

    bands = [(day.lower, day.upper) if day else (math.nan, math.nan) for day in effect.days]
    outer = [day.always if day else (math.nan, math.nan) for day in effect.days]
    for run in runs([pair[1] - pair[0] for pair in bands]):
        if len(run) == 1:
            single = [at(run[0], end) for end in bands[run[0]]]
            drawn.append(path(single, class_=f"interval {class_}"))
        edge = [at(each, bands[each][0]) for each in run] + [at(each, bands[each][1]) for each in reversed(run)]
        drawn.append(path(edge, class_=f"band {class_}", closed=True))
    for run in runs([pair[1] - pair[0] for pair in outer]):
        for side in (0, 1):
            line = [at(each, outer[each][side]) for each in run]
            if len(line) == 1:
                x, y = line[0]
                line = [(x - 6, y), (x + 6, y)]
            drawn.append(path(line, class_=f"always {class_}"))
    values = [day.value if day else math.nan for day in effect.days]
    for run in runs(values):
        drawn.append(path([at(each, values[each]) for each in run], class_=f"line {class_}"))
    drawn += [
        marker(effect.place, *at(index, value))
        for index, value in enumerate(values)
        if math.isfinite(value) and axis.holds(value)
    ]
    parts.append(element("g", *drawn, clip_path=f"url(#{clip})"))
    return element("g", *parts)
