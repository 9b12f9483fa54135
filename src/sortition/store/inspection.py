"""Looks at a database without changing it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import Connection, func, select, text

from sortition.store.database import Database
from sortition.store.migrations import is_usable, stored_revision
from sortition.store.schema import audit, cells

__all__ = ["Inspection", "inspect_database"]

# So many faults of a damaged file are enough to know that it is one.
_MOST_FAULTS = 5


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        name: What it is called in messages.
        kind: "sqlite" or "postgresql".
        revision: Its schema; None while it is empty.
        usable: Whether this version can use the schema as it is; the next sidecar migrates it otherwise.
        faults: What is damaged; empty for a server, which looks after that itself.
        now: The server's clock; None for a file, which has none.
        newest_at: The time of the newest entry in the audit log; None without any.
        newest_day: The newest day that holds outcomes, counted from 1970-01-01 UTC; None without any.
    """

    name: str
    kind: str
    revision: str | None
    usable: bool
    faults: tuple[str, ...] = ()
    now: datetime | None = None
    newest_at: datetime | None = None
    newest_day: int | None = None


def inspect_database(url: str, *, timeout_s: float = 10) -> Inspection:
    """Looks at a database: neither made nor migrated, and free to be used by sidecars meanwhile.

    Args:
        url: As of `Database.open`.
        timeout_s: How long a lock or a connection is waited for.

    Raises:
        StoreError: There is none, it is newer than this version, not one of sortition, or may not be written.
        StoreUnavailable: It is locked, or the server cannot be reached.
    """
    with closing(Database._connect(url, False, timeout_s)) as db:
        with db.read() as tx:
            revision, usable = stored_revision(tx), is_usable(tx, db.name)
            faults = _faults(tx) if db.kind == "sqlite" else ()
            now = None if db.kind == "sqlite" else tx.execute(select(func.now())).scalar_one()
            newest_at = tx.execute(select(func.max(audit.c.at))).scalar() if usable else None
            newest_day = tx.execute(select(func.max(cells.c.day))).scalar() if usable else None
        if usable:
            # That it can be written is not known before the lock for it is had.
            with db.write():
                pass
        return Inspection(
            db.name,
            db.kind,
            revision,
            usable,
            faults,
            None if now is None else now.astimezone(timezone.utc),
            newest_at,
            newest_day,
        )


def _faults(tx: Connection) -> tuple[str, ...]:
    found = [str(row[0]) for row in tx.execute(text(f"PRAGMA quick_check({_MOST_FAULTS})"))]
    return () if found == ["ok"] else tuple(found)
