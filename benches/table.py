"""Figures beside what they are compared with."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure beside what it is compared with, measured in the same run."""

    work: str
    ours: Sequence[float]
    beside: str
    theirs: Sequence[float]
    unit: str
    target: str

    def cells(self) -> tuple[str, ...]:
        ratios = [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]
        return (
            self.work,
            f"{_span(self.ours)} {self.unit}",
            f"{self.beside}: {_span(self.theirs)} {self.unit}",
            f"{median(ratios):.2f}" if median(ratios) >= 0.1 else f"{median(ratios):.2g}",
            self.target,
        )


def _span(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:,.4g}"
    return f"{median(values):,.5g} ({min(values):,.5g} to {max(values):,.5g})"


class Table:
    """The rows, in the order in which benches made them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(
        self,
        work: str,
        ours: Sequence[float],
        beside: str,
        theirs: Sequence[float],
        *,
        unit: str,
        target: str,
    ) -> None:
        """Adds a comparison of rounds that were run in turn."""
        self.rows.append(Row(work, tuple(ours), beside, tuple(theirs), unit, target))

    def lines(self) -> list[str]:
        """Returns the table in Markdown, below the versions it was made with."""
        packages = ("grpcio", "eppo-server-sdk", "numpy", "sqlalchemy")
        versions = ", ".join(f"{name} {version(name)}" for name in packages)
        return [
            f"CPython {platform.python_version()}, {versions}, {platform.machine()}",
            "",
            "| work | sortition | beside it | ratio | target |",
            "|---|---|---|---|---|",
            *("| " + " | ".join(row.cells()) + " |" for row in self.rows),
        ]
