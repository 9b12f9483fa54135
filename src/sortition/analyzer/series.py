"""One metric by day, and accumulated, for plots."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from sortition.analyzer.compare import compare_metric
from sortition.analyzer.history import History
from sortition.analyzer.policies import policy_for
from sortition.analyzer.result import Interval, SeriesPoint
from sortition.analyzer.sample import Sample
from sortition.core import Cell
from sortition.errors import NotFound
from sortition.model import Metric
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["series"]

_EPOCH = date(1970, 1, 1)


def series(record: ExperimentRecord, data: ExperimentData, metric: str | None = None) -> list[SeriesPoint]:
    """Returns every day of every variant, by day and then in declared order.

    A day is there when a unit was first exposed or an outcome recorded on it. The accumulated difference is computed as
    the analysis computes it, from the data up to that day; looking at it every day is not a test for every day.

    Args:
        record: The experiment.
        data: All its aggregates.
        metric: The metric's name; the primary one when empty.

    Raises:
        NotFound: The experiment has no such metric; names those it has.
        InvalidArgument: The experiment's decision policy does not exist.
    """
    spec = record.spec
    found = spec.metric(metric) if metric else spec.primary
    if found is None:
        names = ", ".join(one.name for one in spec.metrics)
        text = f"{spec.key} has no metric {metric!r}; it has: {names}"
        raise NotFound(text, [("metric", text)])
    index = spec.metrics.index(found)
    days = sorted({*data.units_by_day, *(day for _, one, day in data.daily if one == index)})
    cells: list[Cell | None] = [None] * len(spec.variants)
    units = np.zeros(len(spec.variants), dtype=np.int64)
    points = []
    # Each day is a look of its own: what it shows is valid at every look, or, where only one look decides, at that one.
    for day in days:
        new = data.units_by_day.get(day, np.zeros_like(units))
        units = units + new
        today = [data.daily.get((variant, index, day)) for variant in range(len(spec.variants))]
        cells = [_merged(before, added) for before, added in zip(cells, today, strict=True)]
        points.extend(_of_day(record, found, day, new.tolist(), units.tolist(), today, cells))
    return points


def _merged(before: Cell | None, added: Cell | None) -> Cell | None:
    if before is None or added is None:
        return before or added
    return before.merge(added)


def _of_day(
    record: ExperimentRecord,
    metric: Metric,
    day: int,
    new_units: list[int],
    units: list[int],
    today: list[Cell | None],
    cells: list[Cell | None],
) -> list[SeriesPoint]:
    variants = record.spec.variants
    daily = [
        Sample(variant.name, metric, new, cell) for variant, new, cell in zip(variants, new_units, today, strict=True)
    ]
    samples = [
        Sample(variant.name, metric, held, cell) for variant, held, cell in zip(variants, units, cells, strict=True)
    ]
    control = next(index for index, variant in enumerate(variants) if variant.control)
    treatments = [index for index in range(len(variants)) if index != control]
    spec = record.spec
    policy = policy_for(spec, 0, History(), record.created_at)
    compared = compare_metric(metric, samples[control], tuple(samples[index] for index in treatments), policy)
    found, bounds, always = compared.difference, compared.deciding, compared.sequences.difference
    points = []
    for index, (one, whole) in enumerate(zip(daily, samples, strict=True)):
        point = SeriesPoint(
            day=_EPOCH + timedelta(days=day),
            variant=one.variant,
            n=one.n,
            mean=one.mean,
            new_units=one.units,
            cumulative_n=whole.n,
            cumulative_mean=whole.mean,
            cumulative_units=whole.units,
        )
        points.append(point)
        if index != control:
            place = treatments.index(index)
            points[-1] = replace(
                point,
                cumulative_difference=float(found.difference[place]),
                cumulative_interval=Interval(float(bounds.lower[place]), float(bounds.upper[place])),
                cumulative_always_valid=Interval(float(always.lower[place]), float(always.upper[place])),
            )
    return points
