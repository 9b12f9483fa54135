"""Decisions, kept with everything they were based on."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Select, literal, select

from sortition.store.records import DecisionRecord
from sortition.store.schema import decisions

__all__ = ["get", "heads", "insert", "latest"]


def insert(tx: Connection, record: DecisionRecord) -> None:
    """Stores a decision."""
    values = asdict(record)
    if record.act is None:
        del values["act"]
    tx.execute(sqlalchemy.insert(decisions).values(values))


def get(tx: Connection, id: str) -> DecisionRecord | None:
    """Returns the decision with this id."""
    return _first(tx, _query().where(decisions.c.id == id))


def latest(tx: Connection, experiment_id: str, kind: str | None = None) -> DecisionRecord | None:
    """Returns the last decision about an experiment, of any kind or of one."""
    query = _query().where(decisions.c.experiment_id == experiment_id)
    if kind is not None:
        query = query.where(decisions.c.kind == kind)
    return _first(tx, query.order_by(decisions.c.at.desc(), decisions.c.id.desc()))


def heads(tx: Connection, experiment_id: str) -> list[DecisionRecord]:
    """Returns all decisions about an experiment, oldest first, without their inputs, which weigh most by far."""
    columns = [decisions.c[field.name] for field in fields(DecisionRecord) if field.name != "inputs"]
    query = select(*columns, literal(None).label("inputs")).where(decisions.c.experiment_id == experiment_id)
    rows = tx.execute(query.order_by(decisions.c.at, decisions.c.id)).mappings()
    return [DecisionRecord(**{**row, "inputs": {}}) for row in rows]


def _query() -> Select[Any]:
    return select(*(decisions.c[field.name] for field in fields(DecisionRecord)))


def _first(tx: Connection, query: Select[Any]) -> DecisionRecord | None:
    row = tx.execute(query.limit(1)).mappings().first()
    return None if row is None else DecisionRecord(**row)
