"""Puts sealed batches into the database, each exactly once."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, and_, select, update

from sortition.core import Cell, CellDelta, Exposure, SealedBatch
from sortition.errors import Conflict, StoreError
from sortition.state.identity import Identity
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
from sortition.store.naming import go_apart, take
from sortition.store.schema import exposures, writers
from sortition.store.upsert import insert_or_mark, insert_or_replace

__all__ = ["BatchWriter", "high_water_of", "high_waters"]

T = TypeVar("T")

# Bounds the memory of one statement; large enough that the statements do not count.
_ROWS_AT_ONCE = 10_000
# Below the number of parameters that the oldest SQLite takes in one statement.
_IDS_AT_ONCE = 400


class BatchWriter:
    """One sidecar's place in the database: rows of its own, and the number of the last batch that is in them."""

    def __init__(self, db: Database, who: Identity | str) -> None:
        """Takes a name; a sidecar that had it before is fenced off and writes nothing under it any more.

        Args:
            db: The database.
            who: Who writes, and what it remembers of earlier runs; a bare name for one that remembers nothing.

        Raises:
            StoreUnavailable: The database cannot be reached.
            StoreError: It cannot be used, or an older copy of it was restored.
        """
        if isinstance(who, str):
            who = Identity(who, secrets.token_hex(16))
        self._db = db
        self._owner = who.owner
        self._place = db.run(lambda tx: take(tx, who))
        self._high_water = self._place.high_water
        if self._high_water < who.batch:
            raise StoreError(
                f"{db.name}: its last batch of writer {self.name} is {self._high_water}, but {who.batch} was put into "
                "it: an older copy was restored. Restore one that has it; to go on without what is missing, remove the "
                "file 'writer' from the sidecar's state directory"
            )

    @property
    def name(self) -> str:
        """The name it writes under."""
        return self._place.name

    @property
    def identity(self) -> Identity:
        """What to remember for the next run."""
        return Identity(self.name, self._owner, self._place.epoch, self._high_water)

    def go_apart(self) -> None:
        """Goes on under a fresh name, after another sidecar took this one's.

        Afterwards `apply` knows again what is in the database: a batch that had been applied under the old name, though
        nobody heard of it, is not applied again.

        Raises:
            Conflict: It cannot be known what is in the database; nothing was changed.
            StoreUnavailable: The database cannot be reached.
            StoreError: It cannot be used.
        """
        lost = self._place
        self._place = self._db.run(lambda tx: go_apart(tx, lost, self._owner))
        self._high_water = self._place.high_water

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
        advanced = self._db.run(lambda tx: self._apply(tx, batch))
        self._high_water = max(self._high_water, batch.number)
        return advanced

    def _apply(self, tx: Connection, batch: SealedBatch) -> bool:
        advanced = self._advance(tx, batch.number)
        if advanced:
            self._merge_cells(tx, CellKey, _by_day(batch.cells))
            self._merge_cells(tx, LevelKey, _by_level(batch.cells))
            self._insert_exposures(tx, batch.exposures)
        return advanced

    def _advance(self, tx: Connection, number: int) -> bool:
        """Moves the high-water mark to `number`; False when it was there already."""
        columns = writers.c
        # By its name too: in an older copy of the database the slot may belong to somebody else.
        mine = and_(columns.slot == self._place.slot, columns.name == self.name)
        # One statement, and the first: it locks the row, so whoever comes second sees what the first one did.
        done = tx.execute(
            update(writers)
            .where(mine, columns.high_water == number - 1, columns.epoch <= self._place.epoch)
            .values(high_water=number, epoch=self._place.epoch)
        )
        if done.rowcount == 1:
            return True
        row = tx.execute(select(columns.epoch, columns.high_water).where(mine)).first()
        if row is None:
            raise StoreError(f"{self._db.name}: writer {self.name} is not in it any more; restart the sidecar")
        if row.epoch > self._place.epoch:
            raise Conflict(
                f"another sidecar took the writer name {self.name}; this one writes nothing under it any more: "
                "give each sidecar a name of its own"
            )
        if row.high_water < number:
            raise StoreError(
                f"{self._db.name}: batch {number} of writer {self.name} cannot follow batch {row.high_water}; "
                "an older copy of the database was restored: restart the sidecar, which says what is missing"
            )
        return False

    def _merge_cells(self, tx: Connection, kind: type[KeyT], deltas: Iterable[tuple[KeyT, Cell]]) -> None:
        changed: dict[KeyT, Cell] = {}
        for key, cell in deltas:
            before = changed.get(key)
            changed[key] = cell if before is None else merge_cells(key, before, cell)
        for key, stored in self._stored(tx, kind, changed):
            changed[key] = merge_cells(key, stored, changed[key])
        statement = insert_or_replace(self._db.kind, table_of(kind))
        for chunk in _chunks(changed.items(), _ROWS_AT_ONCE):
            tx.execute(statement, [row_of(key, self._place.slot, cell) for key, cell in chunk])

    def _stored(self, tx: Connection, kind: type[KeyT], wanted: Collection[KeyT]) -> Iterator[tuple[KeyT, Cell]]:
        """Yields what this writer's rows hold of the cells in `wanted`."""
        columns = table_of(kind).c
        query = select_cells(kind).where(columns.slot == self._place.slot)
        for ids in _chunks(sorted({key.experiment_id for key in wanted}), _IDS_AT_ONCE):
            for part in _by_days(query.where(columns.experiment_id.in_(ids)), wanted):
                for row in tx.execute(part).all():
                    if (key := key_of(row, kind)) in wanted:
                        yield key, cell_of(row, kind)

    def _insert_exposures(self, tx: Connection, found: Iterable[Exposure]) -> None:
        # A unit that is stored keeps its row: what it was first exposed to, and when; that it met another variant too
        # is noted. In one order, so that two writers that bring the same units wait for each other, not both for ever.
        statement = insert_or_mark(self._db.kind, exposures, "crossed", differing="variant")
        ordered = sorted(found, key=lambda exposure: (exposure.experiment_id, exposure.unit_hash))
        for chunk in _chunks(ordered, _ROWS_AT_ONCE):
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


