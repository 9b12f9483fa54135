"""What goes to stdout: one JSON document, or tables."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict

from sortition.render.configs import whole_numbers

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message
    from rich.console import Console, RenderableType

__all__ = ["console", "print_document", "print_json", "print_table", "to_document"]

# A file or a pipe has no width; tables are written as wide as they are.
_PIPE_WIDTH = 240


def to_document(message: Message) -> Any:
    """Returns `message` in the JSON mapping of protobuf, with the names and order of the contract, zeros included.

    As that mapping has it, 64-bit integers are texts and a figure that cannot be known is absent.
    """
    raw = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    kind: Any = message.DESCRIPTOR
    return _ordered(raw, kind)


def _ordered(value: Any, kind: Descriptor | None) -> Any:
    """Puts fields into declared order, which the mapping does not; and whole numbers of configurations are integers."""
    if isinstance(value, list):
        return [_ordered(item, kind) for item in value]
    if kind is None or not isinstance(value, dict):
        return value
    if kind.full_name == "google.protobuf.Struct":
        return whole_numbers(value)
    if kind.GetOptions().map_entry:
        return dict(sorted(value.items()))
    return {field.name: _ordered(value[field.name], field.message_type) for field in kind.fields if field.name in value}


def print_json(message: Message) -> None:
    """Writes a message to stdout."""
    print_document(to_document(message))


def print_document(document: Any, *, indent: int | None = 2) -> None:
    """Writes one JSON document to stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=indent, allow_nan=False) + "\n")
    sys.stdout.flush()


def print_table(renderable: RenderableType) -> None:
    """Writes tables and text to stdout."""
    console().print(renderable)


def console(*, stderr: bool = False) -> Console:
    """Returns a console that respects NO_COLOR and COLUMNS, and does not squeeze what goes into a file."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
