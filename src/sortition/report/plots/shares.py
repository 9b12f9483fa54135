"""Shares as bars, each beside the one that was to be expected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sortition.render.numbers import percent
from sortition.report.markup import Element, element
from sortition.report.plots.axes import Axis, horizontal_axis
from sortition.report.plots.marks import drawing, shorten

__all__ = ["ShareRow", "share_plot"]

_LEFT, _RIGHT = 170.0, 620.0
_ROW, _BAR, _TOP = 34.0, 16.0, 10.0


@dataclass(frozen=True)
class ShareRow:
    """One bar.

    Attributes:
        label: What it is of.
        share: In [0, 1]; NaN when it is not known.
        expected: What it was to be; None when nothing was.
        word: What it comes to.
        tone: "good", "bad", "doubt" or "plain".
    """

    label: str
    share: float
    expected: float | None = None
    word: str = ""
    tone: str = "plain"


def share_plot(name: str, title: str, description: str, rows: Sequence[ShareRow], *, whole: bool = False) -> Element:
    """Draws bars from 0; a line across a bar is what was to be expected.

    Args:
        name: Unique in the report.
        title: What it shows.
        description: What is to be seen.
        rows: The bars.
        whole: Whether they are scores rather than shares: the axis goes to 1 whatever they are, and has no percent.
    """
    shares = [each for row in rows for each in (row.share, row.expected or 0.0) if math.isfinite(each)]
    upper = 1.0 if whole else min(1.0, max(max(shares, default=0.0) * 1.15, 0.01))
    axis = Axis(0.0, upper, _LEFT, _RIGHT)
    bottom = _TOP + len(rows) * _ROW
    parts = [horizontal_axis(axis, _TOP, bottom, label=None if whole else _percent(upper))]
    for index, row in enumerate(rows):
        y = _TOP + (index + 0.5) * _ROW
        parts.append(element("text", shorten(row.label, 22), x=4, y=y + 4, class_="label"))
        if math.isfinite(row.share):
            width = axis.place(row.share) - _LEFT
            parts.append(element("rect", x=_LEFT, y=y - _BAR / 2, width=width, height=_BAR, class_=f"bar t-{row.tone}"))
        if row.expected is not None:
            place = axis.place(row.expected)
            parts.append(element("line", x1=place, x2=place, y1=y - 13, y2=y + 13, class_="expected"))
        parts.append(element("text", row.word, x=_RIGHT + 12, y=y + 4, class_=f"label t-{row.tone}"))
    key = ["line across a bar: what was declared"] if any(row.expected is not None for row in rows) else []
    return drawing(name, title, description, bottom + 28, *parts, key=key)


def _percent(upper: float) -> Callable[[float], str]:
    return lambda tick: percent(tick, 0 if upper > 0.1 else 1)
