"""Everybody can read a report: without seeing, without colours, without a mouse, without a network."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise

import pytest

from sortition.report.style import DARK, LIGHT, stylesheet
from unit.report.page import Tree, page, text_of, tree_of
from unit.report.sample import make_full_report

MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def html() -> str:
    return page(make_full_report())


@pytest.fixture(scope="module")
def tree(html: str) -> Tree:
    return tree_of(html)


def ids(tree: Tree) -> list[str]:
    return [each.attrib["id"] for each in tree.iter() if "id" in each.attrib]


def test_names_lead_somewhere(tree: Tree) -> None:
    known = ids(tree)
    assert len(set(known)) == len(known), "a name is of one element only"
    references = [
        name
        for each in tree.iter()
        for attribute in ("aria-labelledby", "aria-describedby")
        for name in each.get(attribute, "").split()
    ]
    references += [each.attrib["href"].removeprefix("#") for each in tree.iter("a")]
    references += re.findall(r"url\(#([^)]*)\)", " ".join(each.get("clip-path", "") for each in tree.iter()))
    assert len(references) > 25
    assert set(references) <= set(known)


def test_every_plot_has_a_title_a_description_and_a_table(tree: Tree) -> None:
    figures = list(tree.iter("figure"))
    assert len(figures) == len(list(tree.iter("svg"))) == 9
    for figure in figures:
        svg = next(figure.iter("svg"))
        assert svg.get("role") == "img"
        by_id = {each.get("id"): text_of(each) for each in svg.iter() if "id" in each.attrib}
        caption = text_of(next(figure.iter("figcaption")))
        assert by_id[svg.attrib["aria-labelledby"]] == caption != ""
        assert len(by_id[svg.attrib["aria-describedby"]]) > 80, "it says what is to be seen"
        table = next(figure.iter("table"))
        assert len(list(table.iter("tr"))) > 1


def test_descriptions_tell_the_figures(tree: Tree) -> None:
    said = {each.get("id"): text_of(each) for each in tree.iter("desc")}
    intervals = said["intervals-primary-description"]
    assert f"combined: {MINUS}57.8 %, from {MINUS}65.6 % to {MINUS}50.0 %, winner" in intervals
    assert "combined stands at" in said["effect-description"]
    assert f"[{MINUS}1.25, {MINUS}0.97]" in said["effect-description"]
    assert "combined has 32.0 % of 33.0 % declared" in said["split-description"]
    assert "Today's 312 give 66.0 %" in said["power-curve-description"]
    assert "missing outcomes: 0.82, doubtful" in said["quality-parts-description"]


def test_tables_say_what_their_cells_are_of(tree: Tree) -> None:
    tables = list(tree.iter("table"))
    assert len(tables) > 10
    for table in tables:
        columns = list(next(table.iter("thead")).iter("th"))
        assert all(each.get("scope") == "col" and text_of(each) for each in columns)
        for row in next(table.iter("tbody")).iter("tr"):
            assert [each.tag for each in row] == ["th"] + ["td"] * (len(columns) - 1)
            assert row[0].get("scope") == "row"
    named = [each for each in tree.iter() if each.find("caption") is not None or each.tag == "details"]
    assert len(named) == len(tables), "each has a caption, or the summary that unfolds it"
    scrolled = [each for each in tree.iter("div") if each.find("table") is not None]
    assert all(
        each.get("tabindex") == "0" and each.get("role") == "region" and each.get("aria-label") for each in scrolled
    )
    assert len(scrolled) == len(tables), "whoever has no mouse can scroll them"


def test_headings_and_landmarks(tree: Tree) -> None:
    assert tree.get("lang") == "en"
    levels = [int(each.tag[1]) for each in tree.iter() if re.fullmatch(r"h[1-6]", each.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), "no level is left out"
    for landmark in ("header", "main", "nav", "footer"):
        assert len(list(tree.iter(landmark))) == 1
    sections = list(next(tree.iter("main")).iter("section"))
    assert [each.attrib["href"] for each in tree.iter("a")] == [f"#{each.attrib['id']}" for each in sections]
    assert all("aria-labelledby" in each.attrib for each in sections)


def test_colour_never_says_anything_alone(tree: Tree) -> None:
    words = {
        "t-good": {"winner", "better", "intact", "good", "ok", "0.94"},
        "t-bad": {"worse", "BROKEN", "poor"},
        "t-doubt": {"doubtful"},
    }
    seen = set()
    for each in tree.iter():
        if each.tag not in ("td", "dd", "text"):
            continue
        for tone in set(each.get("class", "").split()) & words.keys():
            seen.add(tone)
            assert any(word in text_of(each) for word in words[tone]), (tone, text_of(each))
    assert seen == words.keys()


def test_series_differ_in_shape_and_line_too(tree: Tree) -> None:
    daily = next(each for each in tree.iter("svg") if each.get("aria-labelledby") == "daily-title")
    marks = {(each.tag, each.attrib["class"]) for each in daily.iter() if "mark" in each.get("class", "").split()}
    assert len(marks) == len({tag for tag, _ in marks}) == 3
    lines = {each.attrib["class"] for each in daily.iter("path") if "line" in each.get("class", "").split()}
    assert lines == {"line s0 d0", "line s1 d1", "line s2 d2"}


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_published() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    # The grey that WCAG's own material names as the lightest that passes on white.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_marks_stand_out_from_their_ground(colours: dict[str, str]) -> None:
    for name in ("text", "quiet", "link", "good", "bad", "doubt"):
        for ground in ("page", "panel"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    marks = [name for name in colours if re.fullmatch(r"s\d", name)]
    assert len(marks) == 8
    for name in marks:
        assert contrast(colours[name], colours["page"]) >= 3, name


def test_both_themes_have_every_colour() -> None:
    assert LIGHT.keys() == DARK.keys()
    used = set(re.findall(r"var\(--(\w+)\)", stylesheet()))
    assert used == LIGHT.keys()
    assert "@media screen and (prefers-color-scheme:dark)" in stylesheet(), "paper stays white"


def test_classes_have_rules(tree: Tree) -> None:
    rules = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"\{[^}]*\}", "", stylesheet())))
    plain = {"d0", "plain", "t-plain", "label", "mark"}
    used = {name for each in tree.iter() for name in each.get("class", "").split()}
    assert used <= rules | plain, used - rules - plain


def test_a_page_needs_no_network_and_no_script(html: str, tree: Tree) -> None:
    # Policy and style sheet go together: by its hash, this one style and nothing else is allowed.
    style = text_of(next(tree.iter("style")))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(each.attrib["content"] for each in tree.iter("meta") if each.get("http-equiv"))
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert style == stylesheet()
    assert style in html, "escaping leaves the style as it is, so its hash is that of what browsers read"
    assert not re.search(r"https?:|//|@import|url\(", style)
    assert "script" not in {each.tag for each in tree.iter()}
    assert not [each for each in tree.iter() if "src" in each.attrib or "style" in each.attrib]
    assert "http" not in re.sub(r"http-equiv", "", html)
