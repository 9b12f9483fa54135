"""Whatever a file looks like: only what is overridden changes in it, and a rollback brings every byte back."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sortition.model.canonical import merge, normalize
from sortition.subjectfiles.diff import three_way, unified
from sortition.subjectfiles.held import changed_values
from sortition.subjectfiles.overrides import override, read_values
from sortition.subjectfiles.place import digest, place
from sortition.subjectfiles.swap import backup_of, swap

WORDS = st.text(alphabet="abcxyz ,:#-'\"{}[]!&*|>%@`\\äß€😀~", max_size=12)
KEYS = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True), min_size=1, max_size=4, unique=True)
BLANKS = st.sampled_from(["", "", "   # said", "  #: {x}"])
LINES = st.sampled_from(["", "", "\n", "# a line: of its own\n", "   # indented\n\n"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), WORDS,
    st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8).filter(lambda text: "\ufeff" not in text),
    st.sampled_from(["no", "null", "1e3", "2024-01-01", "a\nb\n", "a\n  b", "\n", " x", "x\n\n", "- a", "~"]),
    st.lists(st.one_of(st.integers(-9, 9), WORDS), max_size=3),
)  # fmt: skip


@dataclass
class Text:
    """A YAML text as it grows: pieces that nobody may change, and between them values with their paths."""

    pieces: list[str]
    paths: list[str]

    def value(self, path: str, written: str) -> None:
        self.paths.append(path)
        self.pieces += [written, ""]

    def add(self, text: str) -> None:
        self.pieces[-1] += text

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@st.composite
def texts(draw: st.DrawFn) -> Text:
    """Draws a document in many hands' writing."""
    made = Text([draw(LINES)], [])
    if draw(st.booleans()):
        made.pieces[0] = "---\n" + made.pieces[0]
    _mapping(draw, made, "", 0)
    return made


def _mapping(draw: st.DrawFn, made: Text, path: str, depth: int) -> None:
    for key in draw(KEYS):
        made.add(draw(LINES) + "  " * depth + draw(st.sampled_from([key, f'"{key}"', f"'{key}'"])) + ":")
        here = f"{path}{key}"
        kind = draw(st.sampled_from(["scalar"] * 5 + ["flow", "block", "literal", "list"])) if depth < 3 else "scalar"
        if kind == "block":
            made.add(draw(BLANKS) + "\n")
            _mapping(draw, made, f"{here}.", depth + 1)
        elif kind == "list":
            made.add("\n")
            for index in range(draw(st.integers(1, 3))):
                made.add("  " * depth + "- ")
                made.value(f"{here}.{index}", _scalar(draw))
                made.add(draw(BLANKS) + "\n")
        elif kind == "flow":
            made.add(" {a: ")
            made.value(f"{here}.a", _scalar(draw))
            made.add(" , b: [")
            made.value(f"{here}.b.0", _scalar(draw))
            made.add("]}" + draw(BLANKS) + "\n")
        elif kind == "literal":
            made.add(" ")
            indent = "  " * (depth + 1)
            header = draw(st.sampled_from(["|", ">", "|-", ">-"]))
            made.value(here, f"{header}\n{indent}some: text\n{indent}# no comment\n")
            # A comment that is indented as the text would be one of its lines.
            made.add("# a comment\n")
        else:
            made.add(" " + draw(st.sampled_from(["", f"&{key}{depth} "])))
            made.value(here, _scalar(draw))
            made.add(draw(BLANKS) + "\n")


def _scalar(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["1", "0.70", "true", "plain", "two words", "'it''s'", '"q\\n\\u00e4"', "~", "''"]))


def loaded(text: str) -> Any:
    """Reads with somebody else's reader."""
    return YAML(typ="safe", pure=True).load(text)


def put(values: Any, path: str, value: Any) -> None:
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in way:
        values = values[step]
    values[last] = value


@settings(max_examples=100, deadline=None)
@given(texts(), st.data(), st.booleans())
def test_overriding_is_loading_setting_and_dumping_with_every_other_byte_as_it_was(
    made: Text, data: st.DataObject, carriage_returns: bool
) -> None:
    text = made.text
    if carriage_returns:
        text = text.replace("\n", "\r\n")
    chosen = data.draw(st.lists(st.sampled_from(made.paths), min_size=1, max_size=4, unique=True))
    changes = {path: data.draw(VALUES, label=path) for path in chosen}
    after = override(text, "a.yaml", changes)
    # Each value is read as it was asked for, by the reader that everybody has.
    expected = loaded(text)
    for path, value in changes.items():
        put(expected, path, value)
    assert loaded(after) == expected
    # All that stands around the values stands there still, to the byte.
    pattern = ""
    for index, piece in enumerate(made.pieces):
        piece = piece.replace("\n", "\r\n") if carriage_returns else piece
        pattern += "(?:.*?)" if index % 2 and made.paths[index // 2] in changes else re.escape(piece)
    assert re.fullmatch(pattern, after, re.DOTALL)
    # What agents get over the base's values is the same again.
    before, now = normalize(read_values(text, "a.yaml")), normalize(read_values(after, "a.yaml"))
    assert isinstance(before, dict)
    assert isinstance(now, dict)
    assert merge(before, changed_values(before, now)) == now


CONTENTS = st.one_of(st.binary(max_size=200), texts().map(lambda made: made.text.encode()))


@settings(max_examples=15, deadline=None)
@given(st.lists(CONTENTS, min_size=2, max_size=4, unique=True))
def test_the_way_back_is_exact(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        file = root / "a.md"
        file.write_bytes(contents[0])
        found = place(root, "a.md")
        for before, after in pairwise(contents):
            swap(found, digest(before), after)
        assert file.read_bytes() == contents[-1]
        for before, after in pairwise(contents[::-1]):
            kept = backup_of(found.root, digest(after))
            assert kept is not None
            swap(found, digest(before), kept)
            assert file.read_bytes() == after


LINED = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=8).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(LINED, LINED, LINED)
def test_a_three_way_diff_shows_both_sides_whole(base: str, theirs: str, ours: str) -> None:
    shown = three_way(base, theirs, ours, "x").split("\n")[3:-1]
    assert bool(shown) == (base != theirs or base != ours)
    for side, text in (("theirs", theirs), ("ours", ours)):
        assert "\n".join(_rebuilt(base.split("\n"), shown, side)).rstrip("\n") == text.rstrip("\n")
    assert bool(unified(base, ours, "x")) == (base != ours)


def _rebuilt(base: list[str], shown: list[str], side: str) -> list[str]:
    """Makes a side of the base and of what is shown about it."""
    made: list[str] = []
    at = 0
    name = ""
    lines: list[str] = []
    regions: list[tuple[int, int, list[str] | None]] = []
    for line in shown:
        if line.startswith("@@"):
            numbers = [int(number) for number in re.findall(r"\d+", line)]
            begin = numbers[0] if "behind" in line else numbers[0] - 1
            end = begin if "behind" in line else numbers[-1]
        elif line.startswith("    "):
            if name == side and "\\ No newline" not in line:
                lines.append(line[4:])
        else:
            name = line.strip().split(":")[0]
            if name == side:
                lines = []
                regions.append((begin, end, None if "as in base" in line else lines))
    for begin, end, replaced in regions:
        made += base[at:begin]
        made += base[begin:end] if replaced is None else replaced
        at = end
    return made + base[at:]
