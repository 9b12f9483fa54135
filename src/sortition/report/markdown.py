"""A report as Markdown: the same words and tables, without the plots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import singledispatch

from sortition.render.words import clean
from sortition.report.document import (
    Block,
    Code,
    Document,
    Facts,
    Figure,
    Paragraph,
    Section,
    Table,
)

__all__ = ["markdown_text"]

# What Markdown, HTML inside of it, or GitHub gives a meaning wherever it stands; a backslash takes that away. An
# underscore between letters, as in total_time, has none.
_SPECIAL = re.compile(r"[\\`*\[\]<|~$@]|(?<!\w)_|_(?!\w)|&(?=[#\w])|:(?=//)")
# What makes a line more than a text by beginning it: a list, a heading, a quotation, a rule.
_BEGINNING = re.compile(r"^(?=[-+=#>])|^(\d+)(?=[.)](?:\s|$))")
_FENCE = re.compile(r"`{3,}")


def markdown_text(document: Document) -> str:
    """Returns a report as Markdown (CommonMark with GitHub's tables)."""
    return "\n\n".join(_parts(document)) + "\n"


def _parts(document: Document) -> Iterator[str]:
    verdict = document.verdict
    yield f"# {_line(document.title)}"
    if document.subtitle:
        yield _line(document.subtitle)
    yield f"**{_line(verdict.word)}**" + (f": {_line(verdict.text)}" if verdict.text else "")
    if verdict.command:
        yield _code(verdict.command)
    if verdict.remarks:
        yield "\n".join(f"- {_line(each)}" for each in verdict.remarks)
    yield _block(document.facts)
    for section in document.sections:
        yield from _section(section)
    yield "---"
    yield from (_line(each) for each in document.footer)


def _section(section: Section) -> Iterator[str]:
    yield f"## {_line(section.title)}"
    yield from (text for block in section.blocks if (text := _block(block)))


@singledispatch
def _block(block: Block) -> str:
    raise NotImplementedError(type(block))


@_block.register
def _(block: Paragraph) -> str:
    return _line(block.text)


@_block.register
def _(block: Facts) -> str:
    return "\n".join(f"- **{_line(name)}**: {_line(value.text)}" for name, value in block.pairs)


@_block.register
def _(block: Code) -> str:
    return f"**{_line(block.title)}**\n\n{_code(block.text)}"


@_block.register
def _(block: Figure) -> str:
    return _block(block.table)


@_block.register
def _(block: Table) -> str:
    lines = [
        f"| {' | '.join(_inside(each.title) for each in block.columns)} |",
        f"|{'|'.join('---:' if each.figures else '---' for each in block.columns)}|",
        *(f"| {' | '.join(_inside(each.text) for each in row)} |" for row in block.rows),
    ]
    return f"**{_line(block.caption)}**\n\n" + "\n".join(lines)


def _line(text: str) -> str:
    """Returns a text on a line of its own, as it is to be read: nothing in it is Markdown or HTML."""
    return _BEGINNING.sub(r"\1\\", _inside(text))


def _inside(text: str) -> str:
    """Returns a text that stands behind others on a line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(clean(text).split()))


def _code(text: str) -> str:
    """Returns a text in a fence that is longer than any in it."""
    longest = max((len(found) for found in _FENCE.findall(text)), default=2)
    fence = "`" * max(longest + 1, 3)
    return f"{fence}\n{clean(text)}\n{fence}"
