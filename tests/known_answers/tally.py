"""Counts the cases of a run, and says what they were compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from known_answers.cases import Case

__all__ = ["Tally"]


@dataclass
class Tally:
    """The cases that were checked, by who gave the number."""

    cases: dict[str, list[Case]] = field(default_factory=lambda: defaultdict(list))

    def check(self, case: Case) -> None:
        """Counts a case and fails when the numbers are too far apart."""
        self.cases[case.source].append(case)
        case.check()

    def lines(self, versions: dict[str, str]) -> list[str]:
        """Returns the table in Markdown."""
        rows = [
            f"| {source} | {versions.get(source, '')} | {len(held)} | "
            f"{', '.join(sorted({case.method for case in held}))} |"
            for source, held in sorted(self.cases.items())
        ]
        total = sum(len(held) for held in self.cases.values())
        return [f"{total} cases", "", "| source | version | cases | methods |", "|---|---|---|---|", *rows]
