"""Cells and exposures, read for analysis."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from sortition.core import Cell
from sortition.errors import DataLoss
from sortition.store.cell_rows import CellKey, cell_of, key_of, merge_cells, select_cells
from sortition.store.level_cells import level_cells, period_cells
from sortition.store.records import ExperimentData, ExperimentRecord
from sortition.store.schema import cells, exposures

__all__ = ["experiment_data"]


def experiment_data(tx: Connection, record: ExperimentRecord) -> ExperimentData:
    """Returns all aggregates of one experiment, merged over writers.

    Args:
        tx: The transaction to read in; one that sees one state, so that units and outcomes belong together.
        record: The experiment.

    Raises:
        DataLoss: A stored cell is damaged, or does not belong to such an experiment.
    """
    count, primary = len(record.spec.variants), record.spec.metrics.index(record.spec.primary)
    daily: dict[tuple[int, int, int], Cell] = {}
    outcomes_by_day: dict[int, NDArray[np.int64]] = {}
    totals: dict[tuple[int, int], Cell] = {}
    for key, cell in _by_day(tx, record).items():
        daily[key.variant, key.metric, key.day] = cell
        before = totals.get((key.variant, key.metric))
        totals[key.variant, key.metric] = cell if before is None else merge_cells(key, before, cell)
        if key.metric == primary:
            outcomes_by_day.setdefault(key.day, np.zeros(count, dtype=np.int64))[key.variant] = cell.n
    units_by_day, units_by_period, crossed = _units(tx, record)
    units = np.zeros(count, dtype=np.int64)
    for counts in units_by_day.values():
        units += counts
    return ExperimentData(
        units,
        units_by_day,
        totals,
        daily,
        crossed,
        outcomes_by_day,
        level_cells(tx, record),
        period_cells(tx, record),
        units_by_period if len(record.allocations) > 1 else {},
    )


def _by_day(tx: Connection, record: ExperimentRecord) -> dict[CellKey, Cell]:
    """Merges each day's cells over writers; days ascend."""
    # In one order, however the database likes to answer: sums of floats depend on it in their last bits.
    order = (cells.c.variant, cells.c.metric, cells.c.day, cells.c.slot)
    query = select_cells(CellKey).where(cells.c.experiment_id == record.id).order_by(*order)
    found: dict[CellKey, Cell] = {}
    for row in tx.execute(query):
        key, cell = key_of(row, CellKey), cell_of(row, CellKey)
        _check(record, key.variant, key.metric)
        before = found.get(key)
        found[key] = cell if before is None else merge_cells(key, before, cell)
    return found


_ByNumber: TypeAlias = "dict[int, NDArray[np.int64]]"


def _units(tx: Connection, record: ExperimentRecord) -> tuple[_ByNumber, _ByNumber, int]:
    """Counts the units of each day, of each allocation, and those that belong to none as they were seen in several."""
    parts = (exposures.c.day, exposures.c.variant, exposures.c.generation, exposures.c.crossed)
    query = (
        select(*parts, func.count().label("units"))
        .where(exposures.c.experiment_id == record.id)
        .group_by(*parts)
        .order_by(exposures.c.day)
    )
    count = len(record.spec.variants)
    by_day: _ByNumber = {}
    by_period: _ByNumber = {}
    crossed = 0
    for row in tx.execute(query):
        _check(record, row.variant)
        if row.crossed:
            crossed += row.units
            continue
        for found, number in ((by_day, row.day), (by_period, row.generation)):
            found.setdefault(number, np.zeros(count, dtype=np.int64))[row.variant] += row.units
    return by_day, by_period, crossed


def _check(record: ExperimentRecord, variant: int, metric: int = 0) -> None:
    variants, metrics = len(record.spec.variants), len(record.spec.metrics)
    if not (0 <= variant < variants and 0 <= metric < metrics):
        raise DataLoss(
            f"experiment {record.spec.key} has {variants} variants and {metrics} metrics, but variant {variant}, "
            f"metric {metric} is stored, counted from 0; restore a copy of the database"
        )
