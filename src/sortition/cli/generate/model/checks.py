"""Whether what a model has written may stand in for its base: the same keys, types and placeholders."""

from __future__ import annotations

import re
from typing import Final

from sortition.errors import Violation
from sortition.model.canonical import JsonObject, JsonValue, canonical_json
from sortition.model.names import CONFIG_BYTES

__all__ = ["placeholders", "violations"]

# {name}, {{name}}, ${name}, $name, %(name)s and <name>: what programs put values in place of.
_PLACEHOLDER: Final = re.compile(
    r"\{\{\s*[^{}]{1,100}?\s*\}\}|\$?\{[A-Za-z_][\w.\[\]:!-]{0,99}\}|\$[A-Za-z_]\w{0,99}|%\([A-Za-z_]\w{0,99}\)[a-z]"
    r"|<[A-Za-z_][\w-]{0,99}>"
)

_MORE_ITEMS: Final = 2


def placeholders(text: str) -> frozenset[str]:
    """Returns the placeholders in a text, as they are written there.

    >>> sorted(placeholders("Greet {name}, who wrote {{ text }}."))
    ['{name}', '{{ text }}']
    """
    return frozenset(_PLACEHOLDER.findall(text))


def violations(base: JsonObject, made: JsonValue) -> list[Violation]:
    """Returns what stands in the way of `made` being a variant of `base`; all of it at once."""
    found = list(_differences(base, made, "config"))
    if not found and canonical_json(base) == canonical_json(made):
        found.append(Violation("config", "is the base as it was; change something"))
    if not found and (size := len(canonical_json(made))) > CONFIG_BYTES:
        found.append(Violation("config", f"has {size} bytes as JSON; the limit is {CONFIG_BYTES}"))
    return found


def _differences(base: JsonValue, made: JsonValue, path: str) -> list[Violation]:
    if (wanted := _type(base)) != (got := _type(made)) and not (wanted == "a number" and got == "a whole number"):
        return [Violation(path, f"must be {wanted} as in the base, but is {got}")]
    if isinstance(base, dict) and isinstance(made, dict):
        found = [Violation(f"{path}.{key}", "is missing; the base has it") for key in base if key not in made]
        found += [Violation(f"{path}.{key}", "is not in the base; leave it out") for key in made if key not in base]
        for key in base:
            if key in made:
                found += _differences(base[key], made[key], f"{path}.{key}")
        return found
    if isinstance(base, list) and isinstance(made, list):
        if len(made) > (limit := _MORE_ITEMS * len(base)):
            return [Violation(path, f"has {len(made)} items; the base has {len(base)}, so {limit} is the limit")]
        return [each for index, item in enumerate(made) for each in _item(base, item, f"{path}[{index}]")]
    if isinstance(base, str) and isinstance(made, str):
        return _texts(base, made, path)
    return []


def _item(base: list[JsonValue], item: JsonValue, path: str) -> list[Violation]:
    """An item of a list has to be like any of the base's; what is wrong with it is said by the one it is most like."""
    least: list[Violation] | None = None
    for each in base:
        found = _differences(each, item, path)
        if not found:
            return []
        least = found if least is None or len(found) < len(least) else least
    return least or []


def _texts(base: str, made: str, path: str) -> list[Violation]:
    if base.strip() and not made.strip():
        return [Violation(path, "is empty; the base has a text")]
    before, after = placeholders(base), placeholders(made)
    found = [Violation(path, f"lacks the placeholder {each}; keep it as it is") for each in sorted(before - after)]
    return found + [
        Violation(path, f"has the placeholder {each}, which the base has not; leave it out")
        for each in sorted(after - before)
    ]


def _type(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "a whole number"
    names = {dict: "a mapping", list: "a list", str: "a text", float: "a number", type(None): "null"}
    return names[type(value)]
