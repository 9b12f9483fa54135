"""Reads a whole file before anything is sent: is every row good, and what is in it?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sortition.cli.imports.plan import Plan
from sortition.cli.imports.rows import BadRow, Left, Row
from sortition.errors import InvalidArgument, Violation

__all__ = ["MAX_TRACKED_UNITS", "Survey", "file_digest", "survey", "variant_problem"]

MAX_TRACKED_UNITS = 1_000_000
"""Of so many units it is remembered in which variant they were seen first."""
_MAX_SHOWN = 20
_CHUNK_BYTES = 1 << 20


@dataclass
class Survey:
    """What a file holds.

    Attributes:
        rows: Rows, the header not counted.
        good: Rows that can be imported.
        bad: Rows that cannot.
        left: Rows left out because of a missing value.
        missing: Values left out of good rows.
        variants: Good rows by variant.
        units: Distinct units of good rows, as far as they were tracked.
        binary: For each metric, whether all its values are 0 or 1.
        problems: The first problems, with their line.
    """

    rows: int = 0
    good: int = 0
    bad: int = 0
    left: int = 0
    missing: int = 0
    variants: Counter[str] = field(default_factory=Counter)
    units: int = 0
    binary: list[bool] = field(default_factory=list)
    problems: list[Violation] = field(default_factory=list)

    def add_problem(self, line: int, what: str) -> None:
        """Keeps a problem, if it is among the first."""
        if len(self.problems) < _MAX_SHOWN:
            self.problems.append(Violation(f"line {line}", what))


def survey(plan: Plan, rows: Iterable[Row | BadRow | Left], known: Container[str] | None) -> Survey:
    """Reads all rows.

    Args:
        plan: What to read.
        rows: The rows.
        known: The variants of the experiment; any name will do when None.

    Raises:
        InvalidArgument: Rows are bad and are not to be skipped; lists the first of them. Or no row is good.
    """
    found = Survey(binary=[True] * len(plan.metrics))
    seen: dict[bytes, str] = {}
    for row in rows:
        found.rows += 1
        if isinstance(row, Left):
            found.left += 1
            continue
        problems = row.problems if isinstance(row, BadRow) else variant_problem(plan, row, known, seen)
        if problems:
            found.bad += 1
            for what in problems:
                found.add_problem(row.line, what)
        elif isinstance(row, Row):
            found.good += 1
            found.variants[row.variant] += 1
            for index, value in enumerate(row.values):
                found.missing += value is None
                found.binary[index] &= value in (None, 0, 1)
    found.units = len(seen)
    if found.bad and not plan.skip_bad:
        raise InvalidArgument(
            f"{found.bad} of {found.rows} rows of {plan.path} are refused and nothing was imported; "
            f"correct them or give --skip-bad",
            found.problems,
        )
    if not found.good:
        raise InvalidArgument(f"{plan.path} has no row that can be imported", found.problems)
    return found


def variant_problem(plan: Plan, row: Row, known: Container[str] | None, seen: dict[bytes, str]) -> tuple[str, ...]:
    """Returns what is wrong with the variant of a good row; notes in `seen` where its unit was seen first."""
    if known is not None and row.variant not in known:
        return (f"{plan.variant} names {row.variant[:40]!r}, which is no variant of the experiment; see --map",)
    # Units may be long; sixteen bytes tell them apart.
    unit = hashlib.blake2b(row.unit.encode(), digest_size=16).digest()
    first = seen.get(unit)
    if first is None:
        if len(seen) < MAX_TRACKED_UNITS:
            seen[unit] = row.variant
    elif first != row.variant:
        return (f"unit {row.unit[:40]!r} is in variant {row.variant}, but was in {first} before",)
    return ()


def file_digest(path: Path) -> bytes:
    """Returns the SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
