"""Subjects: created, versioned, promoted and rolled back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from sortition.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Violation
from sortition.lifecycle.actor import Actor
from sortition.lifecycle.change import Change, Changes, subject_object
from sortition.lifecycle.registration import record_deviation
from sortition.lifecycle.validation import SubjectDraft, VersionDraft, check_merged, refuse
from sortition.model import JsonObject, SubjectRef, validate
from sortition.store import experiments as experiment_rows
from sortition.store import subjects as rows
from sortition.store.database import Database
from sortition.store.records import ExperimentRecord, SubjectRecord, VersionRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

DraftT = TypeVar("DraftT", SubjectDraft, VersionDraft)

__all__ = [
    "Subjects",
    "create_subject",
    "make_current",
    "note_for_experiments",
    "refuse_while_active",
    "require_subject",
]


class Subjects:
    """Everything that is done to subjects. Each act is in the audit log, in the same transaction."""

    def __init__(self, db: Database, *, changed: Callable[[], None], now: Callable[[], datetime]) -> None:
        """Binds the acts to a database.

        Args:
            db: The database.
            changed: Called after each commit; the hot path learns of the change by it.
            now: The clock; aware, in UTC.
        """
        self._db = db
        self._changes = Changes(db, changed=changed, now=now)

    def create(
        self, organization: str, ref: SubjectRef, config: JsonObject, actor: Actor, *, description: str = ""
    ) -> SubjectRecord:
        """Creates a subject with its first version, which is current.

        Args:
            organization: Who owns it.
            ref: Its kind and id.
            config: Its first configuration, at most 256 KiB as JSON.
            actor: Who and why.
            description: For people.

        Raises:
            InvalidArgument: Lists every violation.
            AlreadyExists: There is such a subject.
        """
        raw = {"organization": organization, "ref": ref, "config": config, "description": description}
        draft = _checked(SubjectDraft, raw, actor)
        with self._changes.begin(actor) as change:
            if rows.get(change.tx, organization, ref) is not None:
                raise AlreadyExists(
                    f"subject {ref} exists already in {organization!r}; add a version to it", [("ref", "is taken")]
                )
            return create_subject(change, organization, ref, draft.config, description=draft.description)

    def get(self, organization: str, ref: SubjectRef) -> SubjectRecord:
        """Returns a subject with its current version.

        Raises:
            NotFound: There is no such subject.
        """
        with self._db.read() as tx:
            return require_subject(tx, organization, ref)

    def listing(
        self, *, organization: str | None = None, kind: str | None = None, limit: int, after: str | None = None
    ) -> tuple[list[SubjectRecord], str]:
        """Returns a page of subjects by kind and id, and the token of the next page ("" after the last).

        Args:
            organization: Only this one's; all when None.
            kind: Only this kind; all when None.
            limit: At most so many.
            after: The token of the page before.
        """
        with self._db.read() as tx:
            return rows.listing(tx, organization=organization, kind=kind, limit=limit, after=after)

    def add_version(
        self,
        organization: str,
        ref: SubjectRef,
        config: JsonObject,
        actor: Actor,
        *,
        note: str = "",
        promote: bool = False,
    ) -> VersionRecord:
        """Adds a version; with `promote` it becomes current at once.

        Raises:
            InvalidArgument: Lists every violation.
            NotFound: There is no such subject.
            FailedPrecondition: It is to be promoted while an experiment runs or is paused on the subject.
        """
        raw = {"organization": organization, "ref": ref, "config": config, "note": note}
        draft = _checked(VersionDraft, raw, actor)
        with self._changes.begin(actor) as change:
            subject = require_subject(change.tx, organization, ref)
            if promote:
                refuse_while_active(change.tx, organization, ref)
            version = rows.add_version(
                change.tx, subject, draft.config, origin="added", note=draft.note, created_at=change.at
            )
            change.log("subject.add_version", organization, subject_object(ref), {"version": version.number})
            if promote:
                make_current(change, subject, version.number)
            return version

    def versions(
        self, organization: str, ref: SubjectRef, *, limit: int, after: str | None = None
    ) -> tuple[list[VersionRecord], str]:
        """Returns a page of a subject's versions, newest first, and the token of the next page ("" after the last).

        Raises:
            NotFound: There is no such subject.
        """
        with self._db.read() as tx:
            return rows.versions(tx, require_subject(tx, organization, ref), limit, after)

    def promote(
        self, organization: str, ref: SubjectRef, number: int, actor: Actor, *, force: bool = False
    ) -> SubjectRecord:
        """Makes a version current.

        A running experiment lays its variants over the current configuration, so that a promotion changes what its
        variants are; it is refused while one runs or is paused.

        Args:
            organization: Who owns the subject.
            ref: Its kind and id.
            number: The version's number.
            actor: Who and why.
            force: Do it although an experiment runs or is paused; needs `actor.reason`.

        Raises:
            InvalidArgument: The actor's name or reason is too long, or the reason is missing with `force`.
            NotFound: There is no such subject or version.
            FailedPrecondition: An experiment runs or is paused on the subject, or the version is current already.
        """
        refuse(actor.violations(forcing=force))
        with self._changes.begin(actor) as change:
            subject = require_subject(change.tx, organization, ref)
            if rows.version(change.tx, subject, number) is None:
                raise NotFound(
                    f"subject {ref} has no version {number}", [("number", f"is {number}; list its versions")]
                )
            if subject.current is not None and subject.current.number == number:
                # Promoted twice, a rollback would lead from the version to itself.
                raise FailedPrecondition(f"version {number} of subject {ref} is current already")
            if not force:
                refuse_while_active(change.tx, organization, ref)
            after = make_current(change, subject, number, forced=force)
            note_for_experiments(change, "subject.promote", subject, after)
            return after

    def rollback(self, organization: str, ref: SubjectRef, actor: Actor) -> SubjectRecord:
        """Undoes the last promotion: what was current before is current again, byte for byte.

        It is not refused because an experiment runs: it is the way out of harm.

        Raises:
            InvalidArgument: The actor's name or reason is too long.
            NotFound: There is no such subject.
            FailedPrecondition: There is nothing to undo, or a variant of a running or paused experiment would be too
                large over it.
        """
        refuse(actor.violations())
        with self._changes.begin(actor) as change:
            before = require_subject(change.tx, organization, ref)
            after = rows.rollback(change.tx, before, change.at)
            _log_step(change, "rollback", before, after)
            note_for_experiments(change, "subject.rollback", before, after)
            return after


def require_subject(tx: Connection, organization: str, ref: SubjectRef) -> SubjectRecord:
    """Returns a subject.

    Raises:
        NotFound: There is no such subject.
    """
    subject = rows.get(tx, organization, ref)
    if subject is None:
        raise NotFound(f"there is no subject {ref} in {organization!r}; create it first")
    return subject


def create_subject(
    change: Change, organization: str, ref: SubjectRef, config: JsonObject, *, description: str = ""
) -> SubjectRecord:
    """Stores a subject with its first version and makes that current."""
    subject = rows.insert(change.tx, organization, ref, description, change.at)
    version = rows.add_version(change.tx, subject, config, origin="created", created_at=change.at)
    subject = rows.promote(change.tx, subject, version.number, change.at)
    change.log(
        "subject.create",
        organization,
        subject_object(ref),
        {"version": version.number, "config_hash": version.config_hash},
    )
    return subject


def refuse_while_active(tx: Connection, organization: str, ref: SubjectRef, *, besides: str = "") -> None:
    """Checks that no experiment but the one with the id `besides` runs or is paused on a subject.

    Raises:
        FailedPrecondition: One does; names it.
    """
    for record in experiment_rows.active(tx, organization, ref):
        if record.id != besides:
            raise FailedPrecondition(
                f"experiment {record.spec.key!r} {_verb(record)} on subject {ref}, and its variants rest on the current"
                " configuration; complete or cancel it first, or force it with a reason"
            )


def note_for_experiments(
    change: Change, kind: str, before: SubjectRecord, after: SubjectRecord, *, besides: str = ""
) -> None:
    """Records that the subject was changed under experiments that run or are paused, but that with the id `besides`.

    Their variants rest on another configuration from here on than the one that was registered.
    """
    numbers = [subject.current.number if subject.current is not None else 0 for subject in (before, after)]
    for record in experiment_rows.active(change.tx, after.organization, after.ref):
        if record.id != besides:
            record_deviation(change, record, kind, {"from": numbers[0], "to": numbers[1]})


def _verb(record: ExperimentRecord) -> str:
    return "is paused" if record.status == "paused" else "runs"


def make_current(change: Change, before: SubjectRecord, number: int, *, forced: bool = False) -> SubjectRecord:
    """Makes a version current."""
    after = rows.promote(change.tx, before, number, change.at)
    _log_step(change, "promote", before, after, {"forced": True} if forced else {})
    return after


def _log_step(
    change: Change, action: str, before: SubjectRecord, after: SubjectRecord, more: JsonObject | None = None
) -> None:
    """Writes a move of the current version into the audit log, with the experiments that rest on it."""
    current = after.current.config if after.current is not None else {}
    active = experiment_rows.active(change.tx, after.organization, after.ref)
    for record in active:
        check_merged(record.spec, current)
    details: JsonObject = {
        "from": before.current.number if before.current is not None else 0,
        "to": after.current.number if after.current is not None else 0,
        "config_hash": after.current.config_hash if after.current is not None else "",
        **({"active_experiments": [record.spec.key for record in active]} if active else {}),
        **(more or {}),
    }
    change.log(f"subject.{action}", after.organization, subject_object(after.ref), details)


def _checked(kind: type[DraftT], raw: dict[str, object], actor: Actor) -> DraftT:
    """Returns the draft made from `raw`; refuses everything that is wrong with it or with `actor` at once."""
    found: list[Violation] = []
    draft = None
    try:
        draft = validate(kind, raw)
    except InvalidArgument as error:
        found.extend(error.violations)
    refuse([*found, *actor.violations()])
    assert draft is not None
    return draft
