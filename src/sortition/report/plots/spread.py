"""How outcomes are spread, a panel for each variant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sortition.report.markup import Element, element
from sortition.report.plots.axes import Axis, horizontal_axis
from sortition.report.plots.marks import WIDTH, drawing, path, series_class, shorten

__all__ = ["Spread", "spread_plot"]

_LEFT, _RIGHT = 150.0, WIDTH - 16
_PANEL, _GAP = 64.0, 12.0
_TOP = 12.0


@dataclass(frozen=True)
class Spread:
    """One variant.

    Attributes:
        name: Its name.
        place: Its place; the control's is 0.
        shares: The share of outcomes in each bin; empty without outcomes.
        quantiles: Names with values, in the metric's unit.
    """

    name: str
    place: int
    shares: Sequence[float]
    quantiles: Sequence[tuple[str, float]] = ()


def spread_plot(
    name: str, title: str, description: str, edges: Sequence[float], logarithmic: bool, spreads: Sequence[Spread], *,
    axis_title: str, label: Callable[[float], str] | None = None,
) -> Element:  # fmt: skip
    """Draws the variants below each other on the same axes; the control's outline is dashed in every other panel.

    Args:
        name: Unique in the report.
        title: What it shows.
        description: What is to be seen.
        edges: The ends of the bins.
        logarithmic: Whether they are equally wide on a logarithmic axis.
        spreads: The variants, the control first.
        axis_title: What the axis shows, with the unit.
        label: Writes a tick; as a plain number when None.
    """
    axis = Axis(edges[0], edges[-1], _LEFT, _RIGHT, logarithmic)
    highest = max((share for each in spreads for share in each.shares), default=0.0) or 1.0
    bottom = _TOP + len(spreads) * (_PANEL + _GAP)
    parts: list[Element] = [horizontal_axis(axis, _TOP, bottom, title=axis_title, label=label)]
    control = next((each for each in spreads if each.place == 0), None)
    for index, each in enumerate(spreads):
        base = _TOP + (index + 1) * (_PANEL + _GAP)
        parts.append(element("text", shorten(each.name, 18), x=4, y=base - 6, class_="label"))
        parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=base, y2=base, class_="base"))
        class_ = series_class(each.place).split()[0]
        if each.shares:
            outline = _steps(each.shares, edges, axis, base, highest)
            parts.append(path(outline, class_=f"band {class_}", closed=True))
            parts.append(path(outline, class_=f"thin {class_}"))
        if control is not None and control.shares and each is not control:
            parts.append(path(_steps(control.shares, edges, axis, base, highest), class_="always s0"))
        parts += [_quantile(title_, value, axis, base) for title_, value in each.quantiles if axis.holds(value)]
    key = ("area: share of outcomes", "dashed outline: the control", "dashed upright: quantiles")
    return drawing(name, title, description, bottom + 46, *parts, key=key)


def _steps(
    shares: Sequence[float], edges: Sequence[float], axis: Axis, base: float, highest: float
) -> list[tuple[float, float]]:
    points = [(axis.place(edges[0]), base)]
    for share, first, last in zip(shares, edges, edges[1:], strict=False):
        height = base - _PANEL * share / highest
        points += [(axis.place(first), height), (axis.place(last), height)]
    return [*points, (axis.place(edges[-1]), base)]


def _quantile(name: str, value: float, axis: Axis, base: float) -> Element:
    place = axis.place(value)
    line = element("line", x1=place, x2=place, y1=base - _PANEL, y2=base, class_="threshold")
    # To the left of the line where there is no room to its right.
    right = place + 30 < _RIGHT
    text = element(
        "text", name, x=place + (3 if right else -3), y=base - _PANEL + 10,
        text_anchor="start" if right else "end", class_="tick",
    )  # fmt: skip
    return element("g", line, text)
