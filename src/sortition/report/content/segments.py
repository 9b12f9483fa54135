"""Levels of declared dimensions, each on its own."""

from __future__ import annotations

import math

from sortition.render.figures import Figures
from sortition.render.known import known
from sortition.render.numbers import count, relative
from sortition.report.content.words import outcome, p_text, relative_interval
from sortition.report.document import Block, Column, Figure, Paragraph, Section, Table, Tone, cell
from sortition.report.plots import IntervalRow, interval_plot
from sortition.report.source import Source
from sortition.rpc.v1.analysis_pb2 import AnalysisResult, Comparison, Segment

__all__ = ["segments"]


def segments(source: Source) -> Section | None:
    """Returns the primary metric in every level, and all metrics in a table; None without dimensions."""
    found = source.result.segments
    if not found:
        return None
    blocks: list[Block] = [
        Paragraph(
            "Levels inform and never decide. Their p-values are corrected over all levels of all dimensions together "
            "(Benjamini–Hochberg), so that looking at many of them finds no more than it should."
        )
    ]
    rows = [_row(source, segment, each) for segment in found for each in segment.comparisons if _plotted(source, each)]
    title = f"{source.primary} by level: difference to the control"
    table = _table(source)
    if rows:
        said = ". ".join(
            f"{row.group}, {row.label}: {relative(row.value)} {row.word}" for row in rows if math.isfinite(row.value)
        )
        description = (
            f"Relative differences with their intervals, grouped by level; the line at 0 is no difference. {said}."
        )
        blocks.append(
            Figure(
                "segments-primary",
                title,
                description,
                interval_plot("segments-primary", title, description, rows),
                table,
            )
        )
    else:
        blocks.append(table)
    return Section("segments", "Segments", tuple(blocks))


def _plotted(source: Source, comparison: Comparison) -> bool:
    return comparison.metric == source.primary and not comparison.HasField("quantile")


def _row(source: Source, segment: Segment, comparison: Comparison) -> IntervalRow:
    held = comparison.relative_interval if comparison.HasField("relative_interval") else None
    said = outcome(comparison)
    return IntervalRow(
        group=f"{segment.dimension}: {segment.level}",
        label=comparison.variant,
        place=source.place(comparison.variant),
        value=known(comparison, "relative"),
        lower=held.lower if held else math.nan,
        upper=held.upper if held else math.nan,
        word=said.text,
        tone="plain" if said.tone is Tone.PLAIN else said.tone.value,
    )


def _table(source: Source) -> Table:
    titles = ("dimension", "level", "metric", "variant", "outcomes", "control", "value", "relative",
              source.figures.confidence(), "p", "verdict", "note")  # fmt: skip
    columns = tuple(Column(title, 4 <= index <= 9) for index, title in enumerate(titles))
    rows = []
    for segment in source.result.segments:
        figures = Figures(
            AnalysisResult(metrics=segment.metrics, variants=source.result.variants, primary_metric=source.primary),
            source.experiment,
        )
        for each in segment.comparisons:
            scale = figures.scale(each.metric)
            values = [scale.value(figures.value(name, each.metric)) for name in (figures.control, each.variant)]
            rows.append(
                (
                    cell(segment.dimension),
                    cell(segment.level),
                    cell(each.metric),
                    cell(each.variant),
                    cell(count(figures.figures(each.variant, each.metric).n)),
                    *map(cell, values),
                    cell(relative(known(each, "relative"))),
                    cell(relative_interval(each, "relative_interval")),
                    cell(p_text(each)),
                    outcome(each),
                    cell(each.reason),
                )
            )
    return Table("All metrics by level", columns, tuple(rows)).with_what_is_there()
