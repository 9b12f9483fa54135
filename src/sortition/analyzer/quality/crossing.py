"""Units that were seen in several variants."""

from __future__ import annotations

from sortition.analyzer.quality.scores import AS_SEEN, Weighing, by_share, unjudged
from sortition.analyzer.result import QualityPart
from sortition.analyzer.words import count
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["crossed_units"]

_NAME = "crossed_units"
# Their outcomes are in the sums of several variants and cannot be taken out: an effect is diluted by about their share.
_UNUSABLE = 0.1


def crossed_units(record: ExperimentRecord, data: ExperimentData, weighing: Weighing = AS_SEEN) -> QualityPart:
    """Judges the share of units that met several variants: they count in none, but their outcomes in each."""
    unit, crossed = record.spec.unit, data.crossed
    total = int(data.units.sum()) + crossed
    if not total:
        return unjudged(_NAME, f"no {unit} was exposed yet")
    if not crossed:
        return QualityPart(_NAME, 1.0, f"no {unit} was seen in several variants")
    were, they = ("was", "it counts") if crossed == 1 else ("were", "they count")
    return QualityPart(
        _NAME,
        by_share(weighing.share(crossed, total), 0.0, _UNUSABLE),
        f"{crossed:,} of {count(total, unit)} {were} seen in several variants; {they} in none, the outcomes in each",
    )
