"""A report as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import singledispatch

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
    Verdict,
)
from sortition.report.markup import Element, element, write
from sortition.report.style import stylesheet

__all__ = ["html_page"]

# Columns of sentences need room; the others are as wide as what is in them.
_LONG = 40


def html_page(document: Document) -> str:
    """Returns a report as an HTML page.

    Should a text of the experiment ever get past the escaping, the page's own policy keeps browsers from running a
    script or fetching anything: it allows this one style sheet, by its hash, and nothing else.
    """
    style = stylesheet()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{document.title}: {document.verdict.word}"),
        element("style", style),
    )
    body = element("body", _header(document), element("main", *map(_section, document.sections)), _footer(document))
    return "<!DOCTYPE html>\n" + write(element("html", head, body, lang="en")) + "\n"


def _header(document: Document) -> Element:
    links = [element("li", element("a", each.title, href=f"#{each.name}")) for each in document.sections]
    subtitle = element("p", document.subtitle, class_="subtitle") if document.subtitle else None
    return element(
        "header",
        element("h1", document.title),
        subtitle,
        _verdict(document.verdict),
        _block(document.facts),
        element("nav", element("ul", *links), aria_label="Sections"),
    )


def _verdict(verdict: Verdict) -> Element:
    command = element("p", element("code", verdict.command)) if verdict.command else None
    remarks = element("ul", *(element("li", each) for each in verdict.remarks)) if verdict.remarks else None
    return element(
        "section",
        element("h2", verdict.word, id="verdict"),
        element("p", verdict.text) if verdict.text else None,
        command,
        remarks,
        class_=f"verdict {verdict.tone.value}",
        aria_labelledby="verdict",
    )


def _section(section: Section) -> Element:
    heading = f"{section.name}-heading"
    return element(
        "section",
        element("h2", section.title, id=heading),
        *map(_block, section.blocks),
        id=section.name,
        aria_labelledby=heading,
    )


def _footer(document: Document) -> Element:
    return element("footer", *(element("p", each) for each in document.footer))


@singledispatch
def _block(block: Block) -> Element:
    raise NotImplementedError(type(block))


@_block.register
def _(block: Paragraph) -> Element:
    return element("p", block.text)


@_block.register
def _(block: Facts) -> Element:
    pairs = [
        element("div", element("dt", name), element("dd", value.text, class_=_tone(value)))
        for name, value in block.pairs
    ]
    return element("dl", *pairs)


@_block.register
def _(block: Code) -> Element:
    return element("div", element("h3", block.title), element("pre", element("code", block.text)))


@_block.register
def _(block: Figure) -> Element:
    scroll = element("div", block.drawing, class_="scroll")
    return element("figure", element("figcaption", block.title), scroll, _block(block.table))


@_block.register
def _(block: Table) -> Element:
    head = element(
        "tr", *(element("th", each.title, scope="col", class_=_figures(each.figures)) for each in block.columns)
    )
    rows = [_row(row, [column.figures for column in block.columns]) for row in block.rows]
    caption = None if block.folded else element("caption", block.caption)
    table = element("table", caption, element("thead", head), element("tbody", *rows))
    # Whoever has no mouse scrolls what has the focus.
    scroll = element("div", table, class_="scroll", tabindex=0, role="region", aria_label=block.caption)
    return element("details", element("summary", block.caption), scroll) if block.folded else scroll


def _row(row: Sequence[Cell], figures: Sequence[bool]) -> Element:
    first, *others = row
    cells = [element("th", first.text, scope="row", class_=_figures(figures[0]))]
    for each, right in zip(others, figures[1:], strict=True):
        classes = " ".join(filter(None, (_figures(right), _tone(each), "long" if len(each.text) > _LONG else None)))
        cells.append(element("td", each.text, class_=classes or None))
    return element("tr", *cells)


def _figures(figures: bool) -> str | None:
    return "figures" if figures else None


def _tone(cell: Cell) -> str | None:
    return None if cell.tone is Tone.PLAIN else f"t-{cell.tone.value}"
