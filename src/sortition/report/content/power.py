"""What today's units find, and what more would."""

from __future__ import annotations

from sortition.render.known import known
from sortition.render.numbers import count, percent
from sortition.render.words import moment
from sortition.report.document import Block, Cell, Column, Facts, Figure, Paragraph, Section, Table, cell
from sortition.report.plots import power_plot
from sortition.report.source import Source

__all__ = ["power"]


def power(source: Source) -> Section:
    """Returns the power for the minimum detectable effect on the primary metric."""
    result, curve, decision = source.full.power, source.full.power_curve, source.spec.decision
    pairs: list[tuple[str, Cell]] = [
        ("Minimum detectable effect", cell(percent(decision.mde))),
        ("Wanted power", cell(percent(decision.power))),
    ]
    if result.units_total:
        pairs.append((f"{source.units_word.capitalize()} needed", cell(count(result.units_total))))
    if result.HasField("achieved_power"):
        pairs.append(("Power so far", cell(percent(result.achieved_power))))
        pairs.append((f"{source.units_word.capitalize()} still to come", cell(count(result.units_missing))))
    if result.HasField("mde"):
        pairs.append(("Found so far with the wanted power", cell(f"{percent(result.mde)} or more")))
    if result.HasField("days"):
        pairs.append(("Days still to go", cell(f"about {result.days:,.1f}")))
    if result.HasField("expected_at"):
        pairs.append(("Expected", cell(moment(result.expected_at))))
    blocks: list[Block] = [Facts(tuple(pairs))]
    if result.reason:
        blocks.append(Paragraph(f"{result.reason[:1].upper()}{result.reason[1:]}."))
    if curve.points:
        blocks.append(_curve(source))
    elif curve.reason and curve.reason != result.reason:
        blocks.append(Paragraph(f"No curve: {curve.reason}."))
    return Section("power", "Power", tuple(blocks))


def _curve(source: Source) -> Figure:
    curve, decision, units = source.full.power_curve, source.spec.decision, source.result.units
    needed = source.full.power.units_total
    title = f"Power to find {percent(decision.mde)} on {source.primary}"
    last = curve.points[-1]
    achieved = known(source.full.power, "achieved_power")
    description = (
        f"The chance to find the minimum detectable effect by the number of {source.units_word}. "
        f"Today's {count(units)} give {percent(achieved)}; {percent(decision.power)} takes {count(needed)}; "
        f"{count(last.units)} give {percent(last.power)}."
    )
    drawing = power_plot(
        "power-curve", title, description, [(point.units, point.power) for point in curve.points],
        wanted=decision.power, now=units, needed=needed, units=source.units_word,
    )  # fmt: skip
    columns = (Column(source.units_word, True), Column("power", True), Column("smallest effect found", True))
    rows = tuple(
        (cell(count(point.units)), cell(percent(point.power)), cell(percent(known(point, "mde"), 2)))
        for point in curve.points
    )
    return Figure("power-curve", title, description, drawing, Table("Power by units", columns, rows, folded=True))
