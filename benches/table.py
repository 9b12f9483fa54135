"""Figures beside what they are compared with, and figures of one kind beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

__all__ = ["Figure", "Row", "Table", "ratio_text", "span"]


@dataclass(frozen=True)
class Row:
    """One line of a table of ratios: a figure beside what it is compared with, measured in the same run.

    Attributes:
        work: What is done.
        ours: What was measured, one figure a round.
        beside: What it is compared with.
        theirs: The same of that, in the same rounds.
        unit: Of both.
        target: What the ratio should be, such as ``≤ 0.5``; what our own figure should be where a unit stands behind
            it, such as ``≤ 2 µs``; ``-`` for no target.
        headline: Whether the figure stands in the summary.
    """

    work: str
    ours: Sequence[float]
    beside: str
    theirs: Sequence[float]
    unit: str
    target: str
    headline: bool = False

    @property
    def ratios(self) -> list[float]:
        """Our figure by theirs, round by round."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def met(self) -> bool | None:
        """Whether the target is met by the median; None where there is none."""
        sign, _, rest = self.target.partition(" ")
        if sign not in ("≤", "≥"):
            return None
        number, _, unit = rest.partition(" ")
        value = median(self.ours if unit else self.ratios)
        return value <= float(number) if sign == "≤" else value >= float(number)

    def cells(self) -> tuple[str, ...]:
        """Returns the line's texts; the ratio of a target that is missed is bold."""
        ratio = ratio_text(self.ratios)
        return (
            self.work,
            f"{span(self.ours)} {self.unit}",
            f"{self.beside}: {span(self.theirs)} {self.unit}",
            f"**{ratio}**" if self.met is False else ratio,
            self.target,
        )


@dataclass(frozen=True)
class Figure:
    """One place of a grid.

    Attributes:
        grid: Which grid.
        row: The head of its row.
        column: The head of its column, with the unit.
        values: What was measured, one figure a round.
    """

    grid: str
    row: str
    column: str
    values: Sequence[float]


def ratio_text(ratios: Sequence[float]) -> str:
    """Returns the median with the digits that it deserves."""
    middle = median(ratios)
    return f"{middle:.2f}" if middle >= 0.1 else f"{middle:.2g}"


def number(value: float) -> str:
    """Returns four significant digits, without an exponent: ``189,300``, ``62.14``."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.4g}")
    decimals = max(0, 4 - len(str(int(abs(rounded))))) if abs(rounded) >= 1 else 4
    return f"{rounded:,.{decimals}f}"


def span(values: Sequence[float]) -> str:
    """Returns the median with the least and the most: ``62.14 (60.9 to 66)``."""
    if len(values) == 1:
        return number(values[0])
    return f"{number(median(values))} ({number(min(values))} to {number(max(values))})"


@dataclass
class Table:
    """What one bench has measured, in the order in which it did."""

    rows: list[Row] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def add(
        self,
        work: str,
        ours: Sequence[float],
        beside: str,
        theirs: Sequence[float],
        *,
        unit: str,
        target: str,
        headline: bool = False,
    ) -> None:
        """Adds a comparison of rounds that were run in turn."""
        self.rows.append(Row(work, tuple(ours), beside, tuple(theirs), unit, target, headline))

    def place(self, grid: str, row: str, column: str, values: Sequence[float]) -> None:
        """Adds a figure to a grid."""
        self.figures.append(Figure(grid, row, column, tuple(values)))
