"""The guardrails, each in words."""

from __future__ import annotations

from sortition.render.known import known
from sortition.render.numbers import percent
from sortition.report.content.words import guardrail_cell
from sortition.report.document import Column, Section, Table, cell
from sortition.report.source import Source
from sortition.rpc.v1.analysis_pb2 import Guardrail

__all__ = ["guardrails"]


def guardrails(source: Source) -> Section | None:
    """Returns how each guardrail stands in each treatment; None where none is declared."""
    if not source.result.guardrails:
        return None
    rows = tuple(
        (
            cell(each.metric),
            cell(each.variant),
            guardrail_cell(each),
            cell(_detail(each)),
            cell(percent(known(source.figures.metric(each.metric), "margin"))),
        )
        for each in source.result.guardrails
    )
    columns = (Column("guardrail"), Column("variant"), Column("state"), Column("detail"), Column("margin", True))
    return Section("guardrails", "Guardrails", (Table("Guardrails by variant", columns, rows),))


def _detail(guardrail: Guardrail) -> str:
    """Returns a guardrail's state without what the column before it says."""
    return guardrail.detail.removeprefix("is ").removeprefix(f"{guardrail_cell(guardrail).text.lower()}: ")
