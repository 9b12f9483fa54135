"""Whether one day was like the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sortition.analyzer.quality.scores import AS_SEEN, FEWEST, LOOK, Weighing, by_share, unjudged
from sortition.analyzer.quality.split import is_split_here, why_not_judged
from sortition.analyzer.result import QualityPart
from sortition.analyzer.words import noun, p_value
from sortition.stats.distributions import chi_square_sf
from sortition.stats.srm import SMALLEST_EXPECTED
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["daily_rate", "daily_split"]

_RATE, _SPLIT = "daily_rate", "daily_split"
_EPOCH = date(1970, 1, 1)
# As many days before are what a day is compared with; a day of the week has had its like among them.
_WEEK = 7
# With fewer before it a day has nothing usual to be compared with.
_BEFORE = 3
# In powers of two: a quiet weekend may be a quarter of a working day. Two days alike by chance differ less anyway.
_HARMLESS, _UNUSABLE = 2.0, 6.0
# Beyond this the experiment is older than any rate that could be compared.
_MOST_DAYS = 3660


def daily_split(record: ExperimentRecord, data: ExperimentData, weighing: Weighing = AS_SEEN) -> QualityPart:
    """Judges whether units were split alike on all days, by chi-square of days by variants.

    A variant that begins to lose units shows here days before it shows in their totals.
    """
    if not is_split_here(record):
        return unjudged(_SPLIT, why_not_judged(record))
    weights = np.array([variant.basis_points for variant in record.spec.variants])
    rows = np.array([data.units_by_day[day] for day in sorted(data.units_by_day)]).reshape(-1, len(weights))
    table = rows[:, weights > 0].astype(np.float64)
    total = table.sum()
    table = table[:, table.sum(axis=0) > 0]
    shares = table.sum(axis=0) / max(total, 1)
    if table.shape[1]:
        table = table[(table.sum(axis=1) * shares.min()) >= SMALLEST_EXPECTED]
    if min(table.shape) < 2:
        return unjudged(_SPLIT, "fewer than two days with enough units")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0) / table.sum())
    statistic = float(((table - expected) ** 2 / expected).sum())
    p = float(chi_square_sf(statistic, (table.shape[0] - 1) * (table.shape[1] - 1)))
    score = weighing.by_p_value(p)
    alike = "units were split alike on all days" if score == 1 else "units were not split alike on all days"
    return QualityPart(_SPLIT, score, f"{alike} ({p_value(p)})")


def daily_rate(record: ExperimentRecord, data: ExperimentData) -> QualityPart:
    """Judges whether units, outcomes, and each variant's outcomes kept coming.

    A day is compared with the median of the up to seven days before it and with the same day of the week before,
    whichever it is more like. The first and the last day are not whole, and are left out.
    """
    spec = record.spec
    worst: tuple[float, str] | None = None
    counted = [
        (noun(2, spec.unit), _totals(data.units_by_day)),
        (f"outcomes of {spec.primary.name}", _totals(data.outcomes_by_day)),
    ]
    for index, variant in enumerate(spec.variants):
        per_day = {day: int(counts[index]) for day, counts in data.outcomes_by_day.items()}
        counted.append((f"outcomes of {spec.primary.name} in {variant.name}", per_day))
    for what, numbers in counted:
        for change, detail in _changes(what, numbers):
            if worst is None or change > worst[0]:
                worst = (change, detail)
    if worst is None:
        return unjudged(_RATE, "fewer than four whole days with enough units")
    score = by_share(worst[0], _HARMLESS, _UNUSABLE, least=LOOK)
    return QualityPart(_RATE, score, "no day was unlike those before it" if score == 1 else worst[1])


def _totals(by_day: Mapping[int, NDArray[np.int64]]) -> dict[int, int]:
    return {day: int(counts.sum()) for day, counts in by_day.items()}


def _changes(what: str, numbers: Mapping[int, int]) -> Iterator[tuple[float, str]]:
    """Yields for every whole day how many powers of two it is away from what was usual, and that in words."""
    if not numbers or max(numbers) - min(numbers) > _MOST_DAYS:
        return
    # A day on which nothing came is a day, too.
    first, last = min(numbers), max(numbers)
    whole = [numbers.get(day, 0) for day in range(first + 1, last)]
    for place in range(_BEFORE, len(whole)):
        before = whole[max(0, place - _WEEK) : place]
        usual = _closest(whole[place], [median(before), *([before[0]] if len(before) == _WEEK else [])])
        if max(usual, whole[place]) < FEWEST:
            continue
        day = _EPOCH + timedelta(days=first + 1 + place)
        # Half a unit keeps days without any comparable.
        change = abs(math.log2((whole[place] + 0.5) / (usual + 0.5)))
        yield change, f"{what}: {whole[place]:,} on {day}, after about {usual:,.0f} a day"


def _closest(number: float, others: Sequence[float]) -> float:
    return min(others, key=lambda other: abs(math.log2((number + 0.5) / (other + 0.5))))
