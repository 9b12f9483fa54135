"""Allocations behind the first: announced, then in effect."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from sortition.errors import Conflict
from sortition.store.records import AllocationRecord
from sortition.store.schema import allocations, reweightings

__all__ = ["announce", "of", "take_effect"]


def announce(tx: Connection, experiment_id: str, allocation: AllocationRecord, at: datetime) -> None:
    """Stores the next allocation of an experiment, which does not take effect yet.

    Raises:
        Conflict: The experiment has one of this generation already.
    """
    row = {"experiment_id": experiment_id, "generation": allocation.generation, "ramp_step": allocation.ramp_step}
    ranges = [list(piece) for piece in allocation.ranges]
    try:
        tx.execute(sqlalchemy.insert(reweightings).values(**row, ranges=ranges, announced_at=at))
    except IntegrityError as error:
        raise Conflict(
            f"experiment {experiment_id} is gone or has an allocation of generation {allocation.generation} already; "
            "read it again"
        ) from error


def take_effect(tx: Connection, experiment_id: str, generation: int, at: datetime) -> bool:
    """Puts an announced allocation into effect; returns False when it is in effect already, or not announced."""
    mine = (reweightings.c.experiment_id == experiment_id, reweightings.c.generation == generation)
    done = tx.execute(update(reweightings).where(*mine, reweightings.c.effective_at.is_(None)).values(effective_at=at))
    if done.rowcount == 0:
        return False
    row = {
        "experiment_id": experiment_id,
        "generation": generation,
        "ranges": tx.execute(select(reweightings.c.ranges).where(*mine)).scalar_one(),
    }
    tx.execute(sqlalchemy.insert(allocations).values(**row))
    return True


def of(tx: Connection, experiment_ids: Collection[str]) -> dict[str, dict[int, AllocationRecord]]:
    """Returns the allocations behind the first of some experiments, by id and generation, oldest first."""
    found: dict[str, dict[int, AllocationRecord]] = {}
    query = select(reweightings).where(reweightings.c.experiment_id.in_(experiment_ids))
    for row in tx.execute(query.order_by(reweightings.c.generation)):
        ranges = tuple((end, variant) for end, variant in row.ranges)
        record = AllocationRecord(row.generation, ranges, row.effective_at, row.ramp_step)
        found.setdefault(row.experiment_id, {})[row.generation] = record
    return found
