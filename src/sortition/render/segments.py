"""The table of segments: the primary metric at every level of every dimension, and of other metrics what stands out."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.figures import Figures
from sortition.render.known import known
from sortition.render.numbers import Scale, count, p_value, relative
from sortition.render.tables import Fitting, quiet_table
from sortition.render.words import clean, goal_arrow
from sortition.rpc.v1.analysis_pb2 import Comparison, Segment, VariantMetric

__all__ = ["segment_figures"]

_STYLES = {"better": "green", "worse": "red"}


def segment_figures(figures: Figures) -> RenderableType | None:
    """Returns what the outcomes of each level say; None where no dimension is declared."""
    segments = figures.result.segments
    if not segments:
        return None
    interval = figures.confidence()
    wide = quiet_table(
        "segment", "metric", "control", "variant", "value", "n", "vs control", "", interval, "p", "", right=("n",)
    )
    narrow = quiet_table("segment\nmetric", "variant\nvalue", "vs control\np", interval)
    for segment in segments:
        title = f"{clean(segment.dimension)} {clean(segment.level)}"
        if not segment.comparisons:
            wide.add_row(Text(title), Text("none yet"), style="dim")
            narrow.add_row(Text(f"{title}\nnone yet"), style="dim")
        for comparison in _shown(segment, figures.primary):
            row = _Row(figures, segment, comparison)
            cells = (title, row.metric, row.control, row.variant, row.value, row.n)
            compared = (row.relative, row.difference, row.interval, row.p, row.mark)
            wide.add_row(*map(Text, (*cells, *compared)), style=_STYLES.get(row.mark))
            stacks = (
                f"{title}\n{row.metric}", f"{row.variant}\n{row.value}", f"{row.relative}\n{row.p}",
                f"{row.difference}  {row.interval}\n{row.mark}",
            )  # fmt: skip
            narrow.add_row(*map(Text, stacks), style=_STYLES.get(row.mark))
            title = ""
    compared_at_all = sum(len(segment.comparisons) for segment in segments)
    note = f"segments inform and do not decide; p is corrected for all {count(compared_at_all)} comparisons"
    return Group(Fitting(wide, narrow), Text(note, style="dim"))


def _shown(segment: Segment, primary: str) -> Iterator[Comparison]:
    yield from (each for each in segment.comparisons if each.metric == primary)
    yield from (each for each in segment.comparisons if each.metric != primary and each.significant)


class _Row:
    """The texts of one row."""

    def __init__(self, figures: Figures, segment: Segment, comparison: Comparison) -> None:
        name = comparison.metric
        held = {each.variant: each for each in segment.metrics if each.metric == name}
        control, treatment = held.get(figures.control, VariantMetric()), held.get(comparison.variant, VariantMetric())
        scale: Scale = figures.scale(name)
        self.metric = f"{clean(name)} {goal_arrow(figures.metric(name).goal)}"
        self.control = scale.value(known(control, "mean"), known(control, "se"))
        self.variant = clean(comparison.variant)
        self.value = scale.value(known(treatment, "mean"), known(treatment, "se"))
        self.n = count(treatment.n)
        self.relative = relative(known(comparison, "relative"))
        self.difference = scale.difference(known(comparison, "difference"))
        between = comparison.interval
        self.interval = scale.interval(between.lower, between.upper) if comparison.HasField("interval") else "–"
        self.p = p_value(known(comparison, "p_adjusted"))
        self.mark = ("better" if comparison.improvement else "worse") if comparison.significant else ""
