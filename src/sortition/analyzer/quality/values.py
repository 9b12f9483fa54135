"""Values that did not come in as they were measured."""

from __future__ import annotations

from collections.abc import Callable

from sortition.analyzer.quality.scores import AS_SEEN, FEWEST, LOOK, Weighing, by_share, unjudged
from sortition.analyzer.result import QualityPart
from sortition.analyzer.words import percent
from sortition.core import Cell
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["clamped_values", "late_values", "refused_values"]


def refused_values(record: ExperimentRecord, data: ExperimentData, weighing: Weighing = AS_SEEN) -> QualityPart:
    """Judges values that were refused: what is out of range is a fault of the agent, or of the range."""
    return _part("refused_values", record, data, weighing, lambda cell: cell.refused, "were refused", (0.01, 0.2, 0.0))


def clamped_values(record: ExperimentRecord, data: ExperimentData, weighing: Weighing = AS_SEEN) -> QualityPart:
    """Judges values that were moved to a cap: they are meant to be, but a mean of caps says little."""
    return _part(
        "clamped_values", record, data, weighing, lambda cell: cell.clamped, "were moved to a cap", (0.05, 0.5, LOOK)
    )


def late_values(record: ExperimentRecord, data: ExperimentData, weighing: Weighing = AS_SEEN) -> QualityPart:
    """Judges values that came too late: they spoil none of the others, but those that took long are missing."""
    return _part("late_values", record, data, weighing, lambda cell: cell.late, "came too late", (0.1, 1.0, LOOK))


def _part(
    name: str,
    record: ExperimentRecord,
    data: ExperimentData,
    weighing: Weighing,
    number: Callable[[Cell], int],
    what: str,
    limits: tuple[float, float, float],
) -> QualityPart:
    """Judges the metric and variant with the largest share of such values: harmless, unusable, and the least score."""
    harmless, unusable, least = limits
    found = []
    for (variant, metric), cell in sorted(data.cells.items(), key=lambda item: item[0]):
        bad = number(cell)
        # What was moved is among the observations; what was refused or late is not.
        total = max(cell.n, bad) if name == "clamped_values" else cell.n + bad
        if total >= FEWEST:
            found.append(
                (
                    weighing.share(bad, total),
                    bad,
                    total,
                    record.spec.metrics[metric].name,
                    record.spec.variants[variant].name,
                )
            )
    if not found:
        return unjudged(name, f"fewer than {FEWEST} values of every metric")
    counted, bad, total, metric_name, variant_name = max(found, key=lambda one: one[0])
    if not bad:
        return QualityPart(name, 1.0, f"no values {what}")
    return QualityPart(
        name,
        by_share(counted, harmless, unusable, least=least),
        f"{bad:,} of {total:,} values of {metric_name} in {variant_name} ({percent(round(bad / total, 3))}) {what}",
    )
