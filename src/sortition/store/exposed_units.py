"""Who was exposed, read for sidecars that have to know it before the weights of an experiment change."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, select

from sortition.state.units import ExposedUnits
from sortition.store.schema import exposures

__all__ = ["exposed_before"]

_AT_ONCE = 100_000


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
