"""Decisions, kept with everything they were based on."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Select, select

from sortition.store.records import DecisionRecord
from sortition.store.schema import decisions

__all__ = ["get", "insert", "latest"]


def insert(tx: Connection, record: DecisionRecord) -> None:
    """Stores a decision."""
    tx.execute(sqlalchemy.insert(decisions).values(asdict(record)))


def get(tx: Connection, id: str) -> DecisionRecord | None:
    """Returns the decision with this id."""
    return _first(tx, _query().where(decisions.c.id == id))


def latest(tx: Connection, experiment_id: str) -> DecisionRecord | None:
    """Returns the last decision about an experiment."""
    query = _query().where(decisions.c.experiment_id == experiment_id)
    return _first(tx, query.order_by(decisions.c.at.desc(), decisions.c.id.desc()))


def _query() -> Select[Any]:
    return select(*(decisions.c[field.name] for field in fields(DecisionRecord)))


def _first(tx: Connection, query: Select[Any]) -> DecisionRecord | None:
    row = tx.execute(query.limit(1)).mappings().first()
    return None if row is None else DecisionRecord(**row)
