"""Puts sealed batches into the database, each exactly once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, select, update

from sortition.core import Cell, Exposure, SealedBatch
from sortition.errors import Conflict, StoreError
from sortition.store.cell_rows import CellKey, cell_of, key_of, merge_cells, row_of, select_cells
from sortition.store.database import Database
from sortition.store.schema import cells, exposures, writers
from sortition.store.upsert import insert_or_ignore, insert_or_replace

__all__ = ["BatchWriter"]

T = TypeVar("T")

# Bounds the memory of one statement; large enough that the statements do not count.
_ROWS_AT_ONCE = 10_000
# Below the number of parameters that the oldest SQLite takes in one statement.
_IDS_AT_ONCE = 400


class BatchWriter:
    """One sidecar's place in the database: rows of its own, and the number of the last batch that is in them."""

    def __init__(self, db: Database, name: str) -> None:
        """Takes the name `name`; a sidecar that had it before is fenced off and writes nothing any more.

        Raises:
            StoreUnavailable: The database cannot be reached.
            StoreError: It cannot be used.
        """
        self.name = name
        self._db = db
        with db.write() as tx:
            tx.execute(insert_or_ignore(db.kind, writers, key=["name"]).values(name=name, epoch=0, high_water=0))
            tx.execute(update(writers).where(writers.c.name == name).values(epoch=writers.c.epoch + 1))
            row = tx.execute(select(writers).where(writers.c.name == name)).one()
        self._slot: int = row.slot
        self._epoch: int = row.epoch
        self._high_water: int = row.high_water

    @property
    def high_water(self) -> int:
        """The number of the last batch that is known to be in the database; 0 when there is none."""
        return self._high_water

    def apply(self, batch: SealedBatch) -> bool:
        """Merges a batch into the database in one transaction, or finds that this was done before.

        When it raises, nothing of the batch was applied, unless the connection was lost during the commit; either way
        the same batch may be sent again.

        Returns:
            True when it was applied now; False when it had been.

        Raises:
            Conflict: Another sidecar took the name.
            DataLoss: A cell does not fit what is stored.
            StoreUnavailable: The database cannot be reached.
            StoreError: It cannot be used, or batches before this one are missing from it.
        """
        with self._db.write() as tx:
            advanced = self._advance(tx, batch.number)
            if advanced:
                self._merge_cells(tx, batch)
                self._insert_exposures(tx, batch.exposures)
        self._high_water = max(self._high_water, batch.number)
        return advanced

    def _advance(self, tx: Connection, number: int) -> bool:
        """Moves the high-water mark to `number`; False when it was there already."""
        columns = writers.c
        # One statement, and the first: it locks the row, so whoever comes second sees what the first one did.
        done = tx.execute(
            update(writers)
            .where(columns.slot == self._slot, columns.high_water == number - 1, columns.epoch <= self._epoch)
            .values(high_water=number, epoch=self._epoch)
        )
        if done.rowcount == 1:
            return True
        row = tx.execute(select(columns.epoch, columns.high_water).where(columns.slot == self._slot)).first()
        if row is None:
            raise StoreError(f"{self._db.name}: writer {self.name} is not in it any more; restart the sidecar")
        if row.epoch > self._epoch:
            raise Conflict(
                f"another sidecar took the writer name {self.name}; this one writes nothing any more: "
                "stop it, or give each sidecar a name of its own"
            )
        if row.high_water < number:
            raise StoreError(
                f"{self._db.name}: batch {number} of writer {self.name} cannot follow batch {row.high_water}; "
                "the database was restored from an older copy, restart the sidecar"
            )
        return False

    def _merge_cells(self, tx: Connection, batch: SealedBatch) -> None:
        changed: dict[CellKey, Cell] = {}
        for delta in batch.cells:
            key = CellKey(delta.experiment_id, delta.variant, delta.metric, delta.day)
            before = changed.get(key)
            changed[key] = delta.cell if before is None else merge_cells(key, before, delta.cell)
        for key, stored in self._stored(tx, changed):
            changed[key] = merge_cells(key, stored, changed[key])
        statement = insert_or_replace(self._db.kind, cells)
        for chunk in _chunks(changed.items(), _ROWS_AT_ONCE):
            tx.execute(statement, [row_of(key, self._slot, cell) for key, cell in chunk])

    def _stored(self, tx: Connection, wanted: Collection[CellKey]) -> Iterator[tuple[CellKey, Cell]]:
        """Yields what this writer's rows hold of the cells in `wanted`."""
        query = select_cells().where(cells.c.slot == self._slot)
        days = sorted({key.day for key in wanted})
        for ids in _chunks(sorted({key.experiment_id for key in wanted}), _IDS_AT_ONCE):
            for some_days in _chunks(days, _IDS_AT_ONCE):
                found = tx.execute(query.where(cells.c.experiment_id.in_(ids), cells.c.day.in_(some_days)))
                for row in found.all():
                    if (key := key_of(row)) in wanted:
                        yield key, cell_of(row)

    def _insert_exposures(self, tx: Connection, found: Iterable[Exposure]) -> None:
        # A unit that is stored keeps its row: what it was first exposed to, and when.
        statement = insert_or_ignore(self._db.kind, exposures)
        for chunk in _chunks(found, _ROWS_AT_ONCE):
            tx.execute(
                statement,
                [
                    {
                        "experiment_id": exposure.experiment_id,
                        "unit_hash": exposure.unit_hash,
                        "variant": exposure.variant,
                        "bucket": exposure.bucket,
                        "generation": exposure.generation,
                        "day": exposure.day,
                    }
                    for exposure in chunk
                ],
            )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
