"""The planned looks."""

from __future__ import annotations

from sortition.render.known import known
from sortition.render.numbers import count, p_value, percent
from sortition.render.words import moment
from sortition.report.document import Column, Section, Table, cell
from sortition.report.source import Source

__all__ = ["looks"]


def looks(source: Source) -> Section | None:
    """Returns the planned looks with their boundaries; None when none are planned."""
    if not source.result.looks:
        return None
    columns = (
        Column("look", True), Column("due at", True), Column("taken at", True), Column("when"),
        Column("information", True), Column("boundary z", True), Column("level", True), Column("level spent", True),
    )  # fmt: skip
    rows = tuple(
        (
            cell(str(number)),
            cell(count(look.planned_units)),
            cell(count(look.units) if look.units else ""),
            cell(moment(look.at) if look.HasField("at") else "to come"),
            cell(percent(look.information)),
            cell(f"{look.boundary:.3f}" if look.HasField("boundary") else ""),
            cell(p_value(known(look, "level"))),
            cell(p_value(known(look, "spent"))),
        )
        for number, look in enumerate(source.result.looks, 1)
    )
    return Section("looks", "Planned looks", (Table(f"Looks, by {source.units_word}", columns, rows),))
