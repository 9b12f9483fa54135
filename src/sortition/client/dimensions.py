"""The levels that a unit's outcomes are broken down by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from sortition.client.wanted import utf8
from sortition.errors import InvalidArgument, Violation

__all__ = ["LEVEL_BYTES", "MAX_DIMENSIONS", "Dimensions", "levels"]

Dimensions: TypeAlias = "Mapping[str, str | None]"
"""Levels by dimension, such as ``{"device": "mobile"}``; ``None`` where one is not known."""

MAX_DIMENSIONS: Final = 16
"""Dimensions that one outcome may name."""
LEVEL_BYTES: Final = 128
"""Bytes of a dimension's name, and of a level."""


def levels(given: Dimensions | None, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the levels that are `known`, with those that are `given` in their place.

    Args:
        given: Levels by dimension; nothing is changed for those that are ``None``.
        known: Levels from before.

    Raises:
        InvalidArgument: A name or level is no text or too long, or there are too many; lists every violation.
    """
    found = dict(known or {})
    violations: list[Violation] = []
    for name, level in (given or {}).items():
        if level is None:
            continue
        try:
            found[_text("a name", name)] = _text(str(name), level)
        except InvalidArgument as error:
            violations.extend(error.violations)
    if len(found) > MAX_DIMENSIONS:
        violations.append(Violation("dimensions", f"has {len(found)}; the limit is {MAX_DIMENSIONS}"))
    if violations:
        raise InvalidArgument.of(violations)
    return found


def _text(what: str, value: object) -> str:
    field = "dimensions"
    if not isinstance(value, str):
        raise InvalidArgument.of([(field, f"{what} must be text, but is {type(value).__name__}")])
    size = len(utf8(field, value).encode())
    if size > LEVEL_BYTES:
        raise InvalidArgument.of([(field, f"{what[:LEVEL_BYTES]} has {size} bytes; the limit is {LEVEL_BYTES}")])
    return value
