"""Writes a specification as an experiment file: short, in its own order, one line for each metric and variant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from sortition.model.base import Part
from sortition.model.experiment import ExperimentSpec

__all__ = ["experiment_yaml", "yaml_quoted", "yaml_scalar"]

# What needs no quotes in any place of a YAML document and cannot be taken for anything but text; all else is quoted.
_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9 ._/-]*[A-Za-z0-9._/-])?")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
# Outside of these, YAML wants escapes (YAML 1.2.2 section 5.1); lone surrogates have no UTF-8 form at all.
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def experiment_yaml(spec: ExperimentSpec) -> str:
    """Returns the text of the experiment file that describes `spec`."""
    lines: list[str] = []
    for field, value in _declared(spec).items():
        if field in ("metrics", "variants"):
            lines.append(f"{field}:")
            for part in value:
                fields = _declared(part)
                lines.append(f"  {yaml_scalar(fields.pop('name'))}: {_flow(fields)}")
        elif field == "dimensions":
            lines.append(f"{field}: {_flow({part.name: part.levels for part in value})}")
        else:
            lines.append(f"{'experiment' if field == 'key' else field}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _declared(part: Part) -> dict[str, Any]:
    """Returns the fields of `part` that are required or differ from their default, in declared order."""
    fields = type(part).model_fields
    values = {name: getattr(part, name) for name in fields}
    return {
        name: value
        for name, value in values.items()
        if fields[name].is_required() or value != fields[name].get_default(call_default_factory=True, validated_data={})
    }


def _flow(value: Any) -> str:
    if isinstance(value, Part):
        value = _declared(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{yaml_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return yaml_scalar(value)


def yaml_scalar(value: Any) -> str:
    """Returns a scalar as YAML writes it in any place: text without quotes where nobody takes it for anything else."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else yaml_quoted(value)
    return json.dumps(value)


def yaml_quoted(text: str) -> str:
    """Returns a text in double quotes."""
    # A JSON text is a double-quoted YAML scalar, apart from what YAML calls unprintable.
    return _UNPRINTABLE.sub(lambda found: f"\\U{ord(found[0]):08x}", json.dumps(text, ensure_ascii=False))
