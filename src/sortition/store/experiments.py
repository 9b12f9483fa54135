"""Experiments, their variants and their allocations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, NoReturn, TypeAlias

import sqlalchemy
from sqlalchemy import Connection, Row, Select, case, delete, select, update
from sqlalchemy.exc import IntegrityError

from sortition.errors import AlreadyExists, Conflict, DataLoss, FailedPrecondition, InvalidArgument, NotFound
from sortition.model import (
    DEFAULT_ORGANIZATION,
    ExperimentSpec,
    ExperimentStatus,
    SubjectRef,
    canonical_json,
    validate,
)
from sortition.store import registrations, reweightings, subjects
from sortition.store.paging import fetch_page
from sortition.store.records import AllocationRecord, ExperimentRecord, RegistrationRecord, RunRecord
from sortition.store.schema import allocations, experiments, variants
from sortition.store.schema import subjects as subject_table
from sortition.store.types import json_object

__all__ = ["active", "add_allocation", "get", "insert", "listing", "save", "unarchived"]

_Shares: TypeAlias = "tuple[tuple[AllocationRecord, ...], AllocationRecord | None]"

# Below the number of parameters that the oldest SQLite takes in one statement.
_IDS_AT_ONCE = 500
# Everything that looks at all experiments every so often, or after each change, would read most of them in vain again.
_SPECS_KEPT = 2_000


def insert(tx: Connection, record: ExperimentRecord) -> None:
    """Stores a new experiment, with its allocations.

    Raises:
        AlreadyExists: The organization has an experiment with this key.
        NotFound: Its subject is not stored; insert that first.
        FailedPrecondition: It is running, and so is another one on the same subject.
    """
    if get(tx, record.spec.organization, record.spec.key) is not None:
        raise _exists(record.spec)
    try:
        tx.execute(
            sqlalchemy.insert(experiments).values(
                id=record.id,
                created_at=record.created_at,
                run=record.run.number,
                first_run=record.run.first_id or None,
                **_values(tx, record),
            )
        )
    except IntegrityError as error:
        _refuse(record, error)
    _store_variants(tx, record)
    for allocation in record.allocations:
        add_allocation(tx, record.id, allocation)


def save(tx: Connection, record: ExperimentRecord) -> ExperimentRecord:
    """Stores what changed about an experiment; allocations are stored by `add_allocation`.

    Args:
        tx: The transaction to write in.
        record: Its revision is the one the change is based on.

    Returns:
        The record with its new revision.

    Raises:
        Conflict: Somebody else changed it since.
        NotFound: There is no such experiment, or its subject is not stored.
        FailedPrecondition: It is running now, and so is another one on the same subject.
    """
    after = replace(record, revision=record.revision + 1)
    try:
        done = tx.execute(
            update(experiments)
            .where(experiments.c.id == record.id, experiments.c.revision == record.revision)
            .values(**_values(tx, after))
        )
    except IntegrityError as error:
        _refuse(record, error)
    if done.rowcount == 0:
        stored = tx.execute(select(experiments.c.revision).where(experiments.c.id == record.id)).scalar()
        if stored is None:
            raise NotFound(f"experiment {record.spec.key} is not stored")
        raise Conflict(
            f"experiment {record.spec.key} was changed by somebody else: the change is based on revision "
            f"{record.revision}, stored is {stored}; read it again"
        )
    _store_variants(tx, after)
    return after


def get(tx: Connection, organization: str, key: str) -> ExperimentRecord | None:
    """Returns the experiment with this key."""
    found = _records(tx, _query().where(experiments.c.organization == organization, experiments.c.key == key))
    return found[0] if found else None


def listing(
    tx: Connection,
    *,
    organization: str | None = None,
    subject_kind: str | None = None,
    subject_id: str | None = None,
    statuses: Collection[ExperimentStatus] = (),
    include_archived: bool = False,
    since: datetime | None = None,
    limit: int,
    after: str | None,
) -> tuple[list[ExperimentRecord], str]:
    """Returns a page of experiments, newest first, and the token of the next page; empty on the last.

    Args:
        tx: The transaction to read in.
        organization: Only this one's; all when None or empty.
        subject_kind: Only those about this kind of subject; all when None or empty.
        subject_id: Only those about subjects with this id; all when None or empty.
        statuses: Only those in one of these; all when empty.
        include_archived: Archived ones too.
        since: Without those that had ended before; all when None.
        limit: At most so many.
        after: The token of the page; None or empty for the first.

    Raises:
        InvalidArgument: The token was not handed out by this list.
    """
    query = _query()
    if organization:
        query = query.where(experiments.c.organization == organization)
    if subject_kind:
        query = query.where(subject_table.c.kind == subject_kind)
    if subject_id:
        query = query.where(subject_table.c.name == subject_id)
    if statuses:
        query = query.where(experiments.c.status.in_([status.value for status in statuses]))
    if not include_archived:
        query = query.where(experiments.c.archived_at.is_(None))
    if since is not None:
        query = query.where(experiments.c.ended_at.is_(None) | (experiments.c.ended_at >= since))
    order = [experiments.c.created_at, experiments.c.id]
    rows, token = fetch_page(tx, query, order, limit=limit, after=after, newest_first=True)
    return _complete(tx, rows), token


def active(tx: Connection, organization: str, ref: SubjectRef) -> list[ExperimentRecord]:
    """Returns a subject's running experiments, then its paused ones; among equals the one started first leads."""
    running = experiments.c.status == ExperimentStatus.RUNNING.value
    query = (
        _query()
        .where(experiments.c.organization == organization)
        .where(subject_table.c.kind == ref.kind, subject_table.c.name == ref.id)
        .where(running | (experiments.c.status == ExperimentStatus.PAUSED.value))
        .order_by(case((running, 0), else_=1), experiments.c.started_at, experiments.c.id)
    )
    return _records(tx, query)


