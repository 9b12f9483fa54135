"""What one sidecar knows of the outcomes of experiments: what the database had, and what it recorded since."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sortition.core import Cell, CellDelta, SealedBatch
from sortition.store.level_cells import PERIODS
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["Book"]

# Batches between two readings of the database; without the oldest, it is known a little later that something does harm.
_MOST_BATCHES: Final = 1000


@dataclass
class Book:
    """Outcomes by experiment, each counted once; shared between threads.

    A batch has a number, and the database says which of them it has. So the two add up, whatever is under way between
    them.
    """

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _watched: frozenset[str] = frozenset()
    _base: Mapping[str, ExperimentData] = field(default_factory=dict)
    _mark: int = 0
    _batches: dict[int, list[CellDelta]] = field(default_factory=dict)

    def watch(self, experiment_ids: Collection[str]) -> None:
        """Says which experiments are of interest from now on."""
        with self._lock:
            self._watched = frozenset(experiment_ids)

    def committed(self, batch: SealedBatch) -> None:
        """Takes a batch that is in the database, before the engine forgets it."""
        with self._lock:
            watched = self._watched
        cells = (
            [delta for delta in batch.cells if _is_whole(delta) and delta.experiment_id in watched] if watched else []
        )
        with self._lock:
            if cells:
                self._batches[batch.number] = cells
            while len(self._batches) > _MOST_BATCHES:
                del self._batches[min(self._batches)]

    def rebase(self, mark: int, base: Mapping[str, ExperimentData]) -> None:
        """Takes what the database has, as read in one transaction.

        Args:
            mark: The last batch of this sidecar that is in it.
            base: The data by experiment id.
        """
        with self._lock:
            self._mark, self._base = mark, base
            self._batches = {number: cells for number, cells in self._batches.items() if number > mark}

    def data(self, record: ExperimentRecord, pending: Iterable[SealedBatch]) -> ExperimentData:
        """Returns what is known of an experiment; the units of what the database lacks are not counted.

        Args:
            record: The experiment.
            pending: What the engine has not handed on yet; read before this call.
        """
        open_cells = {batch.number: batch.cells for batch in pending}
        with self._lock:
            base, mark = self._base.get(record.id), self._mark
            # What was handed on since is whole; what was pending may have grown.
            newer = {number: cells for number, cells in {**open_cells, **self._batches}.items() if number > mark}
        cells: dict[tuple[int, int], Cell] = {} if base is None else dict(base.cells)
        periods: dict[tuple[int, int, int], Cell] = {} if base is None else dict(base.periods)
        for _, deltas in sorted(newer.items()):
            for delta in deltas:
                if delta.experiment_id == record.id and delta.level:
                    part = (delta.variant, delta.metric, delta.level - PERIODS)
                    periods[part] = periods[part].merge(delta.cell) if part in periods else delta.cell
                elif delta.experiment_id == record.id:
                    place = (delta.variant, delta.metric)
                    cells[place] = cells[place].merge(delta.cell) if place in cells else delta.cell
        units = np.zeros(len(record.spec.variants), dtype=np.int64) if base is None else base.units
        # A period that the record does not know of yet is of the next snapshot.
        known = {one.generation for one in record.allocations}
        periods = {part: cell for part, cell in periods.items() if part[2] in known}
        return ExperimentData(units=units, units_by_day={}, cells=cells, daily={}, periods=periods)


def _is_whole(delta: CellDelta) -> bool:
    """Returns whether a cell is of everyone, or of everyone of a period."""
    return delta.level == 0 or delta.level > PERIODS
