"""Experiments: created, started, paused, completed, cancelled and archived."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sortition.analyzer.result import AnalysisResult
from sortition.errors import AlreadyExists, Conflict, FailedPrecondition, Violation
from sortition.lifecycle.actor import Actor
from sortition.lifecycle.allocation import first_allocation
from sortition.lifecycle.change import Change, Changes, experiment_object
from sortition.lifecycle.decision import COMPLETED
from sortition.lifecycle.looks import look
from sortition.lifecycle.queries import Queries, require_experiment
from sortition.lifecycle.registration import refuse_change, register
from sortition.lifecycle.runs import next_run
from sortition.lifecycle.shipping import choose, ship_variant
from sortition.lifecycle.subjects import create_subject
from sortition.lifecycle.transitions import check_archivable, check_transition
from sortition.lifecycle.validation import check_merged, refuse, spec_violations
from sortition.lifecycle.weights.reweighting import Reweighted, reweight
from sortition.model import ExperimentSpec, ExperimentStatus, JsonObject
from sortition.store import decisions
from sortition.store import experiments as rows
from sortition.store import subjects as subject_rows
from sortition.store.database import Database
from sortition.store.records import ExperimentRecord, SubjectRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Completion", "Experiments", "step"]


@dataclass(frozen=True)
class Completion:
    """How an experiment ended.

    Attributes:
        experiment: The experiment, now completed.
        analysis: The analysis it was decided on.
        subject: The subject after shipping; None when nothing was shipped.
        decision_id: The stored decision's id.
    """

    experiment: ExperimentRecord
    analysis: AnalysisResult
    subject: SubjectRecord | None
    decision_id: str


def _new_id() -> str:
    # Long enough to be the only one, and short enough for "id:unit" of most units to be one block of SHA-256.
    return secrets.token_hex(8)


class Experiments(Queries):
    """Everything that is done to experiments. Each act is in the audit log, in the same transaction."""

    def __init__(
        self,
        db: Database,
        *,
        flush: Callable[[], None],
        changed: Callable[[], None],
        now: Callable[[], datetime],
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        """Binds the acts to a database.

        Args:
            db: The database.
            flush: Brings everything recorded so far into the database, or raises; called before anything is analyzed.
            changed: Called after each commit; the hot path learns of the change by it.
            now: The clock; aware, in UTC.
            new_id: Makes the immutable ids that assignment hashes; a random UUID in hexadecimal by default.
        """
        super().__init__(db, flush=flush, changes=Changes(db, changed=changed, now=now), now=now)
        self._new_id = new_id

    def create(self, spec: ExperimentSpec, actor: Actor, validate_only: bool = False) -> ExperimentRecord:
        """Stores a draft, and its subject with an empty configuration when there is none.

        Args:
            spec: What to store.
            actor: Who and why.
            validate_only: Answer as if it were stored, and store nothing.

        Raises:
            InvalidArgument: Lists every violation.
            AlreadyExists: The key is taken.
        """
        if validate_only:
            with self._db.read() as tx:
                self._check_new(tx, spec, actor)
            return self._draft(spec, self._now())
        with self._changes.begin(actor) as change:
            self._check_new(change.tx, spec, actor)
            _require_or_create(change, spec)
            record = self._draft(spec, change.at)
            rows.insert(change.tx, record)
            _log(change, "create", record, {"id": record.id, "spec_hash": spec.hash})
            return record

    def update(self, spec: ExperimentSpec, revision: int, actor: Actor) -> ExperimentRecord:
        """Replaces the specification of a draft; its key and organization name the draft.

        Args:
            spec: The new specification.
            revision: The revision the change is based on; 0 overwrites whatever is there.
            actor: Who and why.

        Raises:
            InvalidArgument: Lists every violation.
            NotFound: There is no such experiment.
            Conflict: It was changed since that revision.
            FailedPrecondition: It is no draft any more; names every registered field that would change.
        """
        with self._changes.begin(actor) as change:
            record = require_experiment(change.tx, spec.organization, spec.key)
            if revision not in (0, record.revision):
                raise Conflict(
                    f"experiment {spec.key!r} has revision {record.revision}, and the change is based on {revision};"
                    " read it again"
                )
            if record.status is not ExperimentStatus.DRAFT:
                refuse_change(record, spec)
            refuse([*_violations(change.tx, spec), *actor.violations()])
            _require_or_create(change, spec)
            before = record.spec.hash
            record = rows.save(change.tx, replace(record, spec=spec))
            _log(change, "update", record, {"spec_hash": spec.hash, "spec_hash_before": before})
            return record

    def rerun(self, organization: str, key: str, actor: Actor, spec: ExperimentSpec | None = None) -> ExperimentRecord:
        """Opens a new run of a started experiment: a draft with assignments and data of its own.

        Args:
            organization: Who owns it.
            key: The key of any run so far.
            actor: Who and why.
            spec: What the new run declares; what the named one declares when None. The key of a run there is already
                stands for the next free one.

        Raises:
            InvalidArgument: Lists every violation; organization and subject are those of the other runs.
            NotFound: There is no such experiment.
            FailedPrecondition: It, or the newest run, is still a draft.
            AlreadyExists: The key is taken by an experiment that is no run of this one.
        """
        with self._changes.begin(actor) as change:
            record = require_experiment(change.tx, organization, key)
            new, run = next_run(change.tx, record, spec or record.spec)
            self._check_new(change.tx, new, actor)
            _require_or_create(change, new)
            draft = replace(self._draft(new, change.at), run=run)
            rows.insert(change.tx, draft)
            details: JsonObject = {"id": draft.id, "spec_hash": new.hash, "run": run.number, "after": run.keys[-2]}
            _log(change, "rerun", draft, details)
            return draft

    def start(self, organization: str, key: str, actor: Actor) -> ExperimentRecord:
        """Starts a draft, or resumes a paused experiment.

        What a draft declares is registered by its start, in the same transaction.

        Raises:
            InvalidArgument: The actor's name or reason is too long.
            NotFound: There is no such experiment.
            IllegalTransition: It is neither a draft nor paused.
            FailedPrecondition: Another experiment runs on the same subject.
        """
        return self._run(organization, key, actor, "start", None)

    def pause(self, organization: str, key: str, actor: Actor) -> ExperimentRecord:
        """Gives every unit the control and exposes none, until it is resumed.

        Raises:
            InvalidArgument: The actor's name or reason is too long.
            NotFound: There is no such experiment.
            IllegalTransition: It does not run.
        """
        refuse(actor.violations())
        with self._changes.begin(actor) as change:
            record = require_experiment(change.tx, organization, key)
            check_transition(record, ExperimentStatus.PAUSED)
            return step(change, "pause", record, replace(record, status=ExperimentStatus.PAUSED))

    def resume(self, organization: str, key: str, actor: Actor) -> ExperimentRecord:
        """Continues a paused experiment.

        Raises:
            InvalidArgument: The actor's name or reason is too long.
            NotFound: There is no such experiment.
            IllegalTransition: It is not paused.
            FailedPrecondition: Another experiment runs on the same subject meanwhile.
        """
        return self._run(organization, key, actor, "resume", ExperimentStatus.PAUSED)

    def complete(
        self, organization: str, key: str, actor: Actor, *, ship: bool = False, variant: str = "", force: bool = False
    ) -> Completion:
        """Ends an experiment, stores the decision and, if asked, ships a variant.

        A forced variant is shipped and did not win: `winner` is what the analysis says, always.

        Args:
            organization: Who owns it.
            key: Its key.
            actor: Who and why.
            ship: Merge the shipped variant's configuration into the subject's current one, as a new current version.
            variant: The variant to ship; the winner when empty.
            force: Ship although the analysis forbids it, or another experiment rests on the subject; needs a reason.

        Raises:
            InvalidArgument: Lists every violation.
            NotFound: There is no such experiment.
            IllegalTransition: It neither runs nor is paused.
            ShipRefused: The analysis forbids shipping this variant; the experiment stays as it is.
            FailedPrecondition: Another experiment runs or is paused on the subject.
            Unavailable: What was recorded could not be flushed; nothing has changed.
        """
        refuse([*_shipping_violations(ship, variant, force), *actor.violations(forcing=force)])
        # A refusal should not wait for a flush; what is checked here is checked again in the transaction.
        with self._db.read() as tx:
            check_transition(require_experiment(tx, organization, key), ExperimentStatus.COMPLETED)
        self._flush()
        with self._changes.begin(actor) as change:
            record = require_experiment(change.tx, organization, key)
            check_transition(record, ExperimentStatus.COMPLETED)
            taken = look(change.tx, record, change.at)
            analysis = taken.result
            decision = taken.decision(record, COMPLETED)
            decisions.insert(change.tx, decision)
            details: JsonObject = {"decision_id": decision.id, "winner": analysis.winner}
            ended = replace(record, status=ExperimentStatus.COMPLETED, ended_at=change.at, winner=analysis.winner)
            subject = None
            if ship:
                shipped = choose(record, analysis, variant, force=force)
                subject, version = ship_variant(change, record, shipped, force=force)
                ended = replace(ended, shipped_version=version.number)
                details.update(shipped=shipped.name, version=version.number, forced=force)
            ended = step(change, "complete", record, ended, details)
        return Completion(ended, analysis, subject, decision.id)

    def reweight(
        self,
        organization: str,
        key: str,
        weights: Mapping[str, object],
        actor: Actor,
        *,
        validate_only: bool = False,
    ) -> Reweighted:
        """Changes the weights of a running or paused experiment; see `sortition.lifecycle.weights.reweight`."""
        return reweight(self._db, self._changes, organization, key, weights, actor, validate_only=validate_only)

    def cancel(self, organization: str, key: str, actor: Actor) -> ExperimentRecord:
        """Ends an experiment without a result.

        Raises:
            InvalidArgument: The actor's name or reason is too long.
            NotFound: There is no such experiment.
            IllegalTransition: It is over already.
        """
        refuse(actor.violations())
        with self._changes.begin(actor) as change:
            record = require_experiment(change.tx, organization, key)
            check_transition(record, ExperimentStatus.CANCELLED)
            ended = replace(record, status=ExperimentStatus.CANCELLED, ended_at=change.at)
            return step(change, "cancel", record, ended)

    def archive(self, organization: str, key: str, actor: Actor) -> ExperimentRecord:
        """Hides an experiment that is over from lists and from the hot path. Its key stays taken.

        Raises:
            InvalidArgument: The actor's name or reason is too long.
            NotFound: There is no such experiment.
            IllegalTransition: It is not over, or is archived already.
        """
        refuse(actor.violations())
        with self._changes.begin(actor) as change:
            record = require_experiment(change.tx, organization, key)
            check_archivable(record)
            return step(change, "archive", record, replace(record, archived_at=change.at))

    def _draft(self, spec: ExperimentSpec, at: datetime) -> ExperimentRecord:
        return ExperimentRecord(id=self._new_id(), spec=spec, status=ExperimentStatus.DRAFT, revision=1, created_at=at)

    def _check_new(self, tx: Connection, spec: ExperimentSpec, actor: Actor) -> None:
        taken = rows.get(tx, spec.organization, spec.key) is not None
        found = [*_violations(tx, spec), *actor.violations()]
        if found and taken:
            found.extend(_taken(spec).violations)
        refuse(found)
        if taken:
            raise _taken(spec)

    def _run(
        self, organization: str, key: str, actor: Actor, action: str, only_from: ExperimentStatus | None
    ) -> ExperimentRecord:
        refuse(actor.violations())
        with self._changes.begin(actor) as change:
            record = require_experiment(change.tx, organization, key)
            check_transition(record, ExperimentStatus.RUNNING, only_from=only_from)
            _refuse_second(change.tx, record)
            # The subject may have changed since the draft was checked.
            check_merged(record.spec, _current(change.tx, record.spec))
            running = replace(record, status=ExperimentStatus.RUNNING, started_at=record.started_at or change.at)
            if not record.allocations:
                allocation = first_allocation(record.spec)
                rows.add_allocation(change.tx, record.id, allocation)
                running = replace(running, allocations=(allocation,))
            details: JsonObject = {}
            # What ran before is not registered afterwards, as if it had been.
            if record.started_at is None:
                registration = register(change, record)
                running = replace(running, registration=registration)
                details["registration"] = registration.hash
            return step(change, action, record, running, details)


def _taken(spec: ExperimentSpec) -> AlreadyExists:
    text = f"{spec.key!r} is taken in {spec.organization!r}; choose another"
    return AlreadyExists(f"experiment key {text}", [("key", text)])


def _violations(tx: Connection, spec: ExperimentSpec) -> list[Violation]:
    return spec_violations(spec, _current(tx, spec))


def _current(tx: Connection, spec: ExperimentSpec) -> JsonObject:
    subject = subject_rows.get(tx, spec.organization, spec.subject)
    return subject.current.config if subject is not None and subject.current is not None else {}


def _require_or_create(change: Change, spec: ExperimentSpec) -> None:
    if subject_rows.get(change.tx, spec.organization, spec.subject) is None:
        create_subject(change, spec.organization, spec.subject, {})


def _refuse_second(tx: Connection, record: ExperimentRecord) -> None:
    for other in rows.active(tx, record.spec.organization, record.spec.subject):
        if other.status is ExperimentStatus.RUNNING and other.id != record.id:
            raise FailedPrecondition(
                f"experiment {other.spec.key!r} runs on subject {record.spec.subject} already; pause, complete or"
                f" cancel it before {record.spec.key!r} can run"
            )


def step(
    change: Change, action: str, before: ExperimentRecord, after: ExperimentRecord, details: JsonObject | None = None
) -> ExperimentRecord:
    """Stores an experiment's next state with its audit row."""
    saved = rows.save(change.tx, after)
    _log(change, action, saved, {"from": str(before.status), "to": str(after.status), **(details or {})})
    return saved


def _log(change: Change, action: str, record: ExperimentRecord, details: JsonObject) -> None:
    change.log(f"experiment.{action}", record.spec.organization, experiment_object(record.spec.key), details)


def _shipping_violations(ship: bool, variant: str, force: bool) -> list[Violation]:
    if ship:
        return []
    return [
        Violation(field, "is only for shipping; set ship, or leave it out")
        for field, given in (("variant", bool(variant)), ("force", force))
        if given
    ]
