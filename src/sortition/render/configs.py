"""Configurations as text."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from rich.text import Text

from sortition.render.words import clean

__all__ = ["config_text", "plain_config", "whole_numbers"]

# Whole numbers up to here are exact on the wire, and are written without a point.
_EXACT = 2.0**53


def plain_config(config: Struct) -> dict[str, Any]:
    """Returns a configuration as plain values; whole numbers are integers again."""
    whole: dict[str, Any] = whole_numbers(MessageToDict(config))
    return whole


def config_text(config: Struct, *, indent: int | None = None) -> Text:
    """Returns a configuration as JSON: on one line, or over many with `indent`."""
    return Text(clean(json.dumps(plain_config(config), ensure_ascii=False, indent=indent)))


def whole_numbers(value: Any) -> Any:
    """Returns plain values in the order of their keys, with integers where the wire has whole floats."""
    if isinstance(value, dict):
        return {key: whole_numbers(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT else value
