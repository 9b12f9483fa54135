"""Axes: from figures to places, and where the ticks are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sortition.report.markup import Element, element

__all__ = ["Axis", "bounds", "horizontal_axis", "tick_label", "vertical_axis"]

_STEPS = (1.0, 2.0, 5.0, 10.0)
# A difference that is smaller than this share of the figures is rounding, and gives no axis.
_SMALLEST_SPAN = 1e-9
# Beyond it digits say less than a power of ten.
_MOST_DIGITS = 6


def bounds(values: Iterable[float], *, room: float = 0.06, holding: Sequence[float] = ()) -> tuple[float, float]:
    """Returns the ends of an axis that holds all finite values with some room beyond them.

    Args:
        values: The figures.
        room: The room at either end, as a share of what they span.
        holding: Figures that are on the axis, too, such as 0.

    Returns:
        Two different finite numbers, ascending, whatever the values are.
    """
    known = [value for value in (*values, *holding) if math.isfinite(value)]
    lower, upper = (min(known), max(known)) if known else (0.0, 1.0)
    span = upper - lower
    size = max(abs(lower), abs(upper))
    if span <= size * _SMALLEST_SPAN:
        span = size or 1.0
        return lower - span / 2, upper + span / 2
    return lower - span * room, upper + span * room


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        lower: The figure at its start.
        upper: The figure at its end, above `lower`.
        start: The place of `lower`, in the plot's own pixels.
        end: The place of `upper`; smaller than `start` for an axis that goes up.
        logarithmic: Whether equal distances are equal ratios; both figures are > 0 then.
    """

    lower: float
    upper: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Returns where a figure is; what is beyond an end is at that end."""
        if self.logarithmic:
            share = math.log(max(value, self.lower) / self.lower) / math.log(self.upper / self.lower)
        else:
            share = (value - self.lower) / (self.upper - self.lower)
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)

    def holds(self, value: float) -> bool:
        """Returns whether a figure is on the axis."""
        return self.lower <= value <= self.upper

    def ticks(self, most: int = 6) -> list[float]:
        """Returns round figures on the axis, ascending: `most` of them at most, if there is a choice."""
        return self._ratios(most) if self.logarithmic else self._steps(most)

    def _steps(self, most: int) -> list[float]:
        span = self.upper - self.lower
        power = 10.0 ** math.floor(math.log10(span / most))
        step = next((factor * power for factor in _STEPS if span / (factor * power) <= most), 10 * power)
        first, last = math.ceil(self.lower / step), math.floor(self.upper / step)
        return [index * step for index in range(first, last + 1)]

    def _ratios(self, most: int) -> list[float]:
        first, last = math.floor(math.log10(self.lower)), math.ceil(math.log10(self.upper))
        for factors in ((1, 2, 5), (1,)):
            found = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
            ticks = [tick for tick in found if self.holds(tick)]
            if len(ticks) <= most:
                break
        return ticks[:: max(1, math.ceil(len(ticks) / most))] if len(ticks) > 1 else [self.lower, self.upper]


def tick_label(value: float, ticks: Sequence[float]) -> str:
    """Writes a tick with as many decimals as its neighbours need: ``−0.5``."""
    if value == 0:
        return "0"
    size = abs(value)
    step = min((abs(after - before) for before, after in pairwise(ticks)), default=size)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    plain = size < 10**_MOST_DIGITS and decimals <= _MOST_DIGITS
    text = f"{size:,.{decimals}f}" if plain else f"{size:.2g}"
    return f"\N{MINUS SIGN}{text}" if value < 0 else text


def horizontal_axis(
    axis: Axis,
    top: float,
    bottom: float,
    *,
    title: str = "",
    label: Callable[[float], str] | None = None,
    zero: bool = False,
    most: int = 6,
) -> Element:
    """Draws an axis along the bottom, with lines upwards at its ticks.

    Args:
        axis: The axis.
        top: How far its lines go up.
        bottom: Where it is.
        title: What it shows, with the unit.
        label: Writes a tick; as a plain number when None.
        zero: Whether 0 has a line of its own.
        most: How many ticks at most.
    """
    ticks = axis.ticks(most)
    parts = []
    for tick in ticks:
        place = axis.place(tick)
        text = label(tick) if label else tick_label(tick, ticks)
        parts.append(element("line", x1=place, x2=place, y1=top, y2=bottom, class_="grid"))
        parts.append(element("text", text, x=place, y=bottom + 16, text_anchor="middle", class_="tick"))
    if zero and axis.holds(0):
        place = axis.place(0)
        parts.append(element("line", x1=place, x2=place, y1=top, y2=bottom, class_="zero"))
    middle = (axis.start + axis.end) / 2
    if title:
        parts.append(element("text", title, x=middle, y=bottom + 36, text_anchor="middle", class_="axis"))
    return element("g", *parts)


def vertical_axis(
    axis: Axis,
    left: float,
    right: float,
    *,
    title: str = "",
    label: Callable[[float], str] | None = None,
    zero: bool = False,
    most: int = 5,
) -> Element:
    """Draws an axis at the left, with lines to the right at its ticks. Arguments as for `horizontal_axis`."""
    ticks = axis.ticks(most)
    parts = []
    for tick in ticks:
        place = axis.place(tick)
        text = label(tick) if label else tick_label(tick, ticks)
        parts.append(element("line", x1=left, x2=right, y1=place, y2=place, class_="grid"))
        parts.append(element("text", text, x=left - 7, y=place + 4, text_anchor="end", class_="tick"))
    if zero and axis.holds(0):
        parts.append(element("line", x1=left, x2=right, y1=axis.place(0), y2=axis.place(0), class_="zero"))
    if title:
        # Above, and not upright beside it, where it would have to be read with a tilted head.
        top = min(axis.start, axis.end)
        parts.append(element("text", title, x=4, y=top - 9, class_="axis"))
    return element("g", *parts)
