"""What more units would find."""

from __future__ import annotations

from collections.abc import Sequence

from sortition.render.numbers import count, percent
from sortition.report.markup import Element, element
from sortition.report.plots.axes import Axis, horizontal_axis, vertical_axis
from sortition.report.plots.marks import WIDTH, drawing, path

__all__ = ["power_plot"]

_LEFT, _RIGHT = 64.0, WIDTH - 24
_TOP, _BOTTOM = 40.0, 250.0


def power_plot(
    name: str, title: str, description: str, points: Sequence[tuple[int, float]], *,
    wanted: float, now: int, needed: int, units: str,
) -> Element:  # fmt: skip
    """Draws power by units, with lines at the wanted power, at today's units and at those that are needed.

    Args:
        name: Unique in the report.
        title: What it shows.
        description: What is to be seen.
        points: Units and power, ascending; one at least.
        wanted: The wanted power.
        now: Today's units.
        needed: Those that are needed; 0 when that is not known.
        units: What units are called, in the plural.
    """
    across = Axis(0.0, max(points[-1][0], now, needed, 1), _LEFT, _RIGHT)
    up = Axis(0.0, 1.0, _BOTTOM, _TOP)
    parts = [
        horizontal_axis(across, _TOP, _BOTTOM, title=units, label=lambda tick: count(round(tick))),
        vertical_axis(up, _LEFT, _RIGHT, label=lambda tick: percent(tick, 0)),
        element("line", x1=_LEFT, x2=_RIGHT, y1=up.place(wanted), y2=up.place(wanted), class_="threshold"),
        element("text", f"wanted: {percent(wanted, 0)}", x=_LEFT + 6, y=up.place(wanted) - 5, class_="note"),
        path([(across.place(units_), up.place(power)) for units_, power in points], class_="line s1"),
    ]
    # Each has a line of its own above the plot, so that they do not meet.
    for row, (word, value) in enumerate((("now", now), ("needed", needed))):
        if value:
            parts += _line(f"{word}: {count(value)}", across.place(value), _TOP - 22 + 15 * row, word)
    return drawing(name, title, description, _BOTTOM + 46, *parts)


def _line(text: str, x: float, y: float, kind: str) -> list[Element]:
    # Towards the middle, where there is room.
    step, anchor = (-5, "end") if x > (_LEFT + _RIGHT) / 2 else (5, "start")
    label = element("text", text, x=x + step, y=y + 4, text_anchor=anchor, class_="note")
    return [element("line", x1=x, x2=x, y1=y - 6, y2=_BOTTOM, class_=kind), label]
