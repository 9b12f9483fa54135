"""Whatever an experiment's texts hold, a report shows them and does nothing else with them."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from sortition.report import compose, markdown_text, plain_view
from sortition.report.markup import element, write
from unit.report.hostile import poison
from unit.report.page import page, text_of, tree_of
from unit.report.sample import make_full_report

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</title></style></svg></text><svg onload=alert(1)>",
    "'; } * { background: url(//evil.example/x) } /*",
    "]]><!--<?php --><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;&lt;b&gt;",
    "javascript:alert(1)",
    "\x00\x1b[2J\x7f\x9b\u202etxet\u2066\ufffe\uffff",
    "|a|b|\n\n# h\n- [x](javascript:alert(1)) ![i](//evil.example) `code` ~~~ **b** <b>\n1. one",
    "````\n```\n~~~",
]
TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "nav", "h1", "h2", "h3",
    "p", "ul", "li", "a", "code", "pre", "dl", "dt", "dd", "div", "figure", "figcaption", "details", "summary",
    "table", "caption", "thead", "tbody", "tr", "th", "td",
    "svg", "desc", "g", "line", "path", "rect", "circle", "polygon", "text", "clipPath",
}  # fmt: skip
CELL_END = re.compile(r"(?<!\\)\|")
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "id", "class", "href", "scope", "role", "tabindex",
    "aria-label", "aria-labelledby", "aria-describedby", "viewBox", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r",
    "width", "height", "d", "points", "text-anchor", "clip-path",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_adds_no_element_and_no_attribute(text: str) -> None:
    full = make_full_report()
    assert poison(full, text) > 150, "there are texts everywhere"
    tree = tree_of(page(full))
    assert {each.tag for each in tree.iter()} <= TAGS
    assert {name for each in tree.iter() for name in each.attrib} <= ATTRIBUTES
    assert all(each.get("href", "#").startswith("#") for each in tree.iter())


@pytest.mark.parametrize("text", [each for each in HOSTILE if each.isprintable()])
def test_a_hostile_text_is_shown_as_it_is(text: str) -> None:
    full = make_full_report()
    poison(full, text)
    tree = tree_of(page(full))
    headings = [text_of(each) for each in tree.iter("h1")]
    assert headings == [f"search-strategy{text}"]
    cells = {text_of(each) for each in tree.iter() if each.tag in ("td", "th", "dd", "li", "p", "pre", "text")}
    for name in ("combined", "mobile", "3 values refused", "what was seen of split", "One pass beats many."):
        assert any(name in each and text in each for each in cells), name


def test_a_page_holds_nothing_that_steers_a_reader() -> None:
    full = make_full_report()
    poison(full, HOSTILE[6])
    html = page(full)
    assert "\N{REPLACEMENT CHARACTER}" in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", html)


def test_names_of_elements_are_never_taken_from_texts() -> None:
    assert write(element("p", "a < b & c", title="\"'")) == '<p title="&quot;&#x27;">a &lt; b &amp; c</p>'
    for tag in ("p onload", "p>", "", "1"):
        with pytest.raises(AssertionError):
            element(tag)
    with pytest.raises(AssertionError):
        element("p", **{"a b": "c"})


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_stays_what_it_is(text: str) -> None:
    full = make_full_report()
    honest = _outline(markdown_text(compose(full)))
    poison(full, text)
    written = markdown_text(compose(full))
    # The same lines mean the same things, whatever the texts are: nothing is added and nothing is taken away.
    assert _outline(written) == honest
    prose = _prose(written)
    assert not re.search(r"(?<!\\)(?:\\\\)*[<\[`~]", prose), "nothing in it is HTML, a link, code or a picture"
    assert not re.search(r"(?<!\\)(?:\\\\)*(?:&[#\w]|://)", prose)


def _prose(written: str) -> str:
    """Returns Markdown without what is fenced."""
    kept, fence = [], ""
    for line in written.splitlines():
        found = re.match(r"`{3,}", line)
        if fence:
            fence = "" if line == fence else fence
        elif found:
            fence = found.group()
        else:
            kept.append(line)
    assert not fence, "every fence is closed"
    return "\n".join(kept)


def _outline(written: str) -> list[str]:
    """Returns what each line of Markdown is; of tables, how many cells it has."""
    outline = []
    for line in _prose(written).splitlines():
        if line.startswith("|"):
            outline.append(f"row {len(CELL_END.findall(line))}")
        elif found := re.match(r"#+ |- |---|\d+[.)] |> |\*\*", line):
            outline.append(found.group())
        elif line:
            outline.append("text")
    return outline


def test_text_does_not_steer_the_terminal() -> None:
    full = make_full_report()
    poison(full, HOSTILE[6] + "[bold]x[/bold]")
    out = io.StringIO()
    Console(file=out, width=300, color_system=None, markup=False, highlight=False, emoji=False).print(
        plain_view(compose(full))
    )
    assert "[bold]x[/bold]" in out.getvalue()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out.getvalue())
