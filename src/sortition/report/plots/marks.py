"""What series are drawn with: each has its colour, its shape and its kind of line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sortition.report.markup import Element, element, number

__all__ = ["COLOURS", "MAX_DRAWN", "WIDTH", "drawing", "legend", "marker", "path", "series_class", "shorten"]

WIDTH = 760.0
"""Every plot is so many of its own pixels wide; the page scales it."""
COLOURS = 8
"""Series beyond so many begin again with the first colour but the control's; their shapes and lines differ."""
MAX_DRAWN = 8
"""More series than this in one plot tell nobody anything; tables have them all."""
_SHAPES = 6
_LINES = 4
_RADIUS = 4.5
_LETTERS = 26
# The line below a plot that says what its lines mean.
_KEY = 18.0


def series_class(place: int) -> str:
    """Returns the classes that give a series its colour and its kind of line; the control is 0."""
    colour = place if place < COLOURS else 1 + (place - 1) % (COLOURS - 1)
    return f"s{colour} d{place % _LINES}"


def marker(place: int, x: float, y: float, *, hollow: bool = False, radius: float = _RADIUS, tone: str = "") -> Element:
    """Draws the shape of a series.

    Args:
        place: The series' place; the control is 0.
        x: The centre.
        y: The centre.
        hollow: Whether it is an outline.
        radius: Half its size.
        tone: A class that gives it another colour than the series'.
    """
    class_ = f"mark{' hollow' if hollow else ''} {tone or series_class(place).split()[0]}"
    shape = place % _SHAPES
    if shape == 0:
        return element("circle", cx=x, cy=y, r=radius, class_=class_)
    if shape == 1:
        return element("rect", x=x - radius, y=y - radius, width=2 * radius, height=2 * radius, class_=class_)
    # The others are polygons with their first corner at the top.
    corners = {2: 3, 3: 4, 4: 5, 5: 6}[shape]
    size = radius * 1.3
    angles = [2 * math.pi * corner / corners for corner in range(corners)]
    points = " ".join(f"{number(x + size * math.sin(each))},{number(y - size * math.cos(each))}" for each in angles)
    return element("polygon", points=points, class_=class_)


def path(points: Sequence[tuple[float, float]], *, class_: str, closed: bool = False) -> Element:
    """Draws a line through points, or the area inside of them."""
    text = " ".join(f"{'L' if index else 'M'}{number(x)} {number(y)}" for index, (x, y) in enumerate(points))
    return element("path", d=f"{text} Z" if closed else text, class_=class_)


def legend(names: Sequence[tuple[int, str]], *, left: float, top: float) -> tuple[Element, float]:
    """Draws what each series is called, in as many rows as it takes.

    Args:
        names: Places with names.
        left: Where rows begin.
        top: The middle of the first row.

    Returns:
        The legend, and how high it is.
    """
    parts: list[Element] = []
    x, y = left, top
    for place, name in names:
        text = shorten(name)
        width = 44 + 7.4 * len(text)
        if x + width > WIDTH and x > left:
            x, y = left, y + 22
        parts.append(path([(x, y), (x + 24, y)], class_=f"line {series_class(place)}"))
        parts.append(marker(place, x + 12, y))
        parts.append(element("text", text, x=x + 31, y=y + 4, class_="label"))
        x += width
    return element("g", *parts), y - top + 22


def shorten(name: str, letters: int = _LETTERS) -> str:
    """Returns a name that has room in a plot; tables and titles have it whole."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def drawing(
    name: str, title: str, description: str, height: float, *parts: Element | None, key: Sequence[str] = ()
) -> Element:
    """Makes the SVG element of a plot.

    Args:
        name: Unique in the report; makes the ids that tie title and description to it.
        title: What it shows.
        description: What is to be seen.
        height: In its own pixels.
        parts: What is drawn, from the bottom up.
        key: What lines and areas mean, a few words each; written below.
    """
    said = element("text", " · ".join(key), x=4, y=height + 8, class_="note") if key else None
    height += _KEY if key else 0.0
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-description"),
        *parts,
        said,
        class_="plot",
        viewBox=f"0 0 {number(WIDTH)} {number(height)}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-description",
    )