def _by_day(deltas: Iterable[CellDelta]) -> Iterator[tuple[CellKey, Cell]]:
    """Yields the cells of everyone."""
    for delta in deltas:
        if not delta.level:
            yield CellKey(delta.experiment_id, delta.variant, delta.metric, delta.day), delta.cell


def _by_level(deltas: Iterable[CellDelta]) -> Iterator[tuple[LevelKey, Cell]]:
    """Yields the cells of levels, of which the days do not matter."""
    for delta in deltas:
        if delta.level:
            yield LevelKey(delta.experiment_id, delta.variant, delta.metric, delta.level), delta.cell


def _by_days(query: Select[Any], wanted: Iterable[CellKey | LevelKey]) -> Iterator[Select[Any]]:
    """Yields the query narrowed to the days of `wanted`; as it is where cells have none."""
    days = sorted({key.day for key in wanted if isinstance(key, CellKey)})
    if not days:
        yield query
    for some in _chunks(days, _IDS_AT_ONCE):
        yield query.where(table_of(CellKey).c.day.in_(some))


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk


def high_waters(tx: Connection) -> tuple[tuple[int, int], ...]:
    """Returns the last batch of every writer, as (slot, number): it changes with whatever is recorded."""
    rows = tx.execute(select(writers.c.slot, writers.c.high_water).order_by(writers.c.slot))
    return tuple((row.slot, row.high_water) for row in rows)


def high_water_of(tx: Connection, name: str) -> int:
    """Returns the last batch of the writer with this name; 0 where there is none."""
    found: int | None = tx.execute(select(writers.c.high_water).where(writers.c.name == name)).scalar_one_or_none()
    return 0 if found is None else found
