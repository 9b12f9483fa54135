"""Rules that make configurations of a configuration: grids of parameters, and profiles."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Final

from sortition.errors import InvalidArgument, Violation
from sortition.model.canonical import JsonObject, JsonValue, merge

__all__ = ["PROFILES", "Axis", "grid", "profile", "read_axis"]

Axis = tuple[str, list[JsonValue]]
"""The dotted path of a parameter, and its values."""
Made = Iterator[tuple[str, str, JsonObject]]
_Change = Callable[[float], JsonValue]

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME: Final = 128


def _times(factor: float, least: int = 0) -> _Change:
    def change(value: float) -> JsonValue:
        # A number of things stays one.
        return max(round(value * factor), least) if isinstance(value, int) else value * factor

    return change


def _plus(more: int) -> _Change:
    return lambda value: max(0, value + more)


def _be(value: JsonValue) -> _Change:
    return lambda _: value


# A parameter is known by the last part of its name, without its unit.
PROFILES: Final[dict[str, dict[str, tuple[str, _Change]]]] = {
    "performance": {
        "workers": ("doubled", _times(2)),
        "concurrency": ("doubled", _times(2)),
        "batch_size": ("doubled", _times(2)),
        "timeout": ("halved", _times(0.5, least=1)),
        "retries": ("one fewer", _plus(-1)),
        "max_tokens": ("halved", _times(0.5, least=1)),
        "cache": ("on", _be(True)),
    },
    "quality": {
        "retries": ("one more", _plus(1)),
        "timeout": ("doubled", _times(2)),
        "max_tokens": ("doubled", _times(2)),
        "temperature": ("halved", _times(0.5)),
        "candidates": ("doubled", _times(2)),
        "verify": ("on", _be(True)),
    },
    "experience": {
        "stream": ("on", _be(True)),
        "timeout": ("halved", _times(0.5, least=1)),
        "max_tokens": ("three quarters", _times(0.75, least=1)),
        "retries": ("one more", _plus(1)),
        "explain": ("on", _be(True)),
    },
}
"""What each profile does to the parameters that it knows."""
_UNIT: Final = re.compile(r"_(?:s|ms|us|seconds|minutes)$")


def read_axis(text: str) -> Axis:
    """Reads ``PATH=VALUE,VALUE``; values are JSON, and text where they are none.

    Raises:
        InvalidArgument: It is no such thing.
    """
    path, equals, values = text.partition("=")
    if not equals or not all(path.split(".")) or not values:
        raise InvalidArgument.of([("--grid", f"must be PATH=VALUE,VALUE such as model.temperature=0.2,0.7: {text!r}")])
    try:
        found: JsonValue = json.loads(f"[{values}]")
    except ValueError:
        found = [_scalar(each.strip()) for each in values.split(",")]
    assert isinstance(found, list)
    return path, found


def grid(base: JsonObject, axes: list[Axis]) -> Made:
    """Yields every combination of the values of all axes; but not the base itself."""
    for values in itertools.product(*(values for _, values in axes)):
        config = base
        for (path, _), value in zip(axes, values, strict=True):
            config = merge(config, _nested(path.split("."), value))
        if config == base:
            continue
        chosen = [
            (path, value if isinstance(value, str) else json.dumps(value))
            for (path, _), value in zip(axes, values, strict=True)
        ]
        name = "_".join(f"{path.rpartition('.')[2]}-{value}" for path, value in chosen)
        yield _NO_NAME.sub("-", name)[:_MAX_NAME], "grid: " + ", ".join(f"{p} = {v}" for p, v in chosen), config


def profile(base: JsonObject, name: str, *, demanded: bool) -> Made:
    """Yields the base as a profile changes it, if it does.

    Args:
        base: The base.
        name: The profile's name.
        demanded: Whether a base that it would not change is refused.

    Raises:
        InvalidArgument: It is.
    """
    rules = PROFILES[name]
    changed: list[str] = []
    config = _changed(base, rules, "", changed)
    if not changed and not demanded:
        return
    if not changed:
        text = f"{name} changes nothing here: it knows {', '.join(rules)}, and the base has none that it would change"
        raise InvalidArgument.of([Violation("--rule", text)])
    yield name, f"profile {name}: " + ", ".join(changed), config


def _changed(node: JsonObject, rules: dict[str, tuple[str, _Change]], prefix: str, changed: list[str]) -> JsonObject:
    made: JsonObject = {}
    for key, value in node.items():
        path = f"{prefix}{key}"
        rule = rules.get(_UNIT.sub("", key))
        if isinstance(value, dict):
            made[key] = _changed(value, rules, f"{path}.", changed)
            continue
        made[key] = value
        if rule is None or not isinstance(value, (bool, int, float)):
            continue
        word, change = rule
        # A switch is no number, and a number no switch.
        after = change(value)
        if isinstance(value, bool) == isinstance(after, bool) and after != value:
            made[key] = after
            changed.append(f"{path} {word}")
    return made


def _nested(path: list[str], value: JsonValue) -> JsonObject:
    return {path[0]: _nested(path[1:], value) if len(path) > 1 else value}


def _scalar(text: str) -> JsonValue:
    try:
        found: JsonValue = json.loads(text)
    except ValueError:
        return text
    return found
