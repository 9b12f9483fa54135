"""What was measured, in one file: benches that run again replace what they said before, and no others.

::

    {"runs": {"2026-01-31T12:00:00Z": {what it was measured on and with}, …},
     "benches": {"test_lane::test_native_lane": {"run": "2026-…", "rows": […], "figures": […]}, …}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from machine import Run
from table import Figure, Row, Table

__all__ = ["RESULTS", "Measured", "Results"]

RESULTS = Path(__file__).with_name("results.json")
"""The file that documents are made from."""


@dataclass(frozen=True)
class Measured:
    """What one bench said, and the run in which it did."""

    run: str
    table: Table


@dataclass
class Results:
    """What all benches said.

    Attributes:
        runs: What they were measured on, by the time at which they began.
        benches: What was measured, by ``module::test``.
    """

    runs: dict[str, Run] = field(default_factory=dict)
    benches: dict[str, Measured] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path = RESULTS) -> Results:
        """Reads a file; nothing was measured where there is none."""
        if not path.exists():
            return cls()
        raw = json.loads(path.read_text())
        return cls(
            {at: Run(**run) for at, run in raw["runs"].items()},
            {name: _measured(one) for name, one in raw["benches"].items()},
        )

    def merge(self, run: Run, tables: Mapping[str, Table], *, whole: bool = False) -> None:
        """Replaces what benches said before by what they say now; a run that nothing is left of is forgotten.

        Args:
            run: In which they said it.
            tables: What they said.
            whole: Whether all benches ran, so that what the others said is out of date.
        """
        if whole:
            self.benches.clear()
        for name, table in tables.items():
            self.benches[name] = Measured(run.at, table)
        self.runs[run.at] = run
        used = {one.run for one in self.benches.values()}
        self.runs = {at: one for at, one in sorted(self.runs.items()) if at in used}

    def save(self, path: Path = RESULTS) -> None:
        """Writes all of it, whole or not at all."""
        raw = {
            "runs": {at: asdict(run) for at, run in self.runs.items()},
            "benches": {name: _raw(one) for name, one in self.benches.items()},
        }
        new = path.with_suffix(".new")
        new.write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")
        os.replace(new, path)

    def of(self, module: str) -> Iterator[Measured]:
        """Yields what the benches of a module said."""
        for name, one in self.benches.items():
            if name.partition("::")[0] == module:
                yield one


def _raw(one: Measured) -> dict[str, Any]:
    return {"run": one.run, "rows": _rounded(one.table.rows), "figures": _rounded(one.table.figures)}


def _rounded(parts: list[Row] | list[Figure]) -> list[dict[str, Any]]:
    # More digits than six are of the clock and not of the work.
    return [
        {
            key: [float(f"{each:.6g}") for each in value] if isinstance(value, tuple) else value
            for key, value in asdict(part).items()
        }
        for part in parts
    ]


def _measured(raw: Mapping[str, Any]) -> Measured:
    return Measured(
        raw["run"],
        Table(
            [Row(**{**each, "ours": tuple(each["ours"]), "theirs": tuple(each["theirs"])}) for each in raw["rows"]],
            [Figure(**{**each, "values": tuple(each["values"])}) for each in raw["figures"]],
        ),
    )
