"""Things to analyze: experiments and their aggregates, made of real cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

from sortition.core import Cell
from sortition.lifecycle.allocation import first_allocation
from sortition.model import ExperimentSpec, ExperimentStatus, MetricKind, validate
from sortition.store.records import AllocationRecord, ExperimentData, ExperimentRecord

__all__ = ["NOW", "TODAY", "Outcomes", "make_record"]

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
TODAY = (NOW.date() - datetime(1970, 1, 1, tzinfo=timezone.utc).date()).days
EXPERIMENT_ID = "0d4c7a2e"


def make_record(
    metrics: Sequence[Mapping[str, Any]],
    variants: Mapping[str, float],
    *,
    external: bool = False,
    allocations: int = 1,
    **decision: Any,
) -> ExperimentRecord:
    """Makes a running experiment; the first variant is the control."""
    raw = {
        "key": "search",
        "subject": {"kind": "agent", "id": "search-agent"},
        "metrics": [dict(metric) for metric in metrics],
        "variants": [
            {"name": name, "weight": weight, "control": place == 0}
            for place, (name, weight) in enumerate(variants.items())
        ],
        "decision": {"min_samples": 2, "policy": "fixed_horizon", **decision},
        "external_assignment": external,
    }
    spec = validate(ExperimentSpec, raw)
    ranges = first_allocation(spec).ranges
    return ExperimentRecord(
        id=EXPERIMENT_ID,
        spec=spec,
        status=ExperimentStatus.RUNNING,
        revision=1,
        created_at=NOW - timedelta(days=2),
        started_at=NOW - timedelta(days=2),
        allocations=tuple(AllocationRecord(generation, ranges) for generation in range(1, allocations + 1)),
    )


@dataclass
class Outcomes:
    """Collects what units did, as a store would after merging all writers."""

    record: ExperimentRecord
    exposed: dict[int, dict[str, int]] = field(default_factory=dict)
    daily: dict[tuple[int, int, int], Cell] = field(default_factory=dict)

    def add(
        self,
        variant: str,
        metric: str,
        units: Sequence[str],
        values: Sequence[float],
        *,
        day: int = TODAY,
        expose: bool = True,
        denominators: Sequence[float] | None = None,
    ) -> Outcomes:
        """Adds one outcome for each unit (a unit may repeat); unless told otherwise, having one exposes."""
        spec = self.record.spec
        found = spec.metric(metric)
        place = next(index for index, one in enumerate(spec.variants) if one.name == variant)
        assert found is not None
        key = (place, spec.metrics.index(found), day)
        cell = self.daily.setdefault(key, Cell(quantiles=bool(found.reported_quantiles)))
        if found.kind is MetricKind.RATIO:
            for unit, value, denominator in zip(units, values, denominators or [1.0] * len(units), strict=True):
                cell.add(self.record.id, unit, value, denominator)
        else:
            cell.add_many(self.record.id, list(units), [float(value) for value in values])
        return self.expose(variant, units, day=day) if expose else self

    def expose(self, variant: str, units: Sequence[str], *, day: int = TODAY) -> Outcomes:
        """Exposes units to a variant, each on its first day."""
        place = next(index for index, one in enumerate(self.record.spec.variants) if one.name == variant)
        first = self.exposed.setdefault(place, {})
        for unit in units:
            first[unit] = min(first.get(unit, day), day)
        return self

    def data(self) -> ExperimentData:
        """Returns all of it as the store does."""
        count = len(self.record.spec.variants)
        units = np.zeros(count, dtype=np.int64)
        by_day: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = {}
        for place, first in self.exposed.items():
            for day in first.values():
                units[place] += 1
                by_day.setdefault(day, np.zeros(count, dtype=np.int64))[place] += 1
        cells: dict[tuple[int, int], Cell] = {}
        for (place, metric, _), cell in sorted(self.daily.items()):
            before = cells.get((place, metric))
            cells[place, metric] = cell if before is None else before.merge(cell)
        primary = self.record.spec.metrics.index(self.record.spec.primary)
        outcomes: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = {}
        for (place, metric, day), cell in self.daily.items():
            if metric == primary:
                outcomes.setdefault(day, np.zeros(count, dtype=np.int64))[place] = cell.n
        return ExperimentData(units, by_day, cells, dict(self.daily), outcomes_by_day=outcomes)


def unit_names(variant: str, number: int) -> list[str]:
    """Returns names of units that no other variant has."""
    return [f"{variant}/{index}" for index in range(number)]
