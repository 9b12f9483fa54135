"""What to read from which column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from sortition.errors import InvalidArgument, Violation

__all__ = ["MetricColumn", "Missing", "Plan", "assignments", "metric_columns"]

_NO_KEY = re.compile(r"[^a-z0-9._-]+")


class Missing(str, Enum):
    """What to do with a cell that is empty, NA, NaN, null or None."""

    REFUSE = "refuse"
    VALUE = "value"
    ROW = "row"


class MetricColumn(NamedTuple):
    """A metric, the column of its values, and for a ratio the column of what they are divided by."""

    column: str
    metric: str
    denominator: str = ""


@dataclass(frozen=True)
class Plan:
    """What to read from which column.

    Attributes:
        path: The CSV file.
        delimiter: What separates its cells.
        unit: The column that names the unit.
        variant: The column that names the variant.
        time: The column that says when it happened; empty for now.
        metrics: The columns of values.
        names: The variant that each text in the variant's column stands for; any other text is the name itself.
        missing: What to do with missing values.
        skip_bad: Whether bad rows are left out and counted, instead of refusing the file.
    """

    path: Path
    delimiter: str
    unit: str
    variant: str
    time: str
    metrics: tuple[MetricColumn, ...]
    names: dict[str, str]
    missing: Missing
    skip_bad: bool

    def check_header(self, header: Sequence[str]) -> None:
        """Refuses a header without the columns that are wanted.

        Raises:
            InvalidArgument: Lists every column that is not there, or is there twice.
        """
        wanted = [("--unit", self.unit), ("--variant", self.variant), ("--time", self.time)]
        wanted += [("--metric", metric.column) for metric in self.metrics]
        wanted += [("--denominator", metric.denominator) for metric in self.metrics]
        found = [
            Violation(option, f"{self.path} has {_times(header.count(column))} called {column!r}; {_known(header)}")
            for option, column in wanted
            if column and header.count(column) != 1
        ]
        if found:
            raise InvalidArgument.of(found)

    def identity(self) -> dict[str, Any]:
        """Returns everything that decides which outcome each row becomes, apart from the file's content."""
        fields = asdict(self)
        del fields["path"]
        return fields


def metric_columns(
    texts: Iterable[str], denominators: dict[str, str], header: Sequence[str]
) -> tuple[MetricColumn, ...]:
    """Reads ``COL`` and ``COL=METRIC``; without METRIC the column's name is made into one.

    Raises:
        InvalidArgument: A metric is named twice, or a denominator belongs to none.
    """
    columns = []
    for text in texts:
        column, equals, metric = text.rpartition("=")
        if not equals or text in header:
            column, metric = text, _NO_KEY.sub("_", text.lower())
        columns.append(MetricColumn(column, metric, denominators.get(metric, "")))
    names = [each.metric for each in columns]
    found = [
        Violation("--metric", f"names {name!r} twice; write COL=METRIC")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    found += [
        Violation("--denominator", f"{name!r} is no --metric; those are {', '.join(names)}")
        for name in denominators
        if name not in names
    ]
    if found:
        raise InvalidArgument.of(found)
    return tuple(columns)


def assignments(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Reads the texts of an option that is written NAME=VALUE.

    Raises:
        InvalidArgument: Lists those that are not, or name a NAME twice.
    """
    read: dict[str, str] = {}
    found = []
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals or not value:
            found.append(Violation(option, f"must be written NAME=VALUE, but is {text!r}"))
        elif name in read:
            found.append(Violation(option, f"names {name!r} twice"))
        else:
            read[name] = value
    if found:
        raise InvalidArgument.of(found)
    return read


def _times(count: int) -> str:
    return f"{count} columns" if count else "no column"


def _known(header: Sequence[str]) -> str:
    shown = ", ".join(header[:20])
    return f"its columns are {shown}{', …' if len(header) > 20 else ''}"
