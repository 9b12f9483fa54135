"""A report for a terminal or a text file: the same words and tables, without the plots."""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from sortition.render.tables import quiet_table
from sortition.render.words import clean
from sortition.report.document import (
    Block,
    Cell,
    Code,
    Document,
    Facts,
    Figure,
    Paragraph,
    Section,
    Table,
    Tone,
)

__all__ = ["plain_view"]

_STYLES = {Tone.GOOD: "green", Tone.BAD: "bold red", Tone.DOUBT: "yellow", Tone.PLAIN: ""}


def plain_view(document: Document) -> RenderableType:
    """Returns a report as something that rich can print."""
    return Group(*_parts(document))


def _parts(document: Document) -> Iterator[RenderableType]:
    verdict = document.verdict
    yield _text(document.title, "bold")
    if document.subtitle:
        yield _text(document.subtitle)
    yield Text()
    yield Text.assemble((clean(verdict.word), f"bold {_STYLES[verdict.tone]}"), (f": {clean(verdict.text)}", ""))
    if verdict.command:
        yield _text(f"  {verdict.command}")
    yield from (_text(f"! {each}", "yellow") for each in verdict.remarks)
    yield Text()
    yield _block(document.facts)
    for section in document.sections:
        yield from _section(section)
    yield Text()
    yield from (_text(each, "dim") for each in document.footer)


def _section(section: Section) -> Iterator[RenderableType]:
    yield Text()
    yield _text(section.title, "bold underline")
    for block in section.blocks:
        yield _block(block)


@singledispatch
def _block(block: Block) -> RenderableType:
    raise NotImplementedError(type(block))


@_block.register
def _(block: Paragraph) -> RenderableType:
    return _text(block.text)


@_block.register
def _(block: Facts) -> RenderableType:
    table = quiet_table("", "")
    table.show_header = False
    for name, value in block.pairs:
        table.add_row(_text(name, "dim"), _cell(value))
    return table


@_block.register
def _(block: Code) -> RenderableType:
    return Group(_text(block.title, "italic"), Padding(_text(block.text), (0, 0, 0, 2)))


@_block.register
def _(block: Figure) -> RenderableType:
    return _block(block.table)


@_block.register
def _(block: Table) -> RenderableType:
    table = quiet_table(*(clean(each.title) for each in block.columns))
    for column, each in zip(table.columns, block.columns, strict=True):
        column.justify = "right" if each.figures else "left"
    for row in block.rows:
        table.add_row(*map(_cell, row))
    return Group(Text(), _text(block.caption, "italic"), table)


def _cell(cell: Cell) -> Text:
    return _text(cell.text, _STYLES[cell.tone])


def _text(text: str, style: str = "") -> Text:
    return Text(clean(text), style=style)
