"""Automatic mode's acts: each is one transaction, with its decision, its reasons and everything that they rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sortition.analyzer.harm import harms
from sortition.analyzer.result import AnalysisResult
from sortition.errors import Conflict, FailedPrecondition, SortitionError, Unavailable
from sortition.lifecycle.actor import REASON_BYTES, Actor
from sortition.lifecycle.allocation import next_allocation
from sortition.lifecycle.automatic.hold import Hold
from sortition.lifecycle.automatic.judge import Act, Judgement, judge
from sortition.lifecycle.change import Change, Changes
from sortition.lifecycle.decision import COMPLETED, RAMPED
from sortition.lifecycle.experiments import step
from sortition.lifecycle.looks import Taken, is_kept, keep, look
from sortition.lifecycle.queries import require_experiment
from sortition.lifecycle.shipping import choose, ship_variant
from sortition.lifecycle.subjects import require_subject
from sortition.lifecycle.weights.reweighting import Reweighted, announce, named
from sortition.model import DecisionPolicy, ExperimentSpec, ExperimentStatus, JsonObject, merge, step_weights
from sortition.store import decisions, leases
from sortition.store import experiments as rows
from sortition.store.database import Database
from sortition.store.leases import Lease
from sortition.store.records import ExperimentRecord, VersionRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["LEASE", "NAME", "Automatic", "Step"]

LEASE: Final = "automatic"
"""The lease of the one sidecar that acts by itself."""
NAME: Final = "sortition"
"""Who acts, where nobody asked."""

_OPEN: Final = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)
_PAGE: Final = 500


@dataclass(frozen=True)
class Step:
    """What was done about one experiment, or would be.

    Attributes:
        record: The experiment as it was looked at.
        judgement: What its data ask for.
        allowed: Whether its policy lets automatic mode do that by itself.
        decision_id: The stored decision's id; empty where nothing was done.
        refused: Why nothing was done although it was allowed; empty otherwise.
    """

    record: ExperimentRecord
    judgement: Judgement
    allowed: bool
    decision_id: str = ""
    refused: str = ""


class Automatic:
    """Looks at experiments, and does what their policies let it do."""

    def __init__(
        self,
        db: Database,
        *,
        flush: Callable[[], None],
        changed: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        """Binds automatic mode to a database.

        Args:
            db: The database.
            flush: Brings everything recorded so far into the database, or raises.
            changed: Called after each commit; the hot path learns of the change by it.
            now: The clock; aware, in UTC.
        """
        self._db = db
        self._flush = flush
        self._now = now
        self._changes = Changes(db, changed=changed, now=now)

    def run(
        self, *, organization: str = "", key: str = "", dry_run: bool = False, actor: Actor | None = None
    ) -> list[Step]:
        """Looks at running and paused experiments, newest first, and acts.

        A planned look is used up by it, a dry run's too, and what it reaches is kept, as by `Experiments.analyze`.

        Args:
            organization: Only this one's; all when empty.
            key: Only this experiment, of the organization or of "default".
            dry_run: Say what would be done, and do nothing.
            actor: Who asked; nobody when None.

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed, or the database is away.
        """
        self._flush()
        with self._db.read() as tx:
            found = (
                [require_experiment(tx, organization or "default", key)] if key else open_experiments(tx, organization)
            )
        return [self.step(record, dry_run=dry_run, actor=actor) for record in found if record.status in _OPEN]

    def step(
        self, record: ExperimentRecord, *, dry_run: bool = False, actor: Actor | None = None, lease: Lease | None = None
    ) -> Step:
        """Looks at one experiment and acts; an act that the state forbids is said to be refused.

        Args:
            record: The experiment, running or paused.
            dry_run: Say what would be done, and do nothing.
            actor: Who asked; nobody when None.
            lease: The lease that it is done under; an act is refused once that was taken.

        Raises:
            Conflict: The lease was taken.
            Unavailable: The database is away.
        """
        now = self._now()
        with self._db.read() as tx:
            taken, judged = _judged(tx, record, now)
        # Whoever looks at what holds at every look uses up nothing.
        free = dry_run and record.spec.decision.policy is DecisionPolicy.SEQUENTIAL
        if is_kept(record, taken.result) and not free:
            # With what was kept now.
            keep(self._changes, record)
            with self._db.read() as tx:
                taken, judged = _judged(tx, record, now)
        allowed = judged.allowed_by(record.spec.decision)
        if dry_run or not allowed:
            return Step(record, judged, allowed)
        try:
            return self._act(record, judged, actor, lease)
        except (Conflict, Unavailable):
            raise
        except SortitionError as error:
            return Step(record, judged, allowed, refused=error.message)

    def hold(self, held: Hold) -> None:
        """Pauses for everybody what one sidecar has paused, and stores why; nothing when that was done before.

        Where the experiment does not run any more, or is another one by now, only what is known of it is stored.

        Raises:
            Unavailable: The database is away.
        """
        reasons = (held.decision.act or {}).get("reasons")
        why = _reason(str(line) for line in reasons) if isinstance(reasons, list) else ""
        with self._db.read() as tx:
            if decisions.get(tx, held.decision.id) is not None:
                return
        with self._changes.begin(Actor(NAME, why)) as change:
            record = rows.get(change.tx, held.organization, held.key)
            if record is None or record.id != held.experiment_id or decisions.get(change.tx, held.decision.id):
                return
            decisions.insert(change.tx, held.decision)
            paused = record.status is ExperimentStatus.RUNNING
            after = replace(record, status=ExperimentStatus.PAUSED) if paused else record
            step(change, "auto_hold", record, after, {"decision_id": held.decision.id, **(held.decision.act or {})})

    def _act(self, record: ExperimentRecord, expected: Judgement, actor: Actor | None, lease: Lease | None) -> Step:
        why = _reason(expected.reasons)
        with self._changes.begin(replace(actor, reason=actor.reason or why) if actor else Actor(NAME, why)) as change:
            if lease is not None:
                leases.check(change.tx, LEASE, lease)
            spec = record.spec
            fresh = rows.get(change.tx, spec.organization, spec.key)
            # Whatever was seen before the lock may be over by now: what counts is decided behind it.
            if fresh is None or fresh.id != record.id or fresh.status not in _OPEN:
                raise FailedPrecondition(f"experiment {spec.key!r} was ended by somebody else meanwhile")
            taken, judged = _judged(change.tx, fresh, change.at)
            if not judged.allowed_by(fresh.spec.decision):
                raise FailedPrecondition(f"experiment {spec.key!r} has new outcomes that say otherwise")
            done = _advance if judged.act is Act.ADVANCE else _end
            return Step(fresh, judged, True, done(change, fresh, taken, judged))


def open_experiments(tx: Connection, organization: str = "") -> list[ExperimentRecord]:
    """Returns all running and paused experiments, newest first."""
    found: list[ExperimentRecord] = []
    after: str | None = None
    while True:
        page, token = rows.listing(tx, organization=organization or None, statuses=_OPEN, limit=_PAGE, after=after)
        found += page
        if not token:
            return found
        after = token


def _judged(tx: Connection, record: ExperimentRecord, now: datetime) -> tuple[Taken, Judgement]:
    taken = look(tx, record, now)
    assert taken.data is not None
    return taken, judge(record, taken.result, harms(record, taken.data, now), now)


def _end(change: Change, record: ExperimentRecord, taken: Taken, judged: Judgement) -> str:
    """Ends an experiment as it was judged; returns the decision's id."""
    stored: JsonObject = {"act": str(judged.act), "variant": judged.variant, "reasons": list(judged.reasons)}
    decision = replace(taken.decision(record, COMPLETED), act=stored)
    decisions.insert(change.tx, decision)
    ended = replace(record, status=ExperimentStatus.COMPLETED, ended_at=change.at, winner=taken.result.winner)
    version = _for_everybody(change, record, taken.result, judged)
    details: JsonObject = {"decision_id": decision.id, "winner": ended.winner, **stored}
    if version is not None:
        ended = replace(ended, shipped_version=version.number)
        details.update(version=version.number)
    step(change, f"auto_{judged.act}", record, ended, details)
    return decision.id


