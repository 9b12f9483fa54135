"""Who was exposed, read for sidecars that have to know it before the weights of an experiment change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from sortition.store.schema import exposures

__all__ = ["ExposedUnits", "exposed_before"]

_AT_ONCE = 100_000


@dataclass(frozen=True)
class ExposedUnits:
    """Units of one experiment; the arrays have one length.

    Attributes:
        hashes: Their keyed hashes, int64.
        variants: The indices of the variants that they were first exposed to, uint16.
        generations: The numbers of the allocations that they were first exposed under, uint16.
    """

    hashes: NDArray[np.int64]
    variants: NDArray[np.uint16]
    generations: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.hashes)


def exposed_before(tx: Connection, experiment_id: str, generation: int) -> ExposedUnits:
    """Returns the units that were first exposed under an allocation before this one, on any sidecar.

    Args:
        tx: The transaction to read in.
        experiment_id: The experiment's id.
        generation: The number of the allocation.
    """
    query = (
        select(exposures.c.unit_hash, exposures.c.variant, exposures.c.generation)
        .where(exposures.c.experiment_id == experiment_id)
        .where(exposures.c.generation.between(1, generation - 1))
    )
    # Piece by piece: as rows, millions of units would need many times the memory of what is kept of them.
    pieces = [
        np.array([tuple(row) for row in rows], dtype=np.int64)
        for rows in tx.execute(query.execution_options(yield_per=_AT_ONCE)).partitions()
    ]
    found = np.concatenate(pieces) if pieces else np.empty((0, 3), dtype=np.int64)
    return ExposedUnits(found[:, 0].copy(), found[:, 1].astype(np.uint16), found[:, 2].astype(np.uint16))
