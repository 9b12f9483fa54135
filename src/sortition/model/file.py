"""The experiment file: an experiment as people write it.

::

    experiment: search-strategy
    subject: {kind: agent, id: search-agent}
    metrics:
      total_time: {kind: duration, unit: s, goal: minimize, role: primary}
    dimensions: {device: [mobile, desktop]}
    variants:
      sequential: {weight: 50, control: true, config: {strategy: sequential}}
      combined:   {weight: 50, config: {strategy: combined}}

It is an `ExperimentSpec` whose key is called `experiment`, whose metrics and variants are mappings from name to fields,
and whose dimensions are a mapping from name to levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sortition.errors import SpecError, Violation
from sortition.model.base import describe
from sortition.model.canonical import JsonObject, normalize
from sortition.model.experiment import ExperimentSpec
from sortition.model.yaml_reader import Node, Step, read_yaml, read_yaml_file
from sortition.model.yaml_writer import experiment_yaml

__all__ = ["NAMED", "dump_experiment", "load_config", "load_experiment", "parse_experiment", "read_experiment"]

NAMED = ("metrics", "variants")
"""The fields that are mappings from name to fields in a file, and lists of named parts in a specification."""
_DIMENSIONS = "dimensions"


def load_experiment(path: Path) -> ExperimentSpec:
    """Reads an experiment file.

    Args:
        path: A YAML file of at most 1 MiB.

    Raises:
        SpecError: It cannot be read, is no YAML, or does not describe an experiment; lists every violation with its
            line and column.
    """
    return read_experiment(*read_yaml_file(path), str(path))


def parse_experiment(text: str | bytes, name: str = "the experiment") -> ExperimentSpec:
    """Reads an experiment from the text of a file.

    Args:
        text: YAML, at most 1 MiB.
        name: What to call it in errors.

    Raises:
        SpecError: As `load_experiment`.
    """
    return read_experiment(*read_yaml(text, name), name)


def dump_experiment(spec: ExperimentSpec) -> str:
    """Returns the text of a file that describes exactly `spec`; what equals its default is left out."""
    return experiment_yaml(spec)


def load_config(path: Path) -> JsonObject:
    """Reads a configuration: one mapping in YAML or JSON.

    Raises:
        SpecError: It cannot be read, or is no mapping of JSON values.
    """
    root, found = read_yaml_file(path)
    raw = root.plain()
    if not isinstance(raw, dict):
        found.append(Violation("", "must be a mapping", *root.at))
    try:
        config = normalize(raw)
    except ValueError as error:
        found.append(Violation("", str(error), *root.at))
    if found:
        raise SpecError(f"{path} is not a configuration", found)
    assert isinstance(config, dict)
    return config


def read_experiment(root: Node, found: list[Violation], name: str, raw: Any = None) -> ExperimentSpec:
    """Makes an experiment of a document.

    Args:
        root: The document.
        found: What is wrong with it already.
        name: What to call it in errors.
        raw: Its plain values, where they are others than those of `root`, which says where each was written.

    Raises:
        SpecError: As `load_experiment`.
    """
    message = f"{name} does not describe an experiment"
    raw = root.plain() if raw is None else raw
    if not isinstance(raw, dict):
        raise SpecError(message, [*found, Violation("", "must be a mapping that begins with experiment:", *root.at)])
    found += _renamed(root, raw)
    spec: ExperimentSpec | None = None
    try:
        spec = ExperimentSpec.model_validate(_specification(raw))
    except ValidationError as error:
        found += (_violation(root, raw, detail) for detail in error.errors())
    if spec is None or found:
        raise SpecError(message, _in_order(found))
    return spec


def _specification(raw: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of a specification for the fields of a file."""
    spec = {"key" if field == "experiment" else field: value for field, value in raw.items() if field != "key"}
    for field in NAMED:
        parts = raw.get(field)
        if isinstance(parts, dict):
            # What is no mapping stays as it is, and is refused as the part it is.
            spec[field] = [{**part, "name": name} if isinstance(part, dict) else part for name, part in parts.items()]
        elif field in raw:
            # Not even a list of parts may be read: a part is named once, by its key.
            del spec[field]
    dimensions = spec.pop(_DIMENSIONS, None)
    if isinstance(dimensions, dict):
        spec[_DIMENSIONS] = [{"name": name, "levels": levels} for name, levels in dimensions.items()]
    return spec


def _renamed(root: Node, raw: dict[str, Any]) -> Iterable[Violation]:
    """Yields what a specification would accept and a file does not."""
    if "key" in raw:
        where: tuple[Step, ...] = ("key",)
        yield Violation("key", "is not a known field; write it as experiment: KEY", *root.locate(where))
    if not isinstance(raw.get(_DIMENSIONS, {}), dict):
        yield Violation(_DIMENSIONS, "must be a mapping from name to levels", *root.locate((_DIMENSIONS,)))
    for field in NAMED:
        parts = raw.get(field)
        if field in raw and not isinstance(parts, dict):
            yield Violation(field, "must be a mapping from name to fields", *root.locate((field,)))
        elif isinstance(parts, dict):
            for name, part in parts.items():
                if isinstance(part, dict) and "name" in part:
                    where = (field, name, "name")
                    what = "is not a known field; the name is the key above it"
                    yield Violation(_text(where), what, *root.locate(where))


def _violation(root: Node, raw: dict[str, Any], detail: ErrorDetails) -> Violation:
    path = _path(raw, detail["loc"])
    what = f"must be a mapping, but is {detail['input']!r:.80}" if detail["type"] == "model_type" else describe(detail)
    return Violation(_text(path), what, *root.locate(path))


def _path(raw: dict[str, Any], loc: tuple[Step, ...]) -> tuple[Step, ...]:
    """Returns the path in the file for a path in the specification."""
    if not loc:
        return ()
    if loc[0] == "key":
        return ("experiment", *loc[1:])
    if loc[0] in NAMED and len(loc) > 1 and isinstance(loc[1], int):
        path = (loc[0], list(raw[loc[0]])[loc[1]], *loc[2:])
        # The name of a part is its key.
        return path[:2] if path[2:] == ("name",) else path
    if loc[0] == _DIMENSIONS and len(loc) > 1 and isinstance(loc[1], int):
        # Neither of the two fields is written: one is the key, the other its value.
        return (_DIMENSIONS, list(raw[_DIMENSIONS])[loc[1]], *loc[3:])
    return loc


def _text(path: Iterable[Step]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _in_order(found: Iterable[Violation]) -> list[Violation]:
    return sorted(found, key=lambda violation: (violation.line or 0, violation.column or 0))