def _advance(change: Change, record: ExperimentRecord, taken: Taken, judged: Judgement) -> str:
    """Announces the weights of the next step of an experiment's ramp; returns the decision's id."""
    before = record.allocations[-1]
    step = (before.ramp_step or 0) + 1
    wanted = step_weights(record.spec.ramp[step], record.spec.variants)
    allocation = next_allocation(before, wanted, ramp_step=step)
    plan = named(Reweighted(record, before, allocation, changed=True))
    decision = replace(
        taken.decision(record, RAMPED),
        act={"act": str(judged.act), "variant": "", "reasons": list(judged.reasons), **plan},
    )
    decisions.insert(change.tx, decision)
    details: JsonObject = {"decision_id": decision.id, "step": step + 1, "reasons": list(judged.reasons), **plan}
    announce(change, f"auto_{judged.act}", record, allocation, details)
    return decision.id


def _for_everybody(
    change: Change, record: ExperimentRecord, result: AnalysisResult, judged: Judgement
) -> VersionRecord | None:
    """Makes a variant what everybody gets once the experiment is over; None where everybody gets it anyway."""
    if judged.act is Act.PROMOTE:
        return ship_variant(change, record, choose(record, result, judged.variant, force=False), force=False)[1]
    if not _differs(change, record.spec):
        return None
    # The way out of harm is not refused because another experiment waits on the subject: units have this config now.
    return ship_variant(change, record, record.spec.control, force=True)[1]


def _differs(change: Change, spec: ExperimentSpec) -> bool:
    """Returns whether the control is anything else than the subject's current configuration."""
    subject = require_subject(change.tx, spec.organization, spec.subject)
    current = subject.current.config if subject.current is not None else {}
    return merge(current, spec.control.config) != current


def _reason(lines: Iterable[str]) -> str:
    return "; ".join(lines).encode()[:REASON_BYTES].decode(errors="ignore")
