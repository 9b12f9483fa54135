"""Whether units were split as declared."""

from __future__ import annotations

import math

from sortition.render.known import known
from sortition.render.numbers import MINUS, count, p_value, percent
from sortition.report.content.summary import SPLIT_TONES
from sortition.report.document import Cell, Column, Facts, Figure, Section, Table, Tone, cell
from sortition.report.plots import ShareRow, share_plot
from sortition.report.source import Source

__all__ = ["split"]

_MAX_BARS = 16


def split(source: Source) -> Section:
    """Returns the declared and the observed split, with the tests of one against the other."""
    result, ratio = source.result, source.result.sample_ratio
    verdict = ratio.verdict or "unknown"
    tone = SPLIT_TONES.get(verdict, Tone.PLAIN)
    pairs = [
        ("Verdict", Cell(verdict, tone)),
        ("p (chi-square)", cell(p_value(known(ratio, "p_value")))),
    ]
    if ratio.HasField("sequential_p_value"):
        pairs.append(("p, valid at every look", cell(p_value(ratio.sequential_p_value))))
    if ratio.HasField("log_e_value"):
        pairs.append(("log e-value", cell(f"{ratio.log_e_value:.2f}".replace("-", MINUS))))
    rows = [
        ShareRow(each.name, each.share if result.units else math.nan, each.weight, percent(each.share), "plain")
        for each in result.variants[:_MAX_BARS]
    ]
    title = f"Split of {count(result.units)} {source.units_word}"
    said = "; ".join(f"{row.label} has {row.word} of {percent(row.expected or 0.0)} declared" for row in rows)
    description = f"A bar for each variant's share, and a line across it at the declared one. {said}."
    columns = (
        Column("variant"), Column(source.units_word, True), Column("expected", True), Column("share", True),
        Column("declared", True),
    )  # fmt: skip
    table = Table(
        "Units by variant",
        columns,
        tuple(
            (
                cell(each.name),
                cell(count(each.units)),
                cell(f"{each.weight * result.units:,.1f}"),
                cell(percent(each.share)),
                cell(percent(each.weight)),
            )
            for each in result.variants
        ),
    )
    drawing = share_plot("split", title, description, rows)
    return Section("split", "Split", (Facts(tuple(pairs)), Figure("split", title, description, drawing, table)))
