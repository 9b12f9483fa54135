"""Cells of the levels of declared dimensions, read for analysis."""

from __future__ import annotations

from sqlalchemy import Connection

from sortition.core import Cell
from sortition.errors import DataLoss
from sortition.store.cell_rows import LevelKey, cell_of, key_of, merge_cells, select_cells, table_of
from sortition.store.records import ExperimentRecord

__all__ = ["PERIODS", "level_cells", "period_cells"]

PERIODS = 100
"""Level numbers above are periods: this and the number of an allocation behind the first."""


def level_cells(tx: Connection, record: ExperimentRecord) -> dict[tuple[int, int, int], Cell]:
    """Returns the cells of each (variant index, metric index, level number), merged over writers and days.

    Args:
        tx: The transaction to read in.
        record: The experiment; nothing is read when it declares no dimension.

    Raises:
        DataLoss: A stored cell is damaged, or does not belong to such an experiment.
    """
    return _cells(tx, record, periods=False) if record.spec.dimensions else {}


def period_cells(tx: Connection, record: ExperimentRecord) -> dict[tuple[int, int, int], Cell]:
    """Returns the cells of each (variant index, metric index, number of an allocation behind the first).

    Args:
        tx: The transaction to read in.
        record: The experiment; nothing is read while its weights were never changed.

    Raises:
        DataLoss: A stored cell is damaged, or does not belong to such an experiment.
    """
    if len(record.allocations) < 2:
        return {}
    found = _cells(tx, record, periods=True)
    return {(variant, metric, level - PERIODS): cell for (variant, metric, level), cell in found.items()}


def _cells(tx: Connection, record: ExperimentRecord, *, periods: bool) -> dict[tuple[int, int, int], Cell]:
    found: dict[tuple[int, int, int], Cell] = {}
    columns = table_of(LevelKey).c
    wanted = columns.level > PERIODS if periods else columns.level <= PERIODS
    # In one order, however the database likes to answer: sums of floats depend on it in their last bits.
    order = (columns.variant, columns.metric, columns.level, columns.slot)
    query = select_cells(LevelKey).where(columns.experiment_id == record.id, wanted).order_by(*order)
    for row in tx.execute(query):
        key, cell = key_of(row, LevelKey), cell_of(row, LevelKey)
        _check(record, key)
        place = key.variant, key.metric, key.level
        before = found.get(place)
        found[place] = cell if before is None else merge_cells(key, before, cell)
    return found


def _check(record: ExperimentRecord, key: LevelKey) -> None:
    spec = record.spec
    variants, metrics, levels = len(spec.variants), len(spec.metrics), len(spec.levels)
    fits = 0 <= key.variant < variants and 0 <= key.metric < metrics
    if not (fits and (1 <= key.level <= levels or key.level > PERIODS)):
        raise DataLoss(
            f"experiment {spec.key} has {variants} variants, {metrics} metrics and {levels} levels, but {key} is "
            "stored, levels counted from 1 and all else from 0; restore a copy of the database"
        )
