"""The audit log: who did what, when and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select

from sortition.model import JsonObject
from sortition.store.paging import fetch_page
from sortition.store.records import AuditEvent
from sortition.store.schema import audit

__all__ = ["append", "listing"]


def append(
    tx: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    organization: str,
    object: str,
    reason: str,
    details: JsonObject,
) -> AuditEvent:
    """Adds an event; call it in the transaction of the act, so that neither is there without the other.

    Args:
        tx: The transaction to write in.
        at: When.
        actor: Who.
        action: What, such as "experiment.start".
        organization: Who owns what it was done to.
        object: What it was done to, such as "experiment/search-strategy".
        reason: Why, in the actor's words.
        details: More about the act.
    """
    values = {
        "at": at,
        "actor": actor,
        "action": action,
        "organization": organization,
        "object": object,
        "reason": reason,
        "details": details,
    }
    key = tx.execute(insert(audit).values(values)).inserted_primary_key
    assert key is not None
    return AuditEvent(key[0], at, actor, action, organization, object, reason, details)


def listing(
    tx: Connection,
    *,
    organization: str | None = None,
    object: str = "",
    action: str = "",
    limit: int,
    after: str | None,
) -> tuple[list[AuditEvent], str]:
    """Returns a page of events, newest first, and the token of the next page; empty on the last.

    Args:
        tx: The transaction to read in.
        organization: Only this one's; all when None or empty.
        object: Only about this object; all when empty.
        action: Only this action; all when empty.
        limit: At most so many.
        after: The token of the page; None or empty for the first.

    Raises:
        InvalidArgument: The token was not handed out by this list.
    """
    query = select(audit)
    if organization:
        query = query.where(audit.c.organization == organization)
    if object:
        query = query.where(audit.c.object == object)
    if action:
        query = query.where(audit.c.action == action)
    rows, token = fetch_page(tx, query, [audit.c.id], limit=limit, after=after, newest_first=True)
    return [AuditEvent(**row._mapping) for row in rows], token
