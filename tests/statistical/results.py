"""Results on disk: one JSON file for each scenario, so that a campaign goes on where it was stopped."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from statistical.scenarios import Scenario
from statistical.tally import Tally

__all__ = ["RESULTS", "Result"]

RESULTS = Path(__file__).parent / "results"
"""Where the results of the campaign are kept."""


@dataclass
class Result:
    """What is known of one scenario.

    Attributes:
        scenario: The scenario.
        parts: The parts that were run, each once.
        tally: What was counted in them.
    """

    scenario: Scenario
    parts: set[int] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)

    def add(self, part: int, tally: Tally) -> None:
        """Adds a part."""
        assert part not in self.parts
        self.parts.add(part)
        self.tally.merge(tally)

    def save(self, folder: Path) -> None:
        """Writes it; a crash leaves what was there before."""
        path = self._path(self.scenario, folder)
        text = json.dumps(
            {"scenario": repr(self.scenario), "parts": sorted(self.parts), **self.tally.to_json()},
            separators=(",", ":"),
        )
        new = path.with_suffix(".new")
        new.write_text(text + "\n")
        os.replace(new, path)

    def remove(self, folder: Path) -> None:
        """Forgets what is on disk."""
        self._path(self.scenario, folder).unlink(missing_ok=True)

    @staticmethod
    def _path(scenario: Scenario, folder: Path) -> Path:
        return folder / f"{scenario.key}.json"

    @classmethod
    def load(cls, scenario: Scenario, folder: Path) -> Result:
        """Reads it; empty where there is none, or one of a scenario that was another by the same name."""
        path = cls._path(scenario, folder)
        if not path.exists():
            return cls(scenario)
        stored = json.loads(path.read_text())
        if stored["scenario"] != repr(scenario):
            return cls(scenario)
        return cls(scenario, set(stored["parts"]), Tally.from_json(stored))
