"""Plots that are made of characters."""

from __future__ import annotations

import math

__all__ = ["interval_plot"]

_CELLS = 25


def interval_plot(lower: float, value: float, upper: float, reach: float) -> str:
    """Draws a value and its interval on an axis from -`reach` to `reach`, with a bar at 0: ``├─●─┤ │``.

    Returns:
        25 characters; empty when a number is not finite or `reach` is not > 0.
    """
    if not (all(map(math.isfinite, (lower, value, upper, reach))) and reach > 0):
        return ""

    def place(number: float) -> int:
        return round((min(max(number / reach, -1.0), 1.0) + 1) / 2 * (_CELLS - 1))

    first, last = place(lower), place(upper)
    cells = [" "] * _CELLS
    cells[first : last + 1] = "─" * (last + 1 - first)
    cells[first], cells[last] = "├", "┤"
    # An interval that holds 0 shows where; the value itself is the last to give way.
    cells[place(0.0)] = "┼" if first <= place(0.0) <= last else "│"
    cells[place(value)] = "●"
    return "".join(cells)
