"""A cell as a row of the table `cells`, or of a level in `segment_cells`."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Row, Select, Table, select

from sortition.core import Cell
from sortition.errors import DataLoss, InvalidArgument
from sortition.store.schema import cells, segment_cells

__all__ = [
    "CellKey",
    "KeyT",
    "LevelKey",
    "cell_of",
    "key_of",
    "merge_cells",
    "row_of",
    "select_cells",
    "table_of",
]

_PARTS = ("n", "mean", "m2", "min", "max", "refused", "clamped", "late", "buckets", "sketch")
"""The columns that hold a cell, in the order of `Cell.parts`."""


class CellKey(NamedTuple):
    """Names a cell, over all writers."""

    experiment_id: str
    variant: int
    metric: int
    day: int

    def __str__(self) -> str:
        return f"the cell of experiment {self[0]}, variant {self[1]}, metric {self[2]}, day {self[3]}"


class LevelKey(NamedTuple):
    """Names a level's cell, over all writers and days."""

    experiment_id: str
    variant: int
    metric: int
    level: int

    def __str__(self) -> str:
        return f"the cell of experiment {self[0]}, variant {self[1]}, metric {self[2]}, level {self[3]}"


KeyT = TypeVar("KeyT", CellKey, LevelKey)


def table_of(kind: type[CellKey | LevelKey]) -> Table:
    """Returns the table of the cells with this kind of name."""
    return cells if kind is CellKey else segment_cells


def select_cells(kind: type[CellKey | LevelKey]) -> Select[Any]:
    """Returns the query whose rows the functions below take."""
    return select(*(table_of(kind).c[name] for name in (*kind._fields, *_PARTS, "slot")))


def key_of(row: Row[Any], kind: type[KeyT]) -> KeyT:
    """Returns the name of a row's cell."""
    return kind(*row[: len(kind._fields)])


def cell_of(row: Row[Any], kind: type[KeyT]) -> Cell:
    """Returns the cell of a row.

    Raises:
        DataLoss: Its parts do not fit together.
    """
    try:
        return Cell.from_parts(*row[len(kind._fields) : -1])
    except DataLoss as error:
        raise DataLoss(f"{key_of(row, kind)}, slot {row.slot}, is damaged: {error}; restore a copy") from error


def row_of(key: CellKey | LevelKey, slot: int, cell: Cell) -> dict[str, Any]:
    """Returns the row of a writer's part of a cell."""
    return {**key._asdict(), "slot": slot, **dict(zip(_PARTS, cell.parts(), strict=True))}


def merge_cells(key: CellKey | LevelKey, one: Cell, other: Cell) -> Cell:
    """Returns the cell of both cells' observations.

    Raises:
        DataLoss: They hold different statistics, as of two kinds of metric.
    """
    try:
        return one.merge(other)
    except InvalidArgument as error:
        raise DataLoss(f"{key} holds other statistics than those to be merged with it: {error}") from error
