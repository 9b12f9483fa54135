"""Exposed units that have no outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortition.analyzer.quality.scores import AS_SEEN, FEWEST, LOOK, Weighing, by_share, unjudged
from sortition.analyzer.result import QualityPart
from sortition.analyzer.words import count, percent
from sortition.model import ExperimentStatus
from sortition.stats.distributions import chi_square_sf
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["missing_outcomes"]

_NAME = "missing_outcomes"
# Units without an outcome are normal while they are under way; at the other end, what is left is a selection, which may
# be meant: not everybody who is asked for a rating gives one.
_HARMLESS, _UNUSABLE = 0.1, 0.6
# What variants lose at rates this close biases less than what is looked for.
_ALIKE = 0.02
_OPEN = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)


def missing_outcomes(record: ExperimentRecord, data: ExperimentData, weighing: Weighing = AS_SEEN) -> QualityPart:
    """Judges how many exposed units have no outcome of the primary metric, and whether variants differ in that.

    Aggregates do not say which units have outcomes, so the number is the least there can be: units less observations.
    While the experiment runs, units first exposed on its newest day are left out where there are earlier ones: they may
    be under way.
    """
    spec = record.spec
    primary = spec.metrics.index(spec.primary)
    settled = _settled(record, data)
    judged = settled >= FEWEST
    if not judged.any():
        return unjudged(_NAME, f"fewer than {count(FEWEST, spec.unit)} in every variant")
    cells = [data.cells.get((index, primary)) for index in range(len(spec.variants))]
    outcomes = np.array([cell.n if cell else 0 for cell in cells], dtype=np.int64)
    missing = np.maximum(settled - outcomes, 0)
    shares = np.where(judged, missing / np.maximum(settled, 1), 0.0)
    worst = int(shares.argmax())
    if not missing[judged].any():
        return QualityPart(_NAME, 1.0, f"no {spec.unit} is known to lack {spec.primary.name}")
    counted = weighing.share(int(missing[worst]), int(settled[worst]))
    score = by_share(counted, _HARMLESS, _UNUSABLE, least=LOOK)
    detail = (
        f"at least {missing[worst]:,} of {count(int(settled[worst]), spec.unit)} in {spec.variants[worst].name} "
        f"({percent(round(float(shares[worst]), 3))}) lack {spec.primary.name}"
    )
    # Of all units: what is under way is alike in all variants, and the newest day's outcomes are among those counted.
    units, lacking = data.units[judged], np.maximum(data.units - outcomes, 0)[judged]
    rates = lacking / units
    if weighing.counts_alike and rates.max() - rates.min() >= _ALIKE:
        unequal = weighing.by_p_value(_p_equal(lacking, units))
        if unequal < score:
            score, detail = unequal, f"{detail}, and fewer in other variants"
    return QualityPart(_NAME, score, detail)


def _settled(record: ExperimentRecord, data: ExperimentData) -> NDArray[np.int64]:
    """Returns the units of each variant that should have an outcome by now."""
    if record.status in _OPEN and len(data.units_by_day) > 1:
        return np.asarray(data.units - data.units_by_day[max(data.units_by_day)])
    return data.units


def _p_equal(missing: NDArray[np.int64], total: NDArray[np.int64]) -> float:
    """Returns the p-value of chi-square for the same share of missing units in every variant."""
    share = missing.sum() / total.sum()
    if share in (0.0, 1.0):
        return 1.0
    statistic = ((missing - share * total) ** 2 / (share * (1 - share) * total)).sum()
    return float(chi_square_sf(statistic, len(total) - 1))
