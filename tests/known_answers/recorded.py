"""What the engines answered, as it is recorded in `answers`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ANSWERS", "Sheet", "read", "sheets"]

ANSWERS = Path(__file__).resolve().parent / "answers"


@dataclass(frozen=True)
class Sheet:
    """The answers of one engine, by "method/question/figure", with the versions that gave them."""

    engine: str
    version: str
    licence: str
    beside: dict[str, str]
    python: str
    answers: dict[str, float]


def read(file: Path) -> Sheet:
    return Sheet(**json.loads(file.read_text()))


def sheets() -> list[Sheet]:
    return [read(file) for file in sorted(ANSWERS.glob("*.json"))]
