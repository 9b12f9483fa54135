"""How experiments ended: their final decisions, what was shipped by them, and whether that was taken back.

Each function reads for many experiments at once, so that a page of a list takes as few queries as one experiment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from sortition.model import JsonObject
from sortition.store.records import DecisionRecord, ExperimentRecord
from sortition.store.schema import audit, decisions, experiments, promotions

__all__ = ["acts", "final_decisions", "taken_back"]

# Below the number of parameters that the oldest SQLite takes in one statement.
_AT_ONCE = 250


def final_decisions(tx: Connection, ids: Sequence[str], kind: str) -> dict[str, DecisionRecord]:
    """Returns the last decision of a kind about each experiment, by its id; without inputs, which weigh most by far."""
    columns = [decisions.c[field.name] for field in fields(DecisionRecord) if field.name != "inputs"]
    found: dict[str, DecisionRecord] = {}
    for some in _chunks(ids):
        query = select(*columns).where(decisions.c.experiment_id.in_(some), decisions.c.kind == kind)
        for row in tx.execute(query.order_by(decisions.c.at, decisions.c.id)).mappings():
            found[row["experiment_id"]] = DecisionRecord(**row, inputs={})
    return found


def taken_back(tx: Connection, ids: Sequence[str]) -> set[str]:
    """Returns the experiments whose shipped version was made current and has been rolled back, each time it was."""
    found: set[str] = set()
    for some in _chunks(ids):
        query = (
            select(experiments.c.id)
            .join(
                promotions,
                and_(
                    promotions.c.subject_id == experiments.c.subject_id,
                    promotions.c.to_number == experiments.c.shipped_version,
                    # A rollback that leads to the version again is no promotion of it.
                    promotions.c.undoes.is_(None),
                ),
            )
            .where(experiments.c.id.in_(some), experiments.c.shipped_version > 0)
            .group_by(experiments.c.id)
            .having(func.count() == func.count(promotions.c.undone_by))
        )
        found.update(tx.execute(query).scalars())
    return found


def acts(
    tx: Connection, records: Sequence[ExperimentRecord], action: str, prefix: str
) -> dict[tuple[str, str], JsonObject]:
    """Returns what the audit log says about the last act of this kind on each experiment, by organization and key.

    Args:
        tx: The transaction to read in.
        records: The experiments.
        action: The act, such as "experiment.complete".
        prefix: What stands in front of an experiment's key in the log.
    """
    found: dict[tuple[str, str], JsonObject] = {}
    for some in _chunks(records):
        query = select(audit.c.organization, audit.c.object, audit.c.details).where(
            audit.c.action == action, or_(*_objects(some, prefix))
        )
        for row in tx.execute(query.order_by(audit.c.id)):
            found[row.organization, row.object.removeprefix(prefix)] = row.details
    return found


def _objects(records: Collection[ExperimentRecord], prefix: str) -> Iterator[ColumnElement[bool]]:
    by_organization: dict[str, list[str]] = {}
    for record in records:
        by_organization.setdefault(record.spec.organization, []).append(f"{prefix}{record.spec.key}")
    for organization, names in by_organization.items():
        yield and_(audit.c.organization == organization, audit.c.object.in_(names))


def _chunks(every: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]
