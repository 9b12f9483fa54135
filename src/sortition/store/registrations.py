"""What was registered when experiments were started, and what was done beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import IntegrityError

from sortition.errors import Conflict
from sortition.store.records import DeviationRecord, RegistrationRecord
from sortition.store.schema import deviations, registrations

__all__ = ["add_deviation", "deviations_of", "insert", "of"]


def insert(tx: Connection, experiment_id: str, record: RegistrationRecord) -> None:
    """Registers an experiment; call it in the transaction of its start, so that neither is there without the other.

    Raises:
        Conflict: It is registered already; a registration is never replaced.
    """
    try:
        tx.execute(sqlalchemy.insert(registrations).values(experiment_id=experiment_id, **asdict(record)))
    except IntegrityError as error:
        raise Conflict(f"experiment {experiment_id} is gone or registered already; read it again") from error


def of(tx: Connection, experiment_ids: Collection[str]) -> dict[str, RegistrationRecord]:
    """Returns the registrations of some experiments by their ids; those without one are left out."""
    columns = [registrations.c[field.name] for field in fields(RegistrationRecord)]
    query = select(registrations.c.experiment_id, *columns).where(registrations.c.experiment_id.in_(experiment_ids))
    return {row.experiment_id: RegistrationRecord(*row[1:]) for row in tx.execute(query)}


def add_deviation(tx: Connection, experiment_id: str, record: DeviationRecord) -> None:
    """Adds a deviation behind those there are."""
    last = select(func.max(deviations.c.number)).where(deviations.c.experiment_id == experiment_id)
    number = (tx.execute(last).scalar() or 0) + 1
    tx.execute(sqlalchemy.insert(deviations).values(experiment_id=experiment_id, number=number, **asdict(record)))


def deviations_of(tx: Connection, experiment_id: str, limit: int) -> list[DeviationRecord]:
    """Returns the deviations of an experiment, oldest first; at most the newest `limit`."""
    columns: list[Any] = [deviations.c[field.name] for field in fields(DeviationRecord)]
    query: Select[Any] = select(*columns).where(deviations.c.experiment_id == experiment_id)
    found = tx.execute(query.order_by(deviations.c.number.desc()).limit(limit)).all()
    return [DeviationRecord(**row._mapping) for row in reversed(found)]
