"""Where each value of a YAML text is written, to the character."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

__all__ = ["Path", "Span", "spans"]

Path: TypeAlias = "tuple[int | str, ...]"
"""The keys and indices that lead to a value."""

# What may stand before a value in its own span: an anchor, a tag, and the blanks behind them.
_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)*(?:[&!]\S*)?")
_COLON: Final = re.compile(r"\s*:")


class Span(NamedTuple):
    """Where a value is written.

    Attributes:
        begin: The character that it begins with; an anchor or a tag stays in front.
        end: The character behind it.
        style: How: ``'`` or ``"`` for quoted scalars, ``|`` or ``>`` for block scalars, "" for plain ones, ``flow`` and
            ``block`` for lists and mappings, ``alias`` for aliases.
        line: The line that it is in, counted from 1.
    """

    begin: int
    end: int
    style: str
    line: int


@dataclass
class _Open:
    """A list or mapping whose end has not been seen."""

    path: Path
    event: MappingStartEvent | SequenceStartEvent
    key: str | None = None
    key_end: int = 0
    index: int = 0
    mapping: bool = field(init=False)

    def __post_init__(self) -> None:
        self.mapping = isinstance(self.event, MappingStartEvent)


def spans(text: str) -> Mapping[Path, Span]:
    """Returns where each value of a YAML document is written.

    Args:
        text: One document, of which the reader of YAML has said that it is sound.
    """
    found: dict[Path, Span] = {}
    parents: list[_Open] = []
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            done = parents.pop()
            style = "flow" if done.event.flow_style else "block"
            found[done.path] = _span(text, done.event, event.end_mark.index, style)
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent, ScalarEvent, AliasEvent)):
            parent = parents[-1] if parents else None
            if parent is not None and parent.mapping and parent.key is None:
                # The reader has refused keys that are no scalars.
                parent.key = event.value if isinstance(event, ScalarEvent) else ""
                parent.key_end = event.end_mark.index
                continue
            path = _next(parent)
            if isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                parents.append(_Open(path, event))
            else:
                style = "alias" if isinstance(event, AliasEvent) else event.style or ""
                found[path] = _span(text, event, event.end_mark.index, style)
                if parent is not None and parent.mapping and found[path].begin == found[path].end:
                    found[path] = _absent(text, parent.key_end, found[path])
    return found


def _next(parent: _Open | None) -> Path:
    """Returns the path of a parent's next value."""
    if parent is None:
        return ()
    if parent.mapping:
        assert parent.key is not None
        key, parent.key = parent.key, None
        return (*parent.path, key)
    parent.index += 1
    return (*parent.path, parent.index - 1)


def _absent(text: str, key_end: int, span: Span) -> Span:
    """Returns the place of a value that is not written: behind its colon, and not behind a comment there."""
    colon = _COLON.match(text, key_end, span.begin)
    return span if colon is None else span._replace(begin=colon.end(), end=colon.end())


def _span(text: str, event: Event, end: int, style: str) -> Span:
    begin = event.start_mark.index
    if style not in ("alias", "block") and (properties := _PROPERTIES.match(text, begin, end)) is not None:
        begin = properties.end()
    return Span(begin, end, style, event.start_mark.line + 1)
