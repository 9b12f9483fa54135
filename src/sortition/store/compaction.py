"""Merges the rows of writers that are gone: each left a row in every cell it ever wrote to.

Nothing has to be known about a writer for that. One that comes back finds no row of its own, and begins new ones; one
that flushes right now waits, or is waited for. So what a cell holds over all writers never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, delete, func, select, update

from sortition.core import Cell
from sortition.store.cell_rows import (
    CellKey,
    KeyT,
    LevelKey,
    cell_of,
    key_of,
    merge_cells,
    row_of,
    select_cells,
    table_of,
)
from sortition.store.database import Database
from sortition.store.schema import cells, writers
from sortition.store.upsert import insert_or_ignore, insert_or_replace

__all__ = ["ARCHIVE", "Compaction", "compact"]

ARCHIVE = 0
"""The slot into which rows are merged; those of writers are counted from 1."""
_ARCHIVE_NAME = "(compacted)"
# Bounds the memory and the length of one transaction: so many writers' rows of one experiment.
_SLOTS_AT_ONCE = 20


@dataclass(frozen=True)
class Compaction:
    """What was merged.

    Attributes:
        writers: The writers whose rows were merged.
        rows: Their rows.
    """

    writers: int
    rows: int


def compact(db: Database, before_day: int, *, dry_run: bool = False) -> Compaction:
    """Merges the rows of every writer that wrote nothing about a day, or about a later one.

    Experiment by experiment and some writers at a time, each step in one transaction: wherever it ends, every cell over
    all writers is what it was.

    Args:
        db: The database.
        before_day: That day, counted from 1970-01-01 UTC.
        dry_run: Whether only to count.

    Raises:
        DataLoss: A stored cell is damaged; the steps before it are done.
        StoreUnavailable: The database cannot be reached; likewise.
        StoreError: It cannot be used.
    """
    rows = 0
    idle = _idle(db, before_day)
    for experiment_id, slots in idle.items():
        if dry_run:
            rows += sum(slots.values())
            continue
        ordered = sorted(slots)
        for start in range(0, len(ordered), _SLOTS_AT_ONCE):
            some = ordered[start : start + _SLOTS_AT_ONCE]
            rows += db.run(partial(_merge, experiment_id=experiment_id, slots=some))
    return Compaction(len({slot for slots in idle.values() for slot in slots}), rows)


def _idle(db: Database, before_day: int) -> dict[str, dict[int, int]]:
    """Returns for each experiment the slots of idle writers, and how many rows they have in it."""
    query = select(cells.c.slot).where(cells.c.slot != ARCHIVE).group_by(cells.c.slot)
    gone = query.having(func.max(cells.c.day) < before_day)
    rows = select(cells.c.experiment_id, cells.c.slot, func.count().label("rows")).where(cells.c.slot.in_(gone))
    found: dict[str, dict[int, int]] = {}
    with db.read() as tx:
        for row in tx.execute(rows.group_by(cells.c.experiment_id, cells.c.slot).order_by(cells.c.experiment_id)):
            found.setdefault(row.experiment_id, {})[row.slot] = row.rows
    return found


def _merge(tx: Connection, experiment_id: str, slots: Sequence[int]) -> int:
    """Merges the rows of one experiment in these slots; returns how many there were of everyone."""
    _lock(tx, slots)
    _merge_table(tx, LevelKey, experiment_id, slots)
    return _merge_table(tx, CellKey, experiment_id, slots)


def _merge_table(tx: Connection, kind: type[KeyT], experiment_id: str, slots: Sequence[int]) -> int:
    table = table_of(kind)
    columns = table.c
    mine = columns.experiment_id == experiment_id
    merged: dict[KeyT, Cell] = {}
    found = 0
    query = select_cells(kind).where(mine, columns.slot.in_([ARCHIVE, *slots]))
    for row in tx.execute(query.order_by(*table.primary_key)):
        key, cell = key_of(row, kind), cell_of(row, kind)
        before = merged.get(key)
        merged[key] = cell if before is None else merge_cells(key, before, cell)
        found += row.slot != ARCHIVE
    if found:
        rows = [row_of(key, ARCHIVE, cell) for key, cell in merged.items()]
        tx.execute(insert_or_replace(tx.dialect.name, table), rows)
        tx.execute(delete(table).where(mine, columns.slot.in_(slots)))
    return found


def _lock(tx: Connection, slots: Sequence[int]) -> None:
    """Makes others who compact, and writers who flush into these slots, wait until the transaction ends.

    A flush begins with an update of its writer's row, so an update of it is the lock; this one changes nothing.
    """
    archive = {"slot": ARCHIVE, "name": _ARCHIVE_NAME, "epoch": 0, "high_water": 0}
    tx.execute(insert_or_ignore(tx.dialect.name, writers, key=["name"]).values(archive))
    for part in ([ARCHIVE], slots):
        tx.execute(update(writers).where(writers.c.slot.in_(part)).values(epoch=writers.c.epoch))
