"""Whether variants were alike before they were exposed."""

from __future__ import annotations

import numpy as np

from sortition.analyzer.quality.scores import AS_SEEN, Weighing, unjudged
from sortition.analyzer.result import QualityPart
from sortition.analyzer.words import p_value
from sortition.core import UNIT_BUCKETS, Cell
from sortition.stats import BucketSums, holm, ratio_delta
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["covariate_balance"]

_NAME = "covariate_balance"


def covariate_balance(record: ExperimentRecord, data: ExperimentData, weighing: Weighing = AS_SEEN) -> QualityPart:
    """Compares every covariate of every treatment with the control's: a treatment cannot change what was before it.

    By the delta method over buckets of units, as outcomes are; the smallest p-value decides, after Holm.
    """
    spec = record.spec
    declared = [index for index, metric in enumerate(spec.metrics) if metric.covariate]
    if not declared:
        return unjudged(_NAME, "no covariate is declared")
    control = next(index for index, variant in enumerate(spec.variants) if variant.control)
    names, values = [], []
    for metric in declared:
        before = _covariate(data.cells.get((control, metric)))
        for index, variant in enumerate(spec.variants):
            if index != control:
                names.append(f"{spec.metrics[metric].covariate} (before {spec.metrics[metric].name}) in {variant.name}")
                values.append(float(ratio_delta(before, _covariate(data.cells.get((index, metric)))).p_value))
    adjusted = holm(values)
    if np.isnan(adjusted).all():
        return unjudged(_NAME, "too few outcomes to tell")
    place = int(np.nanargmin(adjusted))
    p = float(adjusted[place])
    score = weighing.by_p_value(p)
    if score == 1:
        return QualityPart(_NAME, score, f"variants were alike before ({p_value(p)})")
    return QualityPart(_NAME, score, f"{names[place]} differed from the control before exposure ({p_value(p)})")


def _covariate(cell: Cell | None) -> BucketSums:
    """Returns the covariate's sums over buckets of units."""
    if cell is None or cell.n == 0:
        return BucketSums.of(np.zeros(UNIT_BUCKETS), np.zeros(UNIT_BUCKETS))
    sums = np.frombuffer(cell.buckets, dtype="<f8").reshape(UNIT_BUCKETS, -1)
    if sums.shape[1] < 3:
        return BucketSums.of(np.zeros(UNIT_BUCKETS), np.zeros(UNIT_BUCKETS))
    return BucketSums.of(sums[:, 0], sums[:, 2])
