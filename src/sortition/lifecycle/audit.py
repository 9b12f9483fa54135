"""What was done, by whom and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sortition.model import JsonObject
from sortition.store import audit as rows
from sortition.store.database import Database
from sortition.store.records import AuditEvent

__all__ = ["AuditLog", "Note"]


@dataclass(frozen=True)
class Note:
    """Something for the audit log that is no act of the lifecycle.

    Attributes:
        at: When; aware, in UTC.
        actor: Who.
        action: What, such as "call.denied".
        object: To what.
        reason: Why, in a few words.
        details: More about it.
    """

    at: datetime
    actor: str
    action: str
    object: str
    reason: str = ""
    details: JsonObject = field(default_factory=dict)


class AuditLog:
    """The audit log. Acts of the lifecycle write into it by themselves, in their own transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def write(self, notes: Sequence[Note]) -> None:
        """Adds notes, all or none of them. They belong to no organization.

        Raises:
            StoreUnavailable: The database cannot be reached; nothing was added.
            StoreError: It cannot be used.
        """
        with self._db.write() as tx:
            for note in notes:
                rows.append(
                    tx,
                    at=note.at,
                    actor=note.actor,
                    action=note.action,
                    organization="",
                    object=note.object,
                    reason=note.reason,
                    details=note.details,
                )

    def listing(
        self,
        *,
        organization: str | None = None,
        object: str | None = None,
        action: str | None = None,
        limit: int,
        after: str | None = None,
    ) -> tuple[list[AuditEvent], str]:
        """Returns a page of events, newest first, and the token of the next page ("" after the last).

        Args:
            organization: Only this one's; all when None.
            object: Only about this, such as "experiment/search-strategy"; all when None.
            action: Only this, such as "experiment.start"; all when None.
            limit: At most so many.
            after: The token of the page before.
        """
        with self._db.read() as tx:
            return rows.listing(
                tx, organization=organization, object=object or "", action=action or "", limit=limit, after=after
            )
