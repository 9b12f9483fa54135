"""How far the data can be trusted."""

from __future__ import annotations

from sortition.render.known import known
from sortition.render.numbers import count
from sortition.report.content.summary import quality_tone
from sortition.report.document import Block, Cell, Column, Figure, Paragraph, Section, Table, Tone, cell
from sortition.report.plots import ShareRow, share_plot
from sortition.report.source import Source

__all__ = ["quality"]

_STATES = {Tone.GOOD: "good", Tone.DOUBT: "doubtful", Tone.BAD: "poor"}


def quality(source: Source) -> Section | None:
    """Returns the score with its parts, and the values that were not taken as they came; None without either."""
    blocks: list[Block] = []
    found = source.result.quality
    if source.result.HasField("quality"):
        score = known(found, "score")
        text = f"{score:.2f} of 1" if score == score else "not known"
        blocks.append(Paragraph(f"Data quality: {text}."))
        if found.parts:
            blocks.append(_parts(source))
    if values := _values(source):
        blocks.append(values)
    return Section("quality", "Data quality", tuple(blocks)) if blocks else None


def _parts(source: Source) -> Figure:
    rows, cells = [], []
    for part in source.result.quality.parts:
        score = known(part, "score")
        tone = quality_tone(score)
        word = f"{score:.2f}, {_STATES[tone]}" if score == score else "not judged"
        name = part.name.replace("_", " ")
        rows.append(ShareRow(name, score, None, word, tone.value))
        cells.append((cell(name), Cell(word, tone), cell(part.detail)))
    title = "Parts of the data's quality"
    said = "; ".join(f"{row.label}: {row.word}" for row in rows)
    description = f"A bar for each part, from 0 (unusable) to 1 (nothing to see). {said}."
    columns = (Column("part"), Column("score"), Column("detail"))
    drawing = share_plot("quality-parts", title, description, rows, whole=True)
    return Figure("quality-parts", title, description, drawing, Table("Data quality by part", columns, tuple(cells)))


def _values(source: Source) -> Table | None:
    rows = tuple(
        (
            cell(each.metric),
            cell(each.variant),
            *(cell(count(n)) for n in (each.n, each.refused, each.clamped, each.late)),
        )
        for each in source.result.metrics
    )
    if not rows:
        return None
    columns = (
        Column("metric"), Column("variant"), Column("outcomes", True), Column("refused", True), Column("clamped", True),
        Column("late", True),
    )  # fmt: skip
    return Table("Values that were taken, refused, moved to a cap, or came too late", columns, rows, folded=True)