def unarchived(tx: Connection) -> list[ExperimentRecord]:
    """Returns every experiment that is not archived, oldest first, without what was registered.

    It is for the hot path, which every change makes anew, and which needs none of that.
    """
    query = _query().where(experiments.c.archived_at.is_(None))
    found = tx.execute(query.order_by(experiments.c.created_at, experiments.c.id)).all()
    allocated, changed = _allocations(tx, [row.id for row in found]), _reweightings(tx, [row.id for row in found])
    return [_record(row, _shares(allocated[row.id], changed.get(row.id, {}))) for row in found]


def add_allocation(tx: Connection, experiment_id: str, allocation: AllocationRecord) -> None:
    """Stores the next allocation of an experiment; those before stay as they are.

    Raises:
        Conflict: The experiment has one of this generation already.
    """
    row = {"experiment_id": experiment_id, "generation": allocation.generation}
    ranges = [list(piece) for piece in allocation.ranges]
    try:
        tx.execute(sqlalchemy.insert(allocations).values(**row, ranges=ranges))
    except IntegrityError as error:
        raise Conflict(
            f"experiment {experiment_id} is gone or has an allocation of generation {allocation.generation} already; "
            "read it again"
        ) from error


def _values(tx: Connection, record: ExperimentRecord) -> dict[str, Any]:
    spec = record.spec
    subject = subjects.get(tx, spec.organization, spec.subject)
    if subject is None:
        raise NotFound(f"subject {spec.subject} is not in organization {spec.organization}; create it first")
    return {
        "organization": spec.organization,
        "key": spec.key,
        "subject_id": subject.id,
        "spec": canonical_json(spec.earlier()).decode(),
        "declared": spec.to_json().decode() if spec.earlier() != spec.model_dump(mode="json") else None,
        "status": record.status.value,
        "revision": record.revision,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "archived_at": record.archived_at,
        "winner": record.winner,
        "shipped_version": record.shipped_version,
    }


def _store_variants(tx: Connection, record: ExperimentRecord) -> None:
    tx.execute(delete(variants).where(variants.c.experiment_id == record.id))
    rows = [
        {
            "experiment_id": record.id,
            "variant": index,
            "name": variant.name,
            "basis_points": variant.basis_points,
            "control": variant.control,
        }
        for index, variant in enumerate(record.spec.variants)
    ]
    tx.execute(sqlalchemy.insert(variants), rows)


def _query() -> Select[Any]:
    return select(experiments).join(subject_table, subject_table.c.id == experiments.c.subject_id)


def _records(tx: Connection, query: Select[Any]) -> list[ExperimentRecord]:
    return _complete(tx, tx.execute(query).all())


