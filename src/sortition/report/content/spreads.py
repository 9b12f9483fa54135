"""How outcomes are spread."""

from __future__ import annotations

from sortition.render.numbers import Scale, count, percent, quantile_name
from sortition.report.content.words import axis_title
from sortition.report.document import Block, Cell, Column, Figure, Paragraph, Section, Table, cell
from sortition.report.plots import Spread, spread_plot
from sortition.report.source import Source
from sortition.rpc.v1.analysis_pb2 import Distribution

__all__ = ["spreads"]


def spreads(source: Source) -> Section | None:
    """Returns the distributions of all metrics that keep theirs; None when none does."""
    blocks: list[Block] = []
    for index, each in enumerate(source.full.distributions):
        if each.edges:
            blocks.append(_spread(source, each, f"spread-{index}"))
        else:
            blocks.append(Paragraph(f"{each.metric}: {each.reason or 'nothing is known'}."))
    return Section("spread", "Distribution of outcomes", tuple(blocks)) if blocks else None


def _spread(source: Source, found: Distribution, name: str) -> Figure:
    shares = {each.variant: tuple(each.shares) for each in found.variants}
    drawn = source.drawn()
    spread = [
        Spread(
            each.name, source.place(each.name), shares.get(each.name, ()), _quantiles(source, each.name, found.metric)
        )
        for each in drawn
    ]
    title = f"{found.metric}: how outcomes are spread"
    scale = source.figures.scale(found.metric)
    listed = [", ".join(f"{label} {scale.value(value)}" for label, value in each.quantiles) for each in spread]
    said = "; ".join(f"{each.name}: {values or 'no outcomes'}" for each, values in zip(spread, listed, strict=True))
    tails = max((each.below + each.above for each in found.variants), default=0.0)
    description = (
        "A panel for each variant with the share of its outcomes in each bin, upright lines at its quantiles, and the "
        f"control's outline dashed for comparison{', on a logarithmic axis' if found.logarithmic else ''}. {said}. "
        f"At most {percent(tails)} of a variant's outcomes lie beyond the axis."
    )
    drawing = spread_plot(
        name, title, description, list(found.edges), found.logarithmic, spread,
        axis_title=axis_title(source, found.metric),
    )  # fmt: skip
    return Figure(name, title, description, drawing, _table(found, scale))


def _quantiles(source: Source, variant: str, metric: str) -> list[tuple[str, float]]:
    return [(quantile_name(each.q), each.value) for each in source.figures.figures(variant, metric).quantiles]


def _table(found: Distribution, scale: Scale) -> Table:
    """Returns the share in each bin, and in the tails."""
    edges = Scale(found.edges, [(found.edges[1] - found.edges[0]) / 2])
    columns = (Column("outcomes"), *(Column(f"{each.variant} ({count(each.n)})", True) for each in found.variants))
    rows: list[tuple[Cell, ...]] = []

    def row(label: str, values: list[float | None]) -> None:
        rows.append((Cell(label), *(cell("" if value is None else percent(value)) for value in values)))

    row(f"below {edges.value(found.edges[0])}", [each.below if each.shares else None for each in found.variants])
    for index in range(len(found.edges) - 1):
        label = f"{edges.value(found.edges[index])} to {edges.value(found.edges[index + 1])}"
        row(label, [each.shares[index] if each.shares else None for each in found.variants])
    row(f"above {edges.value(found.edges[-1])}", [each.above if each.shares else None for each in found.variants])
    return Table(f"{found.metric}: share of outcomes by value", columns, tuple(rows), folded=True)
