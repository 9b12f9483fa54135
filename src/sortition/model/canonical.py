"""One byte string per configuration, so that equal configurations have equal hashes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TypeAlias

__all__ = ["JsonObject", "JsonValue", "canonical_json", "config_hash", "merge", "normalize"]

JsonValue: TypeAlias = "None | bool | int | float | str | list[JsonValue] | dict[str, JsonValue]"
JsonObject: TypeAlias = "dict[str, JsonValue]"

# Deeper nesting is a mistake or an attack; the limit is far below the interpreter's recursion limit.
_MAX_DEPTH = 64
# Beyond 2**53 a double no longer tells neighbouring integers apart.
_EXACT_INTEGER = 2**53


def normalize(value: object, depth: int = 0) -> JsonValue:
    """Returns `value` as plain JSON: tuples become lists, integral floats become integers.

    The wire carries every number as a double, so 2 and 2.0 have to be one value.

    Raises:
        ValueError: It is not JSON: a number is not finite, a key is not text, a type has no JSON form, or it is nested
            deeper than 64 levels.
    """
    if depth > _MAX_DEPTH:
        raise ValueError(f"is nested deeper than {_MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        if abs(value) > _EXACT_INTEGER:
            raise ValueError(f"{value} is too large to be exact on the wire; use text for integers beyond 2**53")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a JSON number")
        return int(value) if value.is_integer() and abs(value) <= _EXACT_INTEGER else float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r} is not text")
        return {str(key): normalize(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [normalize(item, depth + 1) for item in value]
    raise ValueError(f"{type(value).__name__} has no JSON form")


def canonical_json(value: object) -> bytes:
    r"""Returns the only JSON text for `value`: sorted keys, no spaces, UTF-8.

    >>> canonical_json({"b": 1.0, "a": "ä"})
    b'{"a":"\xc3\xa4","b":1}'
    """
    text = json.dumps(normalize(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    # Lone surrogates have no UTF-8 form; the error is a ValueError like the others.
    return text.encode()


def config_hash(value: object) -> str:
    """Returns the SHA-256 of the canonical JSON of `value`, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def merge(base: Mapping[str, JsonValue], change: Mapping[str, JsonValue]) -> JsonObject:
    """Returns `base` with `change` laid over it, key by key at every depth; lists and scalars are replaced whole.

    >>> merge({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}, 'b': 1}
    """
    merged: JsonObject = dict(base)
    for key, value in change.items():
        before = merged.get(key)
        merged[key] = merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
