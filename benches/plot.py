"""Draws the plot of docs/performance.md: bars, ours beside others', on axes whose equal distances are equal ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from sortition.report.markup import Element, element, number, write
from sortition.report.plots.axes import Axis, horizontal_axis
from sortition.report.plots.marks import WIDTH, path
from sortition.report.style import DARK, LIGHT
from table import Figure
from table import number as written

__all__ = ["OURS", "PANELS", "plot"]

OURS = "sortition"
"""What the names of our own bars begin with."""

_LEFT, _RIGHT = 330.0, 650.0
_ROW, _BAR = 26.0, 15.0
_ROOM = 1.15


@dataclass(frozen=True)
class Panel:
    """The bars of one column of a grid."""

    grid: str
    column: str
    title: str


PANELS = (
    Panel("servers", "requests/s", "Requests a second, one core, 50 in flight: longer is better"),
    Panel("in process", "ns", "Nanoseconds of an assignment in process: shorter is better"),
)
"""What is drawn, from the top down."""


def plot(grids: Mapping[str, Sequence[Figure]]) -> str:
    """Returns the plot as a file of SVG, with the colours for light and for dark in it."""
    y = 8.0
    parts: list[Element] = []
    for panel in PANELS:
        bars = [one for one in grids.get(panel.grid, ()) if one.column == panel.column]
        if bars:
            drawn, y = _panel(panel, bars, y)
            parts.append(drawn)
    svg = element(
        "svg",
        element("title", "What was measured", id="title"),
        element("desc", "; ".join(panel.title for panel in PANELS), id="description"),
        element("style", _style()),
        element("rect", x=0, y=0, width=WIDTH, height=y, class_="page"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(WIDTH)} {number(y)}",
        role="img",
        aria_labelledby="title",
        aria_describedby="description",
    )
    return write(svg) + "\n"


def _panel(panel: Panel, bars: Sequence[Figure], top: float) -> tuple[Element, float]:
    """Draws one panel; returns it and where it ends."""
    least, most = min(min(one.values) for one in bars), max(max(one.values) for one in bars)
    axis = Axis(_round_below(least), most * _ROOM, _LEFT, _RIGHT, logarithmic=True)
    first = top + 34
    bottom = first + _ROW * len(bars)
    parts = [
        element("text", panel.title, x=4, y=top + 18, class_="group"),
        horizontal_axis(axis, first - 4, bottom, label=lambda tick: f"{tick:,.0f}"),
    ]
    for index, one in enumerate(bars):
        parts.append(_bar(one, axis, first + _ROW * (index + 0.5)))
    return element("g", *parts), bottom + 34


def _bar(one: Figure, axis: Axis, y: float) -> Element:
    kind = "ours" if one.row.startswith(OURS) else "theirs"
    end = axis.place(median(one.values))
    low, high = axis.place(min(one.values)), axis.place(max(one.values))
    return element(
        "g",
        element("text", one.row, x=_LEFT - 10, y=y + 4, text_anchor="end", class_="label"),
        element("rect", x=_LEFT, y=y - _BAR / 2, width=end - _LEFT, height=_BAR, class_=kind),
        path([(low, y), (high, y)], class_="spread"),
        *(path([(x, y - 4), (x, y + 4)], class_="spread") for x in (low, high)),
        element("text", written(median(one.values)), x=max(end, high) + 8, y=y + 4, class_="label"),
    )


def _round_below(value: float) -> float:
    """Returns a power of ten that leaves the shortest bar some length."""
    power = 1.0
    while power * 10 <= value / 2:
        power *= 10
    return power


def _style() -> str:
    light, dark = _colours(LIGHT), _colours(DARK)
    return f"""
text{{font:13px system-ui,-apple-system,sans-serif}}
text.group{{font-weight:600}}
text.tick{{font-size:12px}}
.grid{{stroke-width:1}}
.spread{{stroke-width:1.5;fill:none}}
{light}
@media (prefers-color-scheme:dark){{{dark}}}
"""


def _colours(of: Mapping[str, str]) -> str:
    return (
        f".page{{fill:{of['page']}}}text{{fill:{of['text']}}}text.tick{{fill:{of['quiet']}}}"
        f".grid{{stroke:{of['line']}}}.ours{{fill:{of['s1']}}}.theirs{{fill:{of['s0']}}}.spread{{stroke:{of['text']}}}"
    )
