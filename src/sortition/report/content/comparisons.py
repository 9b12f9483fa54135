"""The variants compared with the control: on the primary metric, and on all others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sortition.render.known import known
from sortition.render.numbers import MINUS, Scale, count, p_value, probability, relative
from sortition.report.content.words import (
    chance,
    guardrail_cell,
    interval_text,
    metric_title,
    outcome,
    p_text,
    relative_interval,
)
from sortition.report.document import Block, Cell, Column, Figure, Paragraph, Section, Table, Tone, cell
from sortition.report.plots import IntervalRow, interval_plot
from sortition.report.plots.intervals import MAX_ROWS
from sortition.report.source import Source
from sortition.rpc.v1.analysis_pb2 import Comparison, VariantSummary
from sortition.rpc.v1.experiment_pb2 import DecisionPolicy, MetricRole

__all__ = ["interval_row", "others", "primary"]

_MEANING = {
    DecisionPolicy.DECISION_POLICY_SEQUENTIAL: (
        "Intervals and p-values hold at every look at once, so it does no harm to look often and to stop early."
    ),
    DecisionPolicy.DECISION_POLICY_FIXED_HORIZON: (
        "Intervals and p-values hold for one look, at the planned number of {units}; earlier looks decide nothing."
    ),
    DecisionPolicy.DECISION_POLICY_GROUP_SEQUENTIAL: (
        "Intervals and p-values hold for the planned looks together; other looks decide nothing."
    ),
}


def primary(source: Source) -> Section:
    """Returns the variants on the metric that decides."""
    name = source.primary
    rows = [interval_row(source, variant, name) for variant in source.treatments]
    policy = source.result.policy or source.spec.decision.policy
    blocks: list[Block] = []
    if policy in _MEANING:
        blocks.append(Paragraph(_MEANING[policy].format(units=source.units_word)))
    table = _primary_table(source)
    if rows:
        title = f"{metric_title(source, name)}: difference to the control"
        drawing = interval_plot("intervals-primary", title, _described(source, rows), rows)
        blocks.append(Figure("intervals-primary", title, _described(source, rows), drawing, table))
    else:
        blocks.append(table)
    if detail := _detail(source):
        blocks.append(detail)
    return Section("primary", f"Primary metric: {name}", tuple(blocks))


def others(source: Source) -> Section | None:
    """Returns every comparison that does not decide; None without any."""
    measured = [each for each in source.measured() if each != (source.primary, None)]
    if not measured or not source.treatments:
        return None
    rows = [
        interval_row(source, variant, metric, quantile)
        for metric, quantile in measured
        for variant in source.treatments
    ]
    table = _others_table(source, measured)
    title = "All other metrics: difference to the control"
    described = _described(source, rows)
    drawing = interval_plot("intervals-others", title, described, rows)
    return Section("others", "Other metrics", (Figure("intervals-others", title, described, drawing, table),))


def interval_row(source: Source, variant: VariantSummary, metric: str, quantile: float | None = None) -> IntervalRow:
    """Returns a comparison as a row of a plot."""
    comparison = source.comparison(variant.name, metric, quantile)
    said = _standing(source, variant, metric, quantile)
    held = comparison.relative_interval if comparison.HasField("relative_interval") else None
    value = known(comparison, "relative")
    return IntervalRow(
        group=metric_title(source, metric, quantile),
        label=variant.name,
        place=source.place(variant.name),
        value=value,
        lower=held.lower if held else math.nan,
        upper=held.upper if held else math.nan,
        outer=_outer(comparison),
        threshold=_threshold(source, metric, quantile),
        word=said.text,
        tone=said.tone.value if said.tone in (Tone.GOOD, Tone.BAD) else "plain",
    )


def _standing(source: Source, variant: VariantSummary, metric: str, quantile: float | None) -> Cell:
    """Says what a comparison comes to: for a guardrail whether it is intact, and for the winner that it is the one."""
    if quantile is None and source.role(metric) == MetricRole.METRIC_ROLE_GUARDRAIL:
        return guardrail_cell(source.guardrail(variant.name, metric))
    if quantile is None and metric == source.primary and variant.name == source.result.winner:
        return Cell("winner", Tone.GOOD)
    return outcome(source.comparison(variant.name, metric, quantile))


def _outer(comparison: Comparison) -> tuple[float, float] | None:
    """Returns the ends of what holds at every look; None where that is the interval itself."""
    if not (comparison.HasField("always_valid") and comparison.always_valid.HasField("relative_interval")):
        return None
    wide = comparison.always_valid.relative_interval
    same = comparison.HasField("relative_interval") and wide == comparison.relative_interval
    return None if same else (wide.lower, wide.upper)


def _threshold(source: Source, metric: str, quantile: float | None) -> float | None:
    """Returns the minimum detectable effect of the primary metric, or the margin of a guardrail, with its sign."""
    if quantile is not None:
        return None
    sign = -1.0 if source.better(metric) == "lower" else 1.0
    if metric == source.primary:
        return sign * source.spec.decision.mde if source.spec.decision.mde else None
    declared = source.figures.metric(metric)
    return -sign * declared.margin if declared.HasField("margin") else None


def _described(source: Source, rows: Sequence[IntervalRow]) -> str:
    said = [
        f"{row.group.partition(' (')[0]}, {row.label}: {relative(row.value)}"
        + (f", from {relative(row.lower)} to {relative(row.upper)}" if math.isfinite(row.upper - row.lower) else "")
        + (f", {row.word}" if row.word else "")
        for row in rows[:MAX_ROWS]
    ]
    more = f" {len(rows) - MAX_ROWS} more are in the table." if len(rows) > MAX_ROWS else ""
    return (
        f"Relative differences to {source.figures.control or 'the control'} with their "
        f"{source.figures.confidence()}s on one axis; the line at 0 is no difference, a dashed line the minimum "
        f"detectable effect or a guardrail's margin. {'. '.join(said)}.{more}"
    )


def _primary_table(source: Source) -> Table:
    figures, name = source.figures, source.primary
    scale = figures.scale(name)
    interval = figures.confidence()
    titles = ["variant", source.units_word, name, "relative", interval, "difference", interval, "p", "beats control"]
    columns = tuple(Column(title, index > 0) for index, title in enumerate(titles))
    rows = []
    for variant in source.result.variants:
        value = scale.value(figures.value(variant.name, name), figures.error(variant.name, name))
        first = (cell(variant.name), cell(count(variant.units)), cell(value))
        if variant.control:
            rows.append((Cell(f"{variant.name} (control)"), *first[1:], *(Cell("") for _ in range(7))))
            continue
        compared = source.comparison(variant.name, name)
        rows.append(
            (*first, *_compared(compared, scale), cell(chance(compared)), _standing(source, variant, name, None))
        )
    return Table(f"Variants on {name}", (*columns, Column("verdict")), tuple(rows))


def _compared(comparison: Comparison, scale: Scale) -> tuple[Cell, ...]:
    return (
        cell(relative(known(comparison, "relative"))),
        cell(relative_interval(comparison, "relative_interval")),
        cell(scale.difference(known(comparison, "difference"))),
        cell(interval_text(comparison, "interval", scale)),
        cell(p_text(comparison)),
    )


def _detail(source: Source) -> Table | None:
    """Returns the figures behind the comparison on the primary metric."""
    scale = source.figures.scale(source.primary)
    titles = ("variant", "method", "effect size d", "expected lift", "expected loss", "chance of the MDE",
              "always-valid interval", "always-valid p", "note")  # fmt: skip
    rows = []
    for variant in source.treatments:
        compared = source.comparison(variant.name, source.primary)
        if not compared.method:
            continue
        belief, always = compared.posterior, compared.always_valid
        rows.append(
            (
                cell(variant.name),
                cell(compared.method),
                cell(_decimal(known(compared, "effect_size"))),
                cell(scale.difference(known(belief, "expected_lift"))),
                cell(scale.value(known(belief, "expected_loss"))),
                cell(probability(known(belief, "chance_of_practical"))),
                cell(interval_text(always, "interval", scale)),
                cell(p_value(known(always, "p_value"))),
                cell("; ".join(_notes(compared))),
            )
        )
    columns = tuple(Column(title, 2 <= index <= 7) for index, title in enumerate(titles))
    if not rows:
        return None
    caption = f"Behind the comparison on {source.primary}"
    return Table(caption, columns, tuple(rows), folded=True).with_what_is_there()


def _notes(comparison: Comparison) -> list[str]:
    notes = [comparison.reason] if comparison.reason else []
    if comparison.HasField("variance_reduction"):
        notes.append(f"the covariate took away {probability(comparison.variance_reduction)} of the variance")
    if comparison.posterior.prior:
        notes.append(f"prior: {comparison.posterior.prior}")
    return notes


def _others_table(source: Source, measured: Sequence[tuple[str, float | None]]) -> Table:
    figures = source.figures
    interval = figures.confidence()
    titles = ("metric", "variant", "control", "value", "relative", interval, "difference", interval, "p", "verdict",
              "note")  # fmt: skip
    columns = tuple(Column(title, 2 <= index <= 8) for index, title in enumerate(titles))
    rows = []
    for metric, quantile in measured:
        scale = figures.scale(metric, quantile)

        def value(variant: str, scale: Scale = scale, metric: str = metric, quantile: float | None = quantile) -> str:
            error = math.nan if quantile is not None else figures.error(variant, metric)
            return scale.value(figures.value(variant, metric, quantile), error)

        for variant in source.treatments:
            compared = source.comparison(variant.name, metric, quantile)
            said = _standing(source, variant, metric, quantile)
            first = (cell(metric_title(source, metric, quantile)), cell(variant.name))
            values = (cell(value(figures.control)), cell(value(variant.name)))
            rows.append((*first, *values, *_compared(compared, scale), said, cell(compared.reason)))
    return Table("All other metrics", columns, tuple(rows)).with_what_is_there()


def _decimal(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS) if math.isfinite(value) else "–"
