"""A report as parts that have a meaning and no form: what each of its writers gives one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from sortition.report.markup import Element

__all__ = [
    "Block",
    "Cell",
    "Code",
    "Column",
    "Document",
    "Facts",
    "Figure",
    "Paragraph",
    "Section",
    "Table",
    "Tone",
    "Verdict",
    "cell",
]

_NOTHING = "–"


class Tone(str, Enum):
    """What a text means for the reader. It is said in words too, never by a colour alone."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    DOUBT = "doubt"


@dataclass(frozen=True)
class Cell:
    """A text in a table or a list."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Column:
    """A column's title, and whether it holds figures, which are set to the right."""

    title: str
    figures: bool = False


@dataclass(frozen=True)
class Table:
    """A table. The first cell of each row names it.

    Attributes:
        caption: What it shows.
        columns: Its columns.
        rows: As many cells each as there are columns.
        folded: Whether it is long, and of interest to few: what a plot beside it shows.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool = False

    def with_what_is_there(self) -> Table:
        """Returns the table without the columns that have nothing to say in any row; the first one stays."""
        kept = [
            place
            for place in range(len(self.columns))
            if place == 0 or any(row[place].text not in ("", _NOTHING) for row in self.rows)
        ]
        columns = tuple(self.columns[place] for place in kept)
        return replace(self, columns=columns, rows=tuple(tuple(row[place] for place in kept) for row in self.rows))


@dataclass(frozen=True)
class Figure:
    """A plot. A table with the same figures always goes with it.

    Attributes:
        name: Unique in the report; lower-case letters and hyphens.
        title: What it shows, in a few words.
        description: What is to be seen, in sentences, for those who do not see it.
        drawing: The SVG element.
        table: The figures that are drawn.
    """

    name: str
    title: str
    description: str
    drawing: Element
    table: Table


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names with values."""

    pairs: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Code:
    """Text that is not prose, with a title."""

    title: str
    text: str


Block = Table | Figure | Paragraph | Facts | Code


@dataclass(frozen=True)
class Section:
    """A part of the report under a title of its own; `name` is unique, lower-case letters and hyphens."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Verdict:
    """What to do.

    Attributes:
        word: The advice in a word or two, such as "Ship".
        text: The advice in a sentence.
        command: The command that follows it; empty where none does.
        tone: How good the news is.
        remarks: What the reader should know with it.
    """

    word: str
    text: str
    command: str
    tone: Tone
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    facts: Facts
    verdict: Verdict
    sections: tuple[Section, ...]
    footer: tuple[str, ...]


def cell(text: str, tone: Tone = Tone.PLAIN) -> Cell:
    """Makes a cell; a dash for a text that is empty because there is nothing to say."""
    return Cell(text or _NOTHING, tone)
