"""Cells of the levels of declared dimensions, read for analysis."""

from __future__ import annotations

from sqlalchemy import Connection

from sortition.core import Cell
from sortition.errors import DataLoss
from sortition.store.cell_rows import LevelKey, cell_of, key_of, merge_cells, select_cells, table_of
from sortition.store.records import ExperimentRecord

__all__ = ["level_cells"]


def level_cells(tx: Connection, record: ExperimentRecord) -> dict[tuple[int, int, int], Cell]:
    """Returns the cells of each (variant index, metric index, level number), merged over writers and days.

    Args:
        tx: The transaction to read in.
        record: The experiment; nothing is read when it declares no dimension.

    Raises:
        DataLoss: A stored cell is damaged, or does not belong to such an experiment.
    """
    found: dict[tuple[int, int, int], Cell] = {}
    if not record.spec.dimensions:
        return found
    columns = table_of(LevelKey).c
    # In one order, however the database likes to answer: sums of floats depend on it in their last bits.
    order = (columns.variant, columns.metric, columns.level, columns.slot)
    query = select_cells(LevelKey).where(columns.experiment_id == record.id).order_by(*order)
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
    if not (0 <= key.variant < variants and 0 <= key.metric < metrics and 1 <= key.level <= levels):
        raise DataLoss(
            f"experiment {spec.key} has {variants} variants, {metrics} metrics and {levels} levels, but {key} is "
            "stored, levels counted from 1 and all else from 0; restore a copy of the database"
        )
