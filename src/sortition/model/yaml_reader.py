"""Reads untrusted YAML into plain values that remember where they were written.

It is YAML 1.2 with its core schema: `no`, `on` and dates are text, and the keys of mappings always are. Refused are
duplicate keys, tags, merge keys and several documents; size, depth and the number of values are bounded, with aliases
counted as often as they are used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from sortition.errors import SpecError, Violation

__all__ = ["MAX_BYTES", "Node", "Position", "Step", "read_yaml", "read_yaml_file"]

MAX_BYTES = 1024 * 1024
"""The largest file that is read."""
MAX_DEPTH = 64
MAX_VALUES = 50_000

# The core schema, YAML 1.2.2 section 10.3.2.
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# No number that is meant has more digits; the interpreter refuses to read ten times as many.
_MAX_DIGITS = 400

Scalar: TypeAlias = "None | bool | int | float | str"
Step: TypeAlias = "int | str"


class Position(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Node:
    """A value and where it was written.

    Attributes:
        value: A scalar, or the items by key or in order.
        at: Where it begins.
        keys: For a mapping: where each key is.
        values: How many values it holds, itself included.
        depth: How many levels it has, itself included.
    """

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    at: Position
    keys: dict[str, Position] = field(default_factory=dict)
    values: int = 1
    depth: int = 1

    def plain(self) -> Any:
        """Returns the value as plain scalars, lists and dictionaries."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        return self.value

    def locate(self, path: Sequence[Step]) -> Position:
        """Returns where `path` was written, or the last part of it that was.

        A scalar is where its value is; anything larger, and nothing, is where its key is.
        """
        node, at = self, self.at
        for step in path:
            if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
                at, node = node.keys[step], node.value[step]
            elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                at = node.at
            else:
                return at
        return at if node.value is None or isinstance(node.value, (dict, tuple)) else node.at


