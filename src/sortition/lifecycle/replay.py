"""Computes stored decisions again, to show that they follow from what is stored with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sortition.analyzer.json import from_json, to_json
from sortition.analyzer.result import AnalysisResult
from sortition.lifecycle.decision import recompute, record_from_inputs
from sortition.model import JsonValue, canonical_json
from sortition.store.records import DecisionRecord, ExperimentRecord

__all__ = ["MAX_DIFFERENCES", "Replay", "replay"]

MAX_DIFFERENCES: Final = 100
"""So many differences are told; more say no more."""


@dataclass(frozen=True)
class Replay:
    """A decision computed again.

    Attributes:
        decision: As it was stored.
        record: The experiment as it was then.
        result: What was decided.
        differences: Each field that comes out otherwise, with both values; at most 100.
    """

    decision: DecisionRecord
    record: ExperimentRecord
    result: AnalysisResult
    differences: tuple[str, ...]


def replay(decision: DecisionRecord) -> Replay:
    """Computes a decision again and compares it, to the last bit, with what was stored.

    What was not stored, since a later version of the analysis added it, is not compared.

    Raises:
        DataLoss: What is stored with the decision is damaged.
    """
    record, result = record_from_inputs(decision.inputs), from_json(decision.result)
    again = json.loads(canonical_json(to_json(recompute(decision))))
    found = _differences(json.loads(canonical_json(decision.result)), again, "")
    return Replay(decision, record, result, tuple(text for text, _ in zip(found, range(MAX_DIFFERENCES), strict=False)))


def _differences(stored: JsonValue, again: JsonValue, path: str) -> Iterator[str]:
    if isinstance(stored, dict) and isinstance(again, dict):
        for name, value in stored.items():
            where = f"{path}.{name}" if path else name
            if name in again:
                yield from _differences(value, again[name], where)
            else:
                yield f"{where}: is gone"
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for index, (one, other) in enumerate(zip(stored, again, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif stored != again or isinstance(stored, bool) is not isinstance(again, bool):
        yield f"{path}: {_short(stored)} is now {_short(again)}"


def _short(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
