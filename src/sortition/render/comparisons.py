"""The tables of an analysis: one row for each variant on the primary metric, and one for everything else.

Both have a wide form with a line for each row, and for narrow terminals one that stacks the cells of a row in two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from sortition.render.figures import Figures
from sortition.render.known import known
from sortition.render.numbers import Scale, count, p_value, probability, quantile_name, relative
from sortition.render.tables import Fitting, quiet_table
from sortition.render.words import clean, goal_arrow, plural, role_word
from sortition.rpc.v1.analysis_pb2 import Comparison
from sortition.rpc.v1.experiment_pb2 import MetricRole

__all__ = ["other_figures", "primary_figures"]

_CONTROL = "◆"
_WINNER = "← winner"
_STYLES = {_WINNER: "bold green", "better": "green", "worse": "red", "BROKEN": "red"}


@dataclass(frozen=True)
class _Compared:
    """The cells that say how a variant compares with the control."""

    relative: str = ""
    difference: str = ""
    interval: str = ""
    chance: str = ""
    p: str = ""
    mark: str = ""

    @classmethod
    def of(cls, comparison: Comparison, scale: Scale, mark: str) -> _Compared:
        interval = comparison.interval
        return cls(
            relative=relative(known(comparison, "relative")),
            difference=scale.difference(known(comparison, "difference")),
            interval=scale.interval(interval.lower, interval.upper) if comparison.HasField("interval") else "–",
            chance=probability(known(comparison, "chance_to_beat")),
            p=p_value(known(comparison, "p_adjusted")),
            mark=mark,
        )

    @property
    def style(self) -> str | None:
        return _STYLES.get(self.mark)

    @property
    def range(self) -> str:
        """The difference and its interval in one cell."""
        return f"{self.difference}  {self.interval}"


def primary_figures(figures: Figures) -> RenderableType:
    """Returns the variants on the primary metric."""
    unit, interval, metric = plural(clean(figures.unit)), figures.confidence(), clean(figures.primary)
    wide = quiet_table("variant", unit, metric, "vs control", "", interval, "beats control", "", right=(unit,))
    narrow = quiet_table(f"variant\n{unit}", metric, "vs control\nbeats control", interval)
    scale = figures.scale(figures.primary)
    for variant in figures.result.variants:
        name = clean(variant.name) + (f" {_CONTROL}" if variant.control else "")
        units = count(variant.units)
        value = scale.value(figures.value(variant.name, figures.primary), figures.error(variant.name, figures.primary))
        cells = _Compared()
        if not variant.control:
            comparison = figures.comparison(variant.name, figures.primary)
            mark = _WINNER if variant.name == figures.result.winner else _mark(comparison)
            cells = _Compared.of(comparison, scale, mark)
        # What is better without being the winner gets no colour: the eye is to find the one.
        style = None if cells.mark == "better" else cells.style
        row = (name, units, value, cells.relative, cells.difference, cells.interval, cells.chance, cells.mark)
        wide.add_row(*map(Text, row), style=style)
        stacks = (f"{name}\n{units}", value, f"{cells.relative}\n{cells.chance}", f"{cells.range}\n{cells.mark}")
        narrow.add_row(*map(Text, stacks), style=style)
    return Fitting(wide, narrow)


def other_figures(figures: Figures) -> RenderableType | None:
    """Returns every figure that does not decide: other metrics, and the quantiles of all; None without any."""
    interval = figures.confidence()
    wide = quiet_table("metric", "control", "variant", "value", "vs control", "", interval, "p", "")
    narrow = quiet_table("metric\ncontrol", "variant\nvalue", "vs control\np", interval)
    for name, quantile in _figures(figures):
        scale = figures.scale(name, quantile)
        title, control = _title(figures, name, quantile), _value(figures, scale, figures.control, name, quantile)
        for variant in figures.result.variants:
            if variant.control:
                continue
            comparison = figures.comparison(variant.name, name, quantile)
            cells = _Compared.of(comparison, scale, _verdict(figures, comparison, variant.name, name, quantile))
            value = _value(figures, scale, variant.name, name, quantile)
            compared = (cells.relative, cells.difference, cells.interval, cells.p, cells.mark)
            wide.add_row(*map(Text, (title, control, clean(variant.name), value, *compared)), style=cells.style)
            stacks = (
                f"{title}\n{control}", f"{clean(variant.name)}\n{value}", f"{cells.relative}\n{cells.p}",
                f"{cells.range}\n{cells.mark}",
            )  # fmt: skip
            narrow.add_row(*map(Text, stacks), style=cells.style)
            title = control = ""
    return Fitting(wide, narrow) if wide.row_count else None


def _figures(figures: Figures) -> Iterator[tuple[str, float | None]]:
    """Yields metrics and quantiles in the order of their rows; None for the mean."""
    metrics = figures.result.metrics
    for name in dict.fromkeys([figures.primary, *figures.specs, *(each.metric for each in metrics)]):
        if name != figures.primary:
            yield name, None
        for q in sorted({each.q for figure in metrics if figure.metric == name for each in figure.quantiles}):
            yield name, q


def _title(figures: Figures, name: str, quantile: float | None) -> str:
    metric = figures.metric(name)
    title = f"{clean(name)}{f' {quantile_name(quantile)}' if quantile is not None else ''} {goal_arrow(metric.goal)}"
    return f"{title} {role_word(metric.role)}" if _guards(figures, name, quantile) else title


def _value(figures: Figures, scale: Scale, variant: str, name: str, quantile: float | None) -> str:
    error = math.nan if quantile is not None else figures.error(variant, name)
    return scale.value(figures.value(variant, name, quantile), error)


def _verdict(figures: Figures, comparison: Comparison, variant: str, name: str, quantile: float | None) -> str:
    if not _guards(figures, name, quantile):
        return _mark(comparison)
    for guardrail in figures.result.guardrails:
        if (guardrail.variant, guardrail.metric) == (variant, name):
            if guardrail.unknown:
                return clean(guardrail.detail).removeprefix("is ")
            return "intact" if guardrail.intact else "BROKEN"
    return ""


def _guards(figures: Figures, name: str, quantile: float | None) -> bool:
    return quantile is None and figures.metric(name).role == MetricRole.METRIC_ROLE_GUARDRAIL


def _mark(comparison: Comparison) -> str:
    if not comparison.significant:
        return ""
    return "better" if comparison.improvement else "worse"
