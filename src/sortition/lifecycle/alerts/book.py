"""The alerts of a database: what the rules say is written down with its audit rows and all that has to be sent."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sortition.analyzer.alerts import Reading, read_rules
from sortition.lifecycle.actor import REASON_BYTES
from sortition.lifecycle.alerts.message import LOG, deliveries
from sortition.lifecycle.alerts.transitions import About, Transition, advance, ended
from sortition.lifecycle.automatic.acts import NAME, open_experiments
from sortition.lifecycle.change import experiment_object
from sortition.lifecycle.queries import require_experiment
from sortition.model import ExperimentStatus, JsonObject
from sortition.model.alert import Rules, Severity
from sortition.store import alerts as rows
from sortition.store import audit, cells, leases
from sortition.store.alerts import RESOLVED, AlertRecord
from sortition.store.database import Database
from sortition.store.leases import Lease
from sortition.store.records import ExperimentRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["LEASE", "AlertBook", "write"]

LEASE: Final = "alerts"
"""The lease of the one sidecar that evaluates the rules and sends what follows."""

_OPEN: Final = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)
# A sidecar says each minute that it is still unwell.
_SILENT: Final = timedelta(hours=1)


def _new_id() -> str:
    return uuid.uuid4().hex


class AlertBook:
    """Evaluates rules, and keeps what follows."""

    def __init__(
        self,
        db: Database,
        rules: Rules,
        *,
        flush: Callable[[], None],
        now: Callable[[], datetime],
        channels: Sequence[str] = (LOG,),
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        """Binds alerts to a database.

        Args:
            db: The database.
            rules: The rules in force.
            flush: Brings everything recorded so far into the database, or raises.
            now: The clock; aware, in UTC.
            channels: How somebody is told, beside the audit log.
            new_id: Makes ids.
        """
        self._db = db
        self._rules = rules
        self._flush = flush
        self._now = now
        self._channels = tuple(channels)
        self._new_id = new_id

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self._rules

    @property
    def now(self) -> datetime:
        """The time."""
        return self._now()

    def evaluate(self, record: ExperimentRecord, lease: Lease | None = None) -> list[Transition]:
        """Reads the rules about one experiment and writes down what changes; returns what somebody is told of.

        Args:
            record: The experiment, running or paused.
            lease: The lease that it is done under.

        Raises:
            Conflict: The lease was taken; nothing was written.
            SortitionError: The database is away, or cannot be used.
        """
        now = self._now()
        with self._db.read() as tx:
            data = cells.experiment_data(tx, record)
            kept = rows.unresolved(tx, record.id)
        readings = read_rules(self._rules, record, data, now)
        about = About(record.id, record.spec.organization, record.spec.key)

        def changes(kept: list[AlertRecord]) -> list[Transition]:
            return advance(kept, readings, self._rules.enabled, about, now, self._new_id)

        if not changes(kept):
            return []
        return self._write(record.id, changes, now, lease)

    def finish(self, open_ids: set[str], lease: Lease | None = None) -> list[Transition]:
        """Resolves alerts about experiments that are over, and about sidecars of which nothing was heard for an hour.

        Raises:
            Conflict: The lease was taken; nothing was written.
            SortitionError: The database is away, or cannot be used.
        """
        now = self._now()
        with self._db.read() as tx:
            kept = rows.unresolved(tx)
        over = {one.experiment_id for one in kept if one.experiment_id and one.experiment_id not in open_ids}
        told = []
        for id in sorted(over):
            told += self._write(id, lambda kept: ended(kept, "the experiment is over", now), now, lease)

        def silent(kept: list[AlertRecord]) -> list[Transition]:
            lost = [one for one in kept if now - one.last_seen_at >= _SILENT]
            return ended(lost, "nothing was heard of this sidecar for an hour", now)

        if silent([one for one in kept if not one.experiment_id]):
            told += self._write("", silent, now, lease)
        return told

    def check(self, *, organization: str = "", key: str = "") -> list[tuple[ExperimentRecord, tuple[Reading, ...]]]:
        """Returns what every rule says now about running and paused experiments; changes nothing.

        Args:
            organization: Only this one's; all when empty.
            key: Only this experiment, of the organization or of "default".

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed, or the database is away.
        """
        self._flush()
        now = self._now()
        with self._db.read() as tx:
            found = (
                [require_experiment(tx, organization or "default", key)] if key else open_experiments(tx, organization)
            )
            held = [(record, cells.experiment_data(tx, record)) for record in found if record.status in _OPEN]
        return [(record, read_rules(self._rules, record, data, now)) for record, data in held]

    def listing(
        self,
        *,
        organization: str | None = None,
        experiment: str = "",
        active: bool = True,
        severities: Sequence[Severity] = (),
        limit: int,
        after: str | None = None,
    ) -> tuple[list[AlertRecord], str]:
        """Returns a page of alerts, newest first, and the token of the next page ("" after the last).

        Args:
            organization: Only this one's, and those of sidecars; all when None.
            experiment: Only this experiment's; all when empty.
            active: Only those that are not resolved.
            severities: Only these; all when empty.
            limit: At most so many.
            after: The token of the page before.
        """
        with self._db.read() as tx:
            return rows.listing(
                tx, organization=organization, experiment=experiment, active=active,
                severities=[str(one) for one in severities], limit=limit, after=after,
            )  # fmt: skip

    def report(self, alert: AlertRecord, told: str = "") -> None:
        """Stores an alert of a sidecar's own, which it has told of by itself; twice is once.

        Raises:
            SortitionError: The database is away, or cannot be used.
        """
        now = self._now()
        with self._db.write() as tx:
            before = rows.get(tx, alert.id)
            if before is not None and before.state == alert.state:
                # It is still so.
                rows.put(tx, alert)
                return
            if before is not None and before.state == RESOLVED:
                return
            # A sidecar that lost its memory has begun again.
            same = [one for one in rows.unresolved(tx, "") if one.question == alert.question and one.id != alert.id]
            write(tx, [*ended(same, "began again", now), Transition(alert, told)], (), now)

    def counts(self) -> dict[str, int]:
        """Returns how many alerts are active, by severity.

        Raises:
            SortitionError: The database is away, or cannot be used.
        """
        with self._db.read() as tx:
            found = rows.counts(tx)
        return {str(one): found.get(str(one), 0) for one in Severity}

    def _write(
        self,
        experiment_id: str,
        changes: Callable[[list[AlertRecord]], list[Transition]],
        now: datetime,
        lease: Lease | None,
    ) -> list[Transition]:
        with self._db.write() as tx:
            if lease is not None:
                leases.check(tx, LEASE, lease)
            # What counts is what is stored behind the lock.
            return write(tx, changes(rows.unresolved(tx, experiment_id)), self._channels, now)


def write(tx: Connection, changes: list[Transition], channels: tuple[str, ...], now: datetime) -> list[Transition]:
    """Writes transitions down, with their audit rows and what has to be sent; returns those that somebody hears of."""
    told = []
    for change in changes:
        if change.forgotten:
            rows.remove(tx, change.alert.id)
        elif rows.put(tx, change.alert) and change.told:
            told.append(change)
            _audit(tx, change, now)
            rows.enqueue(tx, deliveries(change, channels, now))
    return told


def _audit(tx: Connection, change: Transition, now: datetime) -> None:
    alert = change.alert
    details: JsonObject = {
        "alert_id": alert.id, "rule": alert.rule, "severity": alert.severity, "metric": alert.metric,
        "variant": alert.variant, "value": alert.value, "bound": alert.bound, "limit": alert.threshold,
    }  # fmt: skip
    audit.append(
        tx,
        at=now,
        actor=NAME,
        action=f"alert.{change.told}",
        organization=alert.organization,
        object=experiment_object(alert.experiment) if alert.experiment_id else f"sidecar/{alert.variant}",
        reason=alert.reason.encode()[:REASON_BYTES].decode(errors="ignore"),
        details=details,
    )
