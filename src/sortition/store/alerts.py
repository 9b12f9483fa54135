"""Alerts, and what waits to be sent of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from sortition.model import JsonObject
from sortition.store.paging import fetch_page
from sortition.store.schema import alert_deliveries, alerts
from sortition.store.upsert import insert_or_ignore

__all__ = [
    "ACTIVE",
    "GIVEN_UP",
    "PENDING",
    "RESOLVED",
    "SENT",
    "WAITING",
    "AlertRecord",
    "DeliveryRecord",
    "claim",
    "counts",
    "due",
    "enqueue",
    "get",
    "listing",
    "prune",
    "put",
    "remove",
    "settle",
    "unresolved",
]

PENDING: Final = "pending"
ACTIVE: Final = "active"
RESOLVED: Final = "resolved"
WAITING: Final = "waiting"
SENT: Final = "sent"
GIVEN_UP: Final = "given_up"

# More than this waits only where nothing is taken for hours; the oldest are given up first, and make room.
_MOST_WAITING: Final = 10_000


@dataclass(frozen=True)
class AlertRecord:
    """Something that somebody was told of, or will be if it lasts.

    Attributes:
        id: Its id.
        experiment_id: The experiment's id; empty for a sidecar's own.
        rule: The rule's name.
        metric: The metric, or for a sidecar what is wrong; empty where it is not about one.
        variant: The variant, or for a sidecar its name; empty where it is not about one.
        organization: Who owns the experiment.
        experiment: Its key.
        trigger: What the rule is about.
        severity: How soon somebody should look.
        state: "pending", "active" or "resolved".
        value: What was last seen; None where it is unknown.
        bound: What was last shown of it beyond chance.
        threshold: The threshold then in force.
        reason: All of it in plain words.
        count: How often it was seen, counted at most once a minute.
        since: When it was first seen.
        last_seen_at: When it was last seen.
        opened_at: When somebody was told; None while it is pending.
        over_since: Since when it is over without anybody having been told; None while it is not.
        resolved_at: When it was resolved.
    """

    id: str
    experiment_id: str
    rule: str
    metric: str
    variant: str
    organization: str
    experiment: str
    trigger: str
    severity: str
    state: str
    value: float | None
    bound: float | None
    threshold: float | None
    reason: str
    count: int
    since: datetime
    last_seen_at: datetime
    opened_at: datetime | None = None
    over_since: datetime | None = None
    resolved_at: datetime | None = None

    @property
    def question(self) -> tuple[str, str, str]:
        """What it answers: rule, metric and variant."""
        return self.rule, self.metric, self.variant


@dataclass(frozen=True)
class DeliveryRecord:
    """Something that has to be sent.

    Attributes:
        id: The message's id, the same for every attempt.
        channel: By what.
        alert_id: The alert's id.
        payload: What is sent.
        created_at: When the alert opened or was resolved.
        next_at: When it is tried next.
        attempts: How often it was tried.
        state: "waiting", "sent" or "given_up".
        done_at: When it was taken or given up; None before.
        last_error: Why the last attempt failed; empty otherwise.
    """

    id: str
    channel: str
    alert_id: str
    payload: JsonObject
    created_at: datetime
    next_at: datetime
    attempts: int = 0
    state: str = WAITING
    done_at: datetime | None = None
    last_error: str = ""


_ALERT = [alerts.c[field.name] for field in fields(AlertRecord)]
_DELIVERY = [alert_deliveries.c[field.name] for field in fields(DeliveryRecord)]


def get(tx: Connection, id: str) -> AlertRecord | None:
    """Returns an alert by its id; None where there is none."""
    row = tx.execute(select(*_ALERT).where(alerts.c.id == id)).first()
    return None if row is None else AlertRecord(**row._mapping)


def unresolved(tx: Connection, experiment_id: str | None = None) -> list[AlertRecord]:
    """Returns the alerts that are not resolved, of one experiment or of all of them."""
    query = select(*_ALERT).where(alerts.c.state != RESOLVED)
    if experiment_id is not None:
        query = query.where(alerts.c.experiment_id == experiment_id)
    return [AlertRecord(**row._mapping) for row in tx.execute(query)]


def put(tx: Connection, record: AlertRecord) -> bool:
    """Stores an alert as it is now; a new one only where its question has no unresolved one, else False."""
    values = asdict(record)
    changed = tx.execute(update(alerts).where(alerts.c.id == record.id).values(values))
    if changed.rowcount:
        return True
    asked = and_(
        alerts.c.experiment_id == record.experiment_id, alerts.c.rule == record.rule,
        alerts.c.metric == record.metric, alerts.c.variant == record.variant, alerts.c.state != RESOLVED,
    )  # fmt: skip
    if record.state != RESOLVED and tx.execute(select(alerts.c.id).where(asked)).first() is not None:
        return False
    tx.execute(alerts.insert().values(values))
    return True


def remove(tx: Connection, id: str) -> None:
    """Forgets an alert that nobody was told of."""
    tx.execute(delete(alerts).where(alerts.c.id == id, alerts.c.state == PENDING))


def listing(
    tx: Connection,
    *,
    organization: str | None = None,
    experiment: str = "",
    active: bool = True,
    severities: Sequence[str] = (),
    limit: int,
    after: str | None,
) -> tuple[list[AlertRecord], str]:
    """Returns a page of alerts that somebody was told of, newest first, and the token of the next page.

    Args:
        tx: The transaction to read in.
        organization: Only this one's, and those of sidecars, which are nobody's; all when None or empty.
        experiment: Only this experiment's, by key; all when empty.
        active: Only those that are not resolved.
        severities: Only these; all when empty.
        limit: At most so many.
        after: The token of the page; None or empty for the first.

    Raises:
        InvalidArgument: The token was not handed out by this list.
    """
    query = select(*_ALERT).where(alerts.c.state == ACTIVE if active else alerts.c.state != PENDING)
    if organization:
        query = query.where(alerts.c.organization.in_((organization, "")))
    if experiment:
        query = query.where(alerts.c.experiment == experiment)
    if severities:
        query = query.where(alerts.c.severity.in_(severities))
    rows, token = fetch_page(tx, query, [alerts.c.since, alerts.c.id], limit=limit, after=after, newest_first=True)
    return [AlertRecord(**row._mapping) for row in rows], token


def counts(tx: Connection) -> dict[str, int]:
    """Returns how many alerts are active, by severity."""
    query = select(alerts.c.severity, func.count()).where(alerts.c.state == ACTIVE).group_by(alerts.c.severity)
    return {str(row[0]): int(row[1]) for row in tx.execute(query)}


def enqueue(tx: Connection, records: Iterable[DeliveryRecord]) -> None:
    """Adds what has to be sent; what was added before stays as it is."""
    rows = [asdict(record) for record in records]
    if rows:
        tx.execute(insert_or_ignore(tx.dialect.name, alert_deliveries), rows)


def due(tx: Connection, now: datetime, limit: int) -> list[DeliveryRecord]:
    """Returns what has to be sent now, oldest first.

    Of one alert and channel only the oldest that waits: nobody hears of an end before the beginning.
    """
    waiting = select(*_DELIVERY).where(alert_deliveries.c.state == WAITING)
    first: dict[tuple[str, str], DeliveryRecord] = {}
    ordered = waiting.order_by(alert_deliveries.c.created_at, alert_deliveries.c.id).limit(_MOST_WAITING)
    for row in tx.execute(ordered):
        first.setdefault((row.alert_id, row.channel), DeliveryRecord(**row._mapping))
    return [one for one in first.values() if one.next_at <= now][:limit]


def claim(tx: Connection, record: DeliveryRecord, next_at: datetime) -> DeliveryRecord | None:
    """Counts an attempt before it is made, so that a crash counts too; None when somebody else did meanwhile."""
    same = _is(record) & (alert_deliveries.c.state == WAITING) & (alert_deliveries.c.attempts == record.attempts)
    done = tx.execute(update(alert_deliveries).where(same).values(attempts=record.attempts + 1, next_at=next_at))
    if done.rowcount == 0:
        return None
    return replace(record, attempts=record.attempts + 1, next_at=next_at)


def settle(
    tx: Connection, record: DeliveryRecord, state: str, at: datetime, error: str = "", next_at: datetime | None = None
) -> None:
    """Stores what became of an attempt: it was taken, is given up, or waits for the next one, at `next_at`."""
    values = {
        "state": state,
        "done_at": None if state == WAITING else at,
        "last_error": error,
        "next_at": next_at or record.next_at,
    }
    tx.execute(update(alert_deliveries).where(_is(record), alert_deliveries.c.state == WAITING).values(values))


def prune(tx: Connection, before: datetime) -> None:
    """Forgets what was taken or given up long ago; the alerts themselves stay."""
    old = (alert_deliveries.c.state != WAITING) & (alert_deliveries.c.done_at < before)
    tx.execute(delete(alert_deliveries).where(old))


def _is(record: DeliveryRecord) -> ColumnElement[bool]:
    return (alert_deliveries.c.id == record.id) & (alert_deliveries.c.channel == record.channel)
