"""How often results were shown to somebody: one row for an experiment, its policy and a UTC day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sqlalchemy import Connection, select

from sortition.store.records import PeekRecord
from sortition.store.schema import peeks
from sortition.store.upsert import insert_or_count

__all__ = ["PeekKey", "add", "of"]

PeekKey: TypeAlias = "tuple[str, str, int]"
"""The experiment's id, its policy, and the UTC day counted from 1970-01-01."""


def add(tx: Connection, kind: str, found: Mapping[PeekKey, PeekRecord]) -> None:
    """Adds peeks to those that are stored, by this and by other sidecars.

    Args:
        tx: The transaction to write in.
        kind: "sqlite" or "postgresql".
        found: What to add; each of a single day.
    """
    # In one order: two sidecars that add to the same rows do not wait for each other forever.
    rows = [
        {
            "experiment_id": experiment_id,
            "policy": policy,
            "day": day,
            "count": record.count,
            "early": record.early,
            "first_at": record.first_at,
            "last_at": record.last_at,
        }
        for (experiment_id, policy, day), record in sorted(found.items())
    ]
    if rows:
        statement = insert_or_count(kind, peeks, add=("count", "early"), lowest="first_at", highest="last_at")
        tx.execute(statement, rows)


def of(tx: Connection, experiment_id: str) -> PeekRecord:
    """Returns all stored peeks at an experiment."""
    total = PeekRecord()
    query = select(peeks).where(peeks.c.experiment_id == experiment_id)
    # By name: "count" is a method of rows.
    for row in tx.execute(query).mappings():
        total += PeekRecord(row["count"], row["early"], frozenset([row["day"]]), row["first_at"], row["last_at"])
    return total
