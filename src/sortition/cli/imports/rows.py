"""Reads the rows of a CSV file into outcomes."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from sortition.cli.imports.plan import Missing, Plan
from sortition.errors import InvalidArgument

__all__ = ["BadRow", "Left", "Row", "Rows", "read_header"]

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "."})
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_TRUTH = {"true": 1.0, "false": 0.0}
_UNIT_BYTES = 512
# In seconds this is the year 5138, in milliseconds March 1973; outcomes are from between.
_FIRST_MILLISECOND = 1e11
_LAST_MILLISECOND = 253_402_300_800_000


class Row(NamedTuple):
    """One unit's outcome.

    Attributes:
        line: Where it ends in the file, counted from 1.
        unit: The unit.
        variant: The name of its variant.
        values: One per metric; None for one that is missing.
        denominators: One per metric; None where it has none.
        occurred_at_ms: In milliseconds since 1970-01-01 UTC; 0 for now.
    """

    line: int
    unit: str
    variant: str
    values: tuple[float | None, ...]
    denominators: tuple[float | None, ...]
    occurred_at_ms: int


class BadRow(NamedTuple):
    """A row that cannot be imported, and everything that is wrong with it."""

    line: int
    problems: tuple[str, ...]


class Left(NamedTuple):
    """A row that is left out because of a missing value, as was asked for."""

    line: int


Check = Callable[[int, float], "str | None"]
"""Says what is wrong with a value of the metric with this index; None when nothing is."""


def read_header(path: Path, delimiter: str) -> list[str]:
    """Returns the names of the columns.

    Raises:
        InvalidArgument: The file cannot be read or is empty.
    """
    with _reader(path, delimiter) as reader:
        header = next(reader, None)
    if not header:
        raise InvalidArgument(f"{path} is empty; its first line must name the columns")
    return [name.strip() for name in header]


class Rows:
    """The rows of a file, read anew by every iteration.

    Args:
        plan: What to read.
        check: Refuses values that their metric does not take.
    """

    def __init__(self, plan: Plan, check: Check) -> None:
        self._plan = plan
        self._check = check
        self._header = read_header(plan.path, plan.delimiter)
        plan.check_header(self._header)

    def __iter__(self) -> Iterator[Row | BadRow | Left]:
        at = {name: index for index, name in enumerate(self._header)}
        with _reader(self._plan.path, self._plan.delimiter) as reader:
            next(reader)
            for cells in reader:
                # csv gives an empty list for an empty line.
                if cells:
                    yield self._row(reader.line_num, cells, at)

    def _row(self, line: int, cells: Sequence[str], at: dict[str, int]) -> Row | BadRow | Left:
        plan = self._plan
        if len(cells) != len(self._header):
            return BadRow(line, (f"has {len(cells)} cells; the header has {len(self._header)}",))
        problems: list[str] = []
        lacking: list[str] = []

        def text(column: str) -> str:
            cell = cells[at[column]].strip()
            if cell.lower() in _MISSING:
                lacking.append(column)
            return cell

        unit, given = text(plan.unit), text(plan.variant)
        when = self._time(text(plan.time), problems) if plan.time and plan.time not in lacking else 0
        must = len(lacking)
        values = tuple(self._number(index, text(metric.column), problems) for index, metric in enumerate(plan.metrics))
        denominators = tuple(
            self._denominator(metric.denominator, text(metric.denominator), problems) if metric.denominator else None
            for metric in plan.metrics
        )
        if lacking and plan.missing is Missing.ROW:
            return Left(line)
        for column in lacking if plan.missing is Missing.REFUSE else lacking[:must]:
            advice = "see --missing" if plan.missing is Missing.REFUSE else "only values of metrics may be"
            problems.append(f"{column} is missing; {advice}")
        if len(unit.encode()) > _UNIT_BYTES:
            problems.append(f"{plan.unit} has {len(unit.encode())} bytes; the limit is {_UNIT_BYTES}")
        if problems:
            return BadRow(line, tuple(problems))
        # A ratio without its denominator is as missing as without its value.
        kept = tuple(
            None if metric.denominator and below is None else value
            for metric, value, below in zip(plan.metrics, values, denominators, strict=True)
        )
        if all(value is None for value in kept):
            return Left(line)
        return Row(line, unit, plan.names.get(given, given), kept, denominators, when)

    def _number(self, index: int, text: str, problems: list[str]) -> float | None:
        column = self._plan.metrics[index].column
        value = _parse(text)
        if value is None:
            if text.lower() not in _MISSING:
                problems.append(f"{column} is not a finite number: {text[:40]!r}")
            return None
        wrong = self._check(index, value)
        if wrong:
            problems.append(f"{column} {wrong}")
        return value

    def _denominator(self, column: str, text: str, problems: list[str]) -> float | None:
        value = _parse(text)
        if text.lower() in _MISSING:
            return None
        if value is None or value <= 0:
            problems.append(f"{column} must be a number above 0, but is {text[:40]!r}")
        return value

    def _time(self, text: str, problems: list[str]) -> int:
        try:
            if _NUMBER.fullmatch(text):
                number = float(text)
                at_ms = round(number if abs(number) >= _FIRST_MILLISECOND else number * 1000)
            else:
                # Python 3.10 does not know the Z.
                when = datetime.fromisoformat(f"{text[:-1]}+00:00" if text[-1:] in "Zz" else text)
                when = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
                at_ms = round(when.timestamp() * 1000)
        except (ValueError, OverflowError):
            problems.append(f"{self._plan.time} is no time such as 2026-01-31T12:00:00Z: {text[:40]!r}")
            return 0
        if not 0 < at_ms < _LAST_MILLISECOND:
            problems.append(f"{self._plan.time} must be a time from 1970 to 9999, but is {text[:40]!r}")
        return at_ms


def _parse(text: str) -> float | None:
    truth = _TRUTH.get(text.lower())
    if truth is not None:
        return truth
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


@contextmanager
def _reader(path: Path, delimiter: str) -> Iterator[Any]:
    """Opens the file; what cannot be read at all becomes one error with its line."""
    reader = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            yield reader
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{path} is not UTF-8: {error.reason}; convert it first") from None
    except csv.Error as error:
        line = reader.line_num if reader is not None else 0
        raise InvalidArgument(f"{path} is no CSV file in line {line}: {error}") from None
