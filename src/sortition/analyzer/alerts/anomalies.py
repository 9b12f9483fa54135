"""What should be alike and is not: the split, and one day beside those before it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sortition.analyzer.alerts.look import Look
from sortition.analyzer.alerts.reading import Reading
from sortition.analyzer.harm import FEWEST
from sortition.analyzer.sample import Sample
from sortition.core import Cell
from sortition.model import Metric, MetricKind
from sortition.model.alert import Rule
from sortition.stats import ratio_delta
from sortition.stats.distributions import two_sided_p

__all__ = ["anomalous_day", "anomalous_split"]

_DAY_S = 86_400
_FADED = 10.0
# A day's rate is about normal once it has so many of the rarer outcomes in each arm.
_RARE = 20
# Σ 1/k² over all k: the parts of the level that the days use up add up to the whole.
_SUM_OF_SQUARES = math.pi**2 / 6


def anomalous_split(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads whether units are split as declared, by the test that holds at every look."""
    ratio = look.sample_ratio
    p = ratio.sequential_p_value
    if math.isnan(p):
        return
    yield Reading(
        rule.name, p < look.level, p >= _FADED * look.level, value=p, bound=p, limit=look.level, level=look.level,
        reason=f"units are{' not' if p < look.level else ''} split as declared (p = {p:.2g}, at every look)",
    )  # fmt: skip


def anomalous_day(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads whether the difference of the last whole day is that of the days before it.

    Each whole day is looked at once, so to speak: its outcomes do not change any more, and the k-th has the part
    6/(π k)² of the level, which add up to the whole. What all variants have in common, such as a weekend, is in the
    control too, and cancels. Not where the weights were changed: days before then count differently in each variant.
    """
    days = _whole_days(look)
    if len(days) < 2 or len(look.record.allocations) > 1:
        return
    day, before = days[-1], days[:-1]
    level = look.level / (_SUM_OF_SQUARES * len(before) ** 2)
    for index in rule.metrics_of(look.spec):
        metric = look.spec.metrics[index]
        control = next(place for place, variant in enumerate(look.spec.variants) if variant.control)
        for place, variant in enumerate(look.spec.variants):
            if place == control:
                continue
            cells = [_arm(look, one, index, [day]) for one in (control, place)]
            earlier = [_arm(look, one, index, before) for one in (control, place)]
            if not all(_enough(metric, one) for one in (*cells, *earlier)):
                continue
            p, change, usual = _unlike(metric, cells, earlier)
            yield Reading(
                rule.name, p < level, p >= level, metric.name, variant.name, change, p, level, level,
                f"on the last whole day {metric.name} of {variant.name} differs from the control by {change:.4g}, on"
                f" the days before by {usual:.4g} (p = {p:.2g})",
            )  # fmt: skip


def _whole_days(look: Look) -> list[int]:
    """Returns the days with outcomes that are over, in order."""
    today = int(look.now.timestamp() // _DAY_S)
    # What comes late on purpose, such as the outcomes of sessions across midnight, comes within an hour.
    newest = today - 1 if look.now.timestamp() % _DAY_S >= _DAY_S / 24 else today - 2
    return sorted({day for _, _, day in look.data.daily if day <= newest})


def _arm(look: Look, variant: int, metric: int, days: list[int]) -> Cell | None:
    """Returns an arm's outcomes on these days."""
    whole: Cell | None = None
    for day in days:
        cell = look.data.daily.get((variant, metric, day))
        if cell is not None:
            whole = cell if whole is None else whole.merge(cell)
    return whole


def _enough(metric: Metric, cell: Cell | None) -> bool:
    if cell is None or cell.n < FEWEST:
        return False
    ones = cell.n * cell.mean
    return metric.kind is not MetricKind.BINARY or min(ones, cell.n - ones) >= _RARE


def _unlike(metric: Metric, day: list[Cell | None], before: list[Cell | None]) -> tuple[float, float, float]:
    """Returns the p-value of both differences being the same, and both."""
    sums = [[Sample("", metric, 0, cell).buckets for cell in cells] for cells in (day, before)]
    one, other = (ratio_delta(control, treatment) for control, treatment in sums)
    change, usual = float(one.difference), float(other.difference)
    error = math.hypot(float(one.standard_error), float(other.standard_error))
    if not (error > 0 and math.isfinite(error)):
        return 1.0, change, usual
    df = np.fmin(one.df, other.df)
    return float(two_sided_p((change - usual) / error, df)), change, usual