def read_yaml_file(path: Path) -> tuple[Node, list[Violation]]:
    """Reads the file at `path`; see `read_yaml`.

    Raises:
        SpecError: It cannot be read, or is no YAML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror or error}") from None
    return read_yaml(content, str(path))


def read_yaml(content: bytes | str, name: str, *, merge_keys: bool = False) -> tuple[Node, list[Violation]]:
    """Reads one YAML document.

    Args:
        content: UTF-8, at most 1 MiB.
        name: What to call it in errors, such as its path.
        merge_keys: Whether ``<<`` brings in the fields of other mappings, as YAML 1.1 had it; else it is refused.

    Returns:
        The document, and what is wrong with it although its structure could be read.

    Raises:
        SpecError: It is no YAML, or exceeds a bound.
    """
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(raw) > MAX_BYTES:
        raise SpecError(f"{name} is too large: the limit is {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError(f"{name} is not UTF-8: byte {error.start} in line {line} cannot be read") from None
    builder = _Builder(name, merge_keys)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        builder.stop(where, f"is not YAML: {error.problem or error.context}")
    except YAMLError as error:
        raise SpecError(f"{name} is not YAML: {str(error).splitlines()[0]}") from None
    except (ValueError, OverflowError, IndexError, AttributeError) as error:
        # The parser lets a few of its own slips through on input that is no YAML, such as an escape beyond Unicode.
        raise SpecError(f"{name} is not YAML: {error}") from None
    return builder.finish()


@dataclass
class _Open:
    """A sequence or mapping whose end has not been seen."""

    at: Position
    anchor: str | None
    mapping: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Position] = field(default_factory=dict)
    key: tuple[str, Position] | None = None
    merges: bool = False
    merged: list[Node] = field(default_factory=list)


class _Builder:
    """Makes nodes from events without recursion."""

    def __init__(self, name: str, merge_keys: bool) -> None:
        self._name = name
        self._merge_keys = merge_keys
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._documents = 0
        self._values = 0
        self._found: list[Violation] = []

    def finish(self) -> tuple[Node, list[Violation]]:
        """Returns the document."""
        if self._root is None:
            raise SpecError(f"{self._name} is empty")
        return self._root, self._found

    def stop(self, at: Position, description: str) -> NoReturn:
        """Gives up at a place behind which nothing can be understood."""
        raise SpecError(f"{self._name} cannot be read", [Violation("", description, at.line, at.column)]) from None

    def take(self, event: Event) -> None:
        """Takes the next event."""
        at = Position(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self.stop(at, "is a second document; keep one")
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            self._begin(event, at)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._end()
        elif isinstance(event, AliasEvent):
            node = self._anchors.get(event.anchor)
            if node is None:
                self.stop(at, f"*{event.anchor} names nothing that was finished before it")
            # Everything else was counted one by one as it came; an alias brings all of its values at once.
            self._add(replace(node, at=at), count=node.values)
        elif isinstance(event, ScalarEvent):
            self._scalar(event, at)

    def _begin(self, event: MappingStartEvent | SequenceStartEvent, at: Position) -> None:
        mapping = isinstance(event, MappingStartEvent)
        self._refuse_tag(event, at)
        if self._open and self._open[-1].mapping and self._open[-1].key is None:
            self.stop(at, "the key of a mapping must be text")
        if len(self._open) >= MAX_DEPTH:
            self.stop(at, f"is nested deeper than {MAX_DEPTH} levels")
        self._open.append(_Open(at, event.anchor, mapping))

    def _end(self) -> None:
        done = self._open.pop()
        for node in done.merged:
            self._merge(done, node)
        children = list(done.entries.values()) if done.mapping else done.items
        node = Node(
            done.entries if done.mapping else tuple(done.items),
            done.at,
            done.keys,
            1 + sum(child.values for child in children),
            1 + max((child.depth for child in children), default=0),
        )
        if done.anchor is not None:
            self._anchors[done.anchor] = node
        self._add(node)

    def _scalar(self, event: ScalarEvent, at: Position) -> None:
        self._refuse_tag(event, at)
        if self._open and self._open[-1].mapping and self._open[-1].key is None:
            self._open[-1].key, self._open[-1].merges = (event.value, at), event.value == "<<" and event.implicit[0]
            return
        plain = event.implicit[0]
        node = Node(_resolve(event.value) if plain else event.value, at)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._add(node)

    def _refuse_tag(self, event: Any, at: Position) -> None:
        if event.tag is not None:
            what = f"has the tag {event.tag!r}; remove it, and quote what is meant as text"
            self._found.append(Violation("", what, at.line, at.column))

    def _add(self, node: Node, count: int = 1) -> None:
        at = node.at
        self._values += count
        if self._values > MAX_VALUES:
            self.stop(at, f"holds more than {MAX_VALUES} values, with aliases counted as often as they are used")
        if len(self._open) + node.depth > MAX_DEPTH:
            self.stop(at, f"is nested deeper than {MAX_DEPTH} levels")
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if not parent.mapping:
            parent.items.append(node)
            return
        if parent.key is None:
            self.stop(at, "the key of a mapping must be text")
        (key, where), parent.key = parent.key, None
        if key in parent.entries:
            first = parent.keys[key]
            self._found.append(
                Violation("", f"{key!r} is there twice, first in line {first.line}; keep one", where.line, where.column)
            )
        elif parent.merges and self._merge_keys:
            parent.merged.append(node)
        elif parent.merges:
            self._found.append(Violation("", "merge keys are not read; write the fields out", where.line, where.column))
        else:
            parent.entries[key] = node
            parent.keys[key] = where

    def _merge(self, into: _Open, node: Node) -> None:
        """Adds the fields that a mapping, or each of a list of them, has besides those that are there already."""
        sources = node.value if isinstance(node.value, tuple) else (node,)
        for source in sources:
            if not isinstance(source.value, dict):
                self._found.append(Violation("", "a merge key brings in mappings only", *node.at))
                continue
            for key, value in source.value.items():
                into.entries.setdefault(key, value)
                into.keys.setdefault(key, node.at)


def _resolve(text: str) -> Scalar:
    """Returns what a plain scalar stands for."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if len(text) <= _MAX_DIGITS:
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text):
            return float(re.sub(r"\.(?=[a-z])", "", text.lower()))
    return text
