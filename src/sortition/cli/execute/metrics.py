"""Reads the metrics that a command has written: one observation or several per line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    from sortition.rpc.v1.recording_pb2 import Observation

__all__ = ["MAX_BYTES", "Metrics", "read_metrics"]

MAX_BYTES: Final = 4 << 20
"""How much of what a command has written is read."""
# More than these are not read by people.
_TOLD: Final = 5
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_FIELDS: Final = frozenset({"metric", "value", "denominator", "covariate"})


@dataclass
class Metrics:
    """What a command has measured.

    Attributes:
        observations: What could be read, in its order.
        problems: What could not, by line.
    """

    observations: list[Observation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_metrics(path: Path, limit: int) -> Metrics:
    """Reads lines of ``name value [denominator]``, or JSON objects, one per line.

    ``{"cost": 0.2, "latency": [12, 15]}`` holds values by metric; ``{"metric": "cost", "value": 2, "denominator": 3}``
    one observation. Empty lines and those that begin with # are passed over. A line that cannot be read is a problem of
    that line alone: what else was measured is worth keeping.

    Args:
        path: The file.
        limit: How many observations are read.
    """
    found = Metrics()
    wrong = 0
    for number, line in enumerate(_lines(path, found), start=1):
        try:
            observed = list(_observed(line))
        except (InvalidArgument, ValueError) as error:
            wrong += 1
            if wrong <= _TOLD:
                found.problems.append(f"line {number}: {error}")
            continue
        if len(found.observations) + len(observed) > limit:
            found.problems.append(f"line {number}: more than {limit} observations; this line and those behind are left")
            break
        found.observations.extend(observed)
    if wrong > _TOLD:
        found.problems.append(f"and {wrong - _TOLD} more lines")
    return found


def _lines(path: Path, found: Metrics) -> list[str]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        # The command may do with its file what it likes.
        found.problems.append(f"the file cannot be read: {error.strerror}")
        return []
    if len(content) > MAX_BYTES:
        found.problems.append(f"the file has more than {MAX_BYTES} bytes; what is behind is left")
        # The last line is cut in the middle.
        content = content[: content.rfind(b"\n", 0, MAX_BYTES) + 1]
    return content.decode("utf-8", "replace").splitlines()


def _observed(line: str) -> Iterator[Observation]:
    text = line.strip()
    if not text or text.startswith("#"):
        return
    if text.startswith("{"):
        yield from _from_json(text)
        return
    from sortition.client.observations import observation

    name, *values = text.split()
    if not 1 <= len(values) <= 2:
        raise ValueError(f"must be NAME VALUE [DENOMINATOR], but has {len(values)} values: {text[:80]!r}")
    value = _FLAGS[values[0]] if values[0] in _FLAGS else _number(values[0])
    yield observation(name, value, *map(_number, values[1:]))


def _from_json(text: str) -> Iterator[Observation]:
    from sortition.client.observations import observation, observations

    try:
        raw: dict[str, Any] = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if "metric" not in raw:
        yield from observations(raw)
        return
    unknown = sorted(raw.keys() - _FIELDS)
    if unknown or "value" not in raw:
        raise ValueError(f"must have metric, value and perhaps denominator and covariate, but has {', '.join(raw)}")
    yield observation(raw["metric"], raw["value"], raw.get("denominator"), raw.get("covariate"))


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"must be finite, but is {text}; write only what was measured")
    return number
