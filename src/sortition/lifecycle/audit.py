"""What was done, by whom and why."""

from __future__ import annotations

from sortition.store import audit as rows
from sortition.store.database import Database
from sortition.store.records import AuditEvent

__all__ = ["AuditLog"]


class AuditLog:
    """Reads the audit log. Only acts write it."""

    def __init__(self, db: Database) -> None:
        self._db = db

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
