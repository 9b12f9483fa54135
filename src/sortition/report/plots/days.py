"""The axis of days, and lines with gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sortition.report.markup import Element, element

__all__ = ["day_axis", "day_place", "runs"]

_MOST_LABELS = 8


def day_place(index: int, days: Sequence[str], left: float, right: float) -> float:
    """Returns where a day is; a single one is in the middle."""
    if len(days) == 1:
        return (left + right) / 2
    room = min(24.0, (right - left) / (2 * len(days)))
    return left + room + (right - left - 2 * room) * index / (len(days) - 1)


def day_axis(days: Sequence[str], left: float, right: float, bottom: float) -> Element:
    """Draws the days along the bottom; as many of their labels as there is room for."""
    every = max(1, math.ceil(len(days) / _MOST_LABELS))
    parts = [element("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="base")]
    for index in range(0, len(days), every):
        place = day_place(index, days, left, right)
        parts.append(element("line", x1=place, x2=place, y1=bottom, y2=bottom + 4, class_="base"))
        parts.append(element("text", days[index], x=place, y=bottom + 18, text_anchor="middle", class_="tick"))
    return element("g", *parts)


def runs(values: Sequence[float]) -> list[list[int]]:
    """Returns the places of known values, those that follow each other together.

    >>> runs([1.0, 2.0, math.nan, 3.0])
    [[0, 1], [3]]
    """
    found: list[list[int]] = []
    for index, value in enumerate(values):
        if not math.isfinite(value):
            continue
        if found and found[-1][-1] == index - 1:
            found[-1].append(index)
        else:
            found.append([index])
    return found
