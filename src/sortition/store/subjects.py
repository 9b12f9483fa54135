"""Subjects, their versions, and which version is current."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Row, Select, and_, func, select, update
from sqlalchemy.exc import IntegrityError

from sortition.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from sortition.model import DEFAULT_ORGANIZATION, JsonObject, SubjectRef, canonical_json, config_hash
from sortition.store.paging import fetch_page
from sortition.store.records import SubjectRecord, VersionRecord
from sortition.store.schema import promotions, subject_versions, subjects
from sortition.store.types import json_object

__all__ = ["add_version", "all_current", "get", "insert", "listing", "promote", "rollback", "version", "versions"]


def insert(tx: Connection, organization: str, ref: SubjectRef, description: str, created_at: datetime) -> SubjectRecord:
    """Stores a subject that has no version yet.

    Raises:
        AlreadyExists: The organization has one of this kind and id.
    """
    if get(tx, organization, ref) is not None:
        raise _exists(organization, ref)
    row = {"organization": organization, "kind": ref.kind, "name": ref.id, "description": description}
    try:
        key = tx.execute(sqlalchemy.insert(subjects).values(**row, created_at=created_at)).inserted_primary_key
    except IntegrityError as error:
        # Another sidecar made it between the two statements.
        raise _exists(organization, ref) from error
    assert key is not None
    return SubjectRecord(key[0], organization, ref, description, created_at, current=None)


def get(tx: Connection, organization: str, ref: SubjectRef) -> SubjectRecord | None:
    """Returns a subject with its current version."""
    row = tx.execute(_query().where(*_named(organization, ref))).first()
    return None if row is None else _subject(row)


def all_current(tx: Connection) -> list[SubjectRecord]:
    """Returns every subject with its current version, in the order of their ids."""
    return [_subject(row) for row in tx.execute(_query().order_by(subjects.c.id))]


def listing(
    tx: Connection, *, organization: str | None = None, kind: str | None = None, limit: int, after: str | None
) -> tuple[list[SubjectRecord], str]:
    """Returns a page of subjects in the order of their kind and id, and the token of the next page; empty on the last.

    Args:
        tx: The transaction to read in.
        organization: Only this one's; all when None or empty.
        kind: Only this kind; all when None or empty.
        limit: At most so many.
        after: The token of the page; None or empty for the first.

    Raises:
        InvalidArgument: The token was not handed out by this list.
    """
    query = _query()
    if organization:
        query = query.where(subjects.c.organization == organization)
    if kind:
        query = query.where(subjects.c.kind == kind)
    order = [subjects.c.kind, subjects.c.name, subjects.c.organization]
    rows, token = fetch_page(tx, query, order, limit=limit, after=after, newest_first=False)
    return [_subject(row) for row in rows], token


def add_version(
    tx: Connection,
    subject: SubjectRecord,
    config: JsonObject,
    *,
    origin: str,
    experiment: str = "",
    note: str = "",
    created_at: datetime,
) -> VersionRecord:
    """Stores an immutable version with the next number; it is not current before `promote`.

    Args:
        tx: The transaction to write in.
        subject: Whose version it is.
        config: Its configuration.
        origin: What made it: "created", "added" or "shipped".
        experiment: The key of the experiment that made it.
        note: For people.
        created_at: When.

    Raises:
        InvalidArgument: The configuration is not JSON.
        NotFound: The subject is gone.
    """
    try:
        plain = canonical_json(config).decode()
        digest = config_hash(config)
    except ValueError as error:
        raise InvalidArgument.of([("config", str(error))]) from error
    _lock(tx, subject)
    last = select(func.max(subject_versions.c.number)).where(subject_versions.c.subject_id == subject.id)
    number = (tx.execute(last).scalar() or 0) + 1
    row = {"subject_id": subject.id, "number": number, "config": plain, "config_hash": digest}
    row |= {"created_at": created_at, "origin": origin, "experiment": experiment, "note": note}
    tx.execute(sqlalchemy.insert(subject_versions).values(row))
    return VersionRecord(number, json_object(plain), digest, created_at, origin, experiment, note)


def versions(tx: Connection, subject: SubjectRecord, limit: int, after: str | None) -> tuple[list[VersionRecord], str]:
    """Returns a page of a subject's versions, newest first, and the token of the next page; empty on the last.

    Raises:
        InvalidArgument: The token was not handed out by this list.
    """
    query = select(subject_versions).where(subject_versions.c.subject_id == subject.id)
    rows, token = fetch_page(tx, query, [subject_versions.c.number], limit=limit, after=after, newest_first=True)
    return [_version(row) for row in rows], token


def version(tx: Connection, subject: SubjectRecord, number: int) -> VersionRecord | None:
    """Returns one version of a subject."""
    columns = subject_versions.c
    row = tx.execute(select(subject_versions).where(columns.subject_id == subject.id, columns.number == number)).first()
    return None if row is None else _version(row)


def promote(tx: Connection, subject: SubjectRecord, number: int, at: datetime) -> SubjectRecord:
    """Makes a version current. One that is current already stays so, and there is nothing to roll back.

    Raises:
        NotFound: The subject has no such version.
    """
    before = _lock(tx, subject)
    if version(tx, subject, number) is None:
        raise NotFound(f"subject {subject.ref} has no version {number}; list its versions to see which there are")
    if number != before:
        _point(tx, subject, before, number, at)
    return _again(tx, subject)


def rollback(tx: Connection, subject: SubjectRecord, at: datetime) -> SubjectRecord:
    """Takes back the last promotion that was not taken back yet; the version before it is current again.

    Repeated, it goes back step by step over the way that was taken, to the version that was current first.

    Raises:
        FailedPrecondition: There is no promotion to take back.
    """
    before = _lock(tx, subject)
    columns = promotions.c
    last = tx.execute(
        select(columns.seq, columns.from_number)
        .where(columns.subject_id == subject.id, columns.undoes.is_(None), columns.undone_by.is_(None))
        # The first promotion came from nothing; a subject that had a configuration keeps one.
        .where(columns.from_number.is_not(None))
        .order_by(columns.seq.desc())
        .limit(1)
    ).first()
    if last is None:
        raise FailedPrecondition(
            f"subject {subject.ref} has no promotion to roll back: version {before} is the first that was current"
            if before is not None
            else f"subject {subject.ref} has no promotion to roll back: it never had a current version"
        )
    seq = _point(tx, subject, before, last.from_number, at, undoes=last.seq)
    tx.execute(
        update(promotions).where(columns.subject_id == subject.id, columns.seq == last.seq).values(undone_by=seq)
    )
    return _again(tx, subject)


def _lock(tx: Connection, subject: SubjectRecord) -> int | None:
    """Holds off others that change the subject, until the transaction ends; returns the number of its current version.

    What the caller read before may be stale; what is read behind this is not.
    """
    query = select(subjects.c.current).where(subjects.c.id == subject.id).with_for_update()
    row = tx.execute(query).first()
    if row is None:
        raise NotFound(f"subject {subject.ref} is not in organization {subject.organization}")
    current: int | None = row.current
    return current


def _point(
    tx: Connection, subject: SubjectRecord, before: int | None, number: int, at: datetime, undoes: int | None = None
) -> int:
    last = select(func.max(promotions.c.seq)).where(promotions.c.subject_id == subject.id)
    seq = int(tx.execute(last).scalar() or 0) + 1
    row = {"subject_id": subject.id, "seq": seq, "from_number": before, "to_number": number, "at": at, "undoes": undoes}
    tx.execute(sqlalchemy.insert(promotions).values(row))
    tx.execute(update(subjects).where(subjects.c.id == subject.id).values(current=number))
    return seq


def _again(tx: Connection, subject: SubjectRecord) -> SubjectRecord:
    row = tx.execute(_query().where(subjects.c.id == subject.id)).one()
    return _subject(row)


def _named(organization: str, ref: SubjectRef) -> tuple[sqlalchemy.ColumnElement[bool], ...]:
    columns = subjects.c
    return columns.organization == organization, columns.kind == ref.kind, columns.name == ref.id


def _query() -> Select[Any]:
    """Selects subjects, each with its current version beside it."""
    versions = subject_versions.c
    return select(
        subjects,
        *(column.label(f"version_{column.name}") for column in versions if column.name != "subject_id"),
    ).outerjoin(subject_versions, and_(versions.subject_id == subjects.c.id, versions.number == subjects.c.current))


def _subject(row: Row[Any]) -> SubjectRecord:
    current = None
    if row.version_number is not None:
        current = VersionRecord(
            row.version_number,
            json_object(row.version_config),
            row.version_config_hash,
            row.version_created_at,
            row.version_origin,
            row.version_experiment,
            row.version_note,
        )
    ref = SubjectRef(kind=row.kind, id=row.name)
    return SubjectRecord(row.id, row.organization, ref, row.description, row.created_at, current)


def _version(row: Row[Any]) -> VersionRecord:
    return VersionRecord(
        row.number, json_object(row.config), row.config_hash, row.created_at, row.origin, row.experiment, row.note
    )


def _exists(organization: str, ref: SubjectRef) -> AlreadyExists:
    where = "" if organization == DEFAULT_ORGANIZATION else f" in organization {organization}"
    return AlreadyExists(f"subject {ref} exists already{where}; add a version to it, or choose another id")
