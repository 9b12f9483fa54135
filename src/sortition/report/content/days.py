"""The primary metric over time: how the difference settles, and each day on its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sortition.render.known import known
from sortition.render.numbers import Scale, count
from sortition.report.content.words import axis_title, interval_text
from sortition.report.document import Block, Cell, Column, Figure, Paragraph, Section, Table, cell
from sortition.report.plots import Effect, EffectDay, Line, effect_plot, line_plot
from sortition.report.source import Source
from sortition.rpc.v1.analysis_pb2 import Interval, SeriesPoint

__all__ = ["over_time"]


def over_time(source: Source) -> Section:
    """Returns the primary metric by day and accumulated."""
    series, metric = source.full.series, source.full.series.metric or source.primary
    if not series.points:
        return Section("days", "Over time", (Paragraph("There are no outcomes yet."),))
    days = list(dict.fromkeys(point.day for point in series.points))
    points = {(point.variant, point.day): point for point in series.points}
    drawn = source.drawn()
    scale = _scale(source, metric)
    blocks: list[Block] = []
    effects = [
        Effect(
            each.name,
            source.place(each.name),
            [_effect(points.get((each.name, day)), source.factor(metric)) for day in days],
        )
        for each in drawn
        if not each.control
    ]
    if any(day and math.isfinite(day.value) for effect in effects for day in effect.days):
        blocks.append(_effects(source, metric, days, effects, points, scale))
    blocks.append(_daily(source, metric, days, points, scale))
    if len(drawn) < len(source.result.variants):
        blocks.append(
            Paragraph(f"{len(drawn)} of {len(source.result.variants)} variants are drawn; the tables have all.")
        )
    return Section("days", "Over time", tuple(blocks))


def _scale(source: Source, metric: str) -> Scale:
    points = source.full.series.points
    values = [known(point, field) for point in points for field in ("mean", "cumulative_mean")]
    # About a standard error: enough digits to tell the ends of the intervals apart.
    ends = [point.cumulative_interval for point in points if point.HasField("cumulative_interval")]
    errors = [(interval.upper - interval.lower) / 4 for interval in ends]
    return Scale(values, errors, unit=source.figures.metric(metric).unit, rate=source.is_rate(metric))


def _effect(point: SeriesPoint | None, factor: float) -> EffectDay | None:
    if point is None or not point.HasField("cumulative_difference"):
        return None
    lower, upper = _ends(point.cumulative_interval if point.HasField("cumulative_interval") else None, factor)
    always = point.cumulative_always_valid if point.HasField("cumulative_always_valid") else None
    return EffectDay(point.cumulative_difference * factor, lower, upper, _ends(always, factor))


def _ends(interval: Interval | None, factor: float) -> tuple[float, float]:
    return (interval.lower * factor, interval.upper * factor) if interval is not None else (math.nan, math.nan)


def _effects(
    source: Source,
    metric: str,
    days: Sequence[str],
    effects: Sequence[Effect],
    points: dict[tuple[str, str], SeriesPoint],
    scale: Scale,
) -> Figure:
    title = f"{metric}: accumulated difference to {source.figures.control or 'the control'}"
    said = []
    for effect in effects:
        last = points.get((effect.name, days[-1]))
        if last is not None and last.HasField("cumulative_difference"):
            said.append(
                f"{effect.name} stands at {scale.difference(last.cumulative_difference)}, "
                f"interval {interval_text(last, 'cumulative_interval', scale)}, "
                f"confidence sequence {interval_text(last, 'cumulative_always_valid', scale)}"
            )
    description = (
        f"One panel for each treatment, from {days[0]} to {days[-1]}. The line is the accumulated difference, the area "
        "its interval, the dashed lines its confidence sequence, which holds on all days together. "
        f"On the last day {'; '.join(said) or 'nothing is known'}."
    )
    unit = "percentage points" if source.is_rate(metric) else source.unit(metric)
    drawing = effect_plot(
        "effect", title, description, days, effects, axis_title=f"difference in {unit}" if unit else "difference"
    )
    columns = (
        Column("day (UTC)"), Column("variant"), Column(f"{source.units_word} so far", True), Column("so far", True),
        Column("difference", True), Column("interval", True), Column("confidence sequence", True),
    )  # fmt: skip
    rows = []
    for point in source.full.series.points:
        rows.append(
            (
                cell(point.day),
                cell(point.variant),
                cell(count(point.cumulative_units)),
                cell(scale.value(known(point, "cumulative_mean"))),
                cell(scale.difference(known(point, "cumulative_difference"))),
                cell(interval_text(point, "cumulative_interval", scale)),
                cell(interval_text(point, "cumulative_always_valid", scale)),
            )
        )
    return Figure("effect", title, description, drawing, Table(f"{metric}, accumulated", columns, tuple(rows), True))


def _daily(
    source: Source, metric: str, days: Sequence[str], points: dict[tuple[str, str], SeriesPoint], scale: Scale
) -> Figure:
    factor = source.factor(metric)

    def mean(variant: str, day: str) -> float:
        point = points.get((variant, day))
        return known(point, "mean") if point is not None else math.nan

    drawn = source.drawn()
    lines = [
        Line(each.name, source.place(each.name), [mean(each.name, day) * factor for day in days]) for each in drawn
    ]
    title = f"{metric}: each day on its own"
    description = (
        f"The mean of each day's outcomes, a line for each of {len(drawn)} variants, from {days[0]} to {days[-1]}. "
        "Days without outcomes are gaps. The table has the figures."
    )
    drawing = line_plot("daily", title, description, days, lines, axis_title=axis_title(source, metric))
    every = [variant.name for variant in source.result.variants] or [line.name for line in lines]
    columns = (Column("day (UTC)"), *(Column(f"{name}", True) for name in every))
    rows = tuple((cell(day), *(_day_cell(points.get((name, day)), scale) for name in every)) for day in days)
    caption = f"{metric} by day, with the number of outcomes"
    return Figure("daily", title, description, drawing, Table(caption, columns, rows, True))


def _day_cell(point: SeriesPoint | None, scale: Scale) -> Cell:
    if point is None or not point.n:
        return cell("")
    return Cell(f"{scale.value(known(point, 'mean'))} ({count(point.n)})")