def _complete(tx: Connection, rows: Sequence[Row[Any]]) -> list[ExperimentRecord]:
    """Returns experiments with what is stored about them in other rows."""
    ids = [row.id for row in rows]
    allocated = _allocations(tx, ids)
    registered = {id: found for chunk in _chunks(ids) for id, found in registrations.of(tx, chunk).items()}
    changed = _reweightings(tx, ids)
    series = _series(tx, {row.first_run or row.id for row in rows})
    return [
        _record(
            row,
            _shares(allocated[row.id], changed.get(row.id, {})),
            registered.get(row.id),
            series.get(row.first_run or row.id, ()),
        )
        for row in rows
    ]


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while chunk := list(islice(remaining, _IDS_AT_ONCE)):
        yield chunk


def _series(tx: Connection, firsts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the keys of all runs of each series, in order, by the id of the first run."""
    found: dict[str, tuple[str, ...]] = {}
    for chunk in _chunks(firsts):
        id, key, first_run = experiments.c.id, experiments.c.key, experiments.c.first_run
        found.update((row.id, (row.key,)) for row in tx.execute(select(id, key).where(id.in_(chunk))))
        query = select(first_run, key).where(first_run.in_(chunk)).order_by(experiments.c.run)
        for row in tx.execute(query):
            found[row.first_run] = (*found.get(row.first_run, ()), row.key)
    return found


def _allocations(tx: Connection, ids: Iterable[str]) -> defaultdict[str, list[AllocationRecord]]:
    found: defaultdict[str, list[AllocationRecord]] = defaultdict(list)
    for chunk in _chunks(ids):
        query = select(allocations).where(allocations.c.experiment_id.in_(chunk)).order_by(allocations.c.generation)
        for row in tx.execute(query):
            ranges = tuple((end, variant) for end, variant in row.ranges)
            found[row.experiment_id].append(AllocationRecord(row.generation, ranges))
    return found


def _reweightings(tx: Connection, ids: Iterable[str]) -> dict[str, dict[int, AllocationRecord]]:
    return {id: found for chunk in _chunks(ids) for id, found in reweightings.of(tx, chunk).items()}


def _shares(allocated: Iterable[AllocationRecord], changed: dict[int, AllocationRecord]) -> _Shares:
    """Returns the allocations that are in effect, with what is known of their announcement, and the announced one."""
    announced = next((one for one in changed.values() if one.effective_at is None), None)
    return tuple(changed.get(one.generation, one) for one in allocated), announced


@lru_cache(_SPECS_KEPT)
def _spec(stored: str, declared: str | None) -> ExperimentSpec:
    """Reads a specification; one is shared by all who read the same text, and is never changed."""
    if declared is not None:
        spec = validate(ExperimentSpec, json_object(declared))
        # A sidecar of an older version changes the draft it knows, and leaves what it does not know behind.
        if canonical_json(spec.earlier()).decode() == stored:
            return spec
    return validate(ExperimentSpec, json_object(stored))


def _record(
    row: Row[Any],
    shares: _Shares,
    registration: RegistrationRecord | None = None,
    series: tuple[str, ...] = (),
) -> ExperimentRecord:
    try:
        spec = _spec(row.spec, row.declared)
        status = ExperimentStatus(row.status)
    except (InvalidArgument, ValueError) as error:
        raise DataLoss(f"the stored experiment {row.key} is damaged: {error}; restore a copy") from error
    return ExperimentRecord(
        id=row.id,
        spec=spec,
        status=status,
        revision=row.revision,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        archived_at=row.archived_at,
        winner=row.winner,
        shipped_version=row.shipped_version,
        allocations=shares[0],
        announced=shares[1],
        run=RunRecord(row.run, max(row.run, len(series)), row.first_run or "", series if len(series) > 1 else ()),
        registration=registration,
    )


def _exists(spec: ExperimentSpec) -> AlreadyExists:
    where = "" if spec.organization == DEFAULT_ORGANIZATION else f" in organization {spec.organization}"
    return AlreadyExists(f"experiment {spec.key} exists already{where}; choose another key, or update that one")


def _refuse(record: ExperimentRecord, error: IntegrityError) -> NoReturn:
    """Says which of the two unique constraints refused a row."""
    # SQLite names the columns, PostgreSQL the constraint.
    text = str(error.orig)
    if "subject_id" in text or "uq_experiments_running" in text:
        raise FailedPrecondition(
            f"another experiment is running on subject {record.spec.subject}; pause, complete or cancel it first"
        ) from error
    if "organization" in text:
        raise _exists(record.spec) from error
    raise error
