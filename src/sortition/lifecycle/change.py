"""One act on the stored state: everything it does, its audit row and the new revision are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sortition.lifecycle.actor import Actor
from sortition.model import JsonObject, SubjectRef
from sortition.store import audit, installation
from sortition.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Change", "Changes", "experiment_object", "subject_object"]


def experiment_object(key: str) -> str:
    """Returns the name of an experiment in the audit log."""
    return f"experiment/{key}"


def subject_object(ref: SubjectRef) -> str:
    """Returns the name of a subject in the audit log."""
    return f"subject/{ref}"


@dataclass(frozen=True)
class Change:
    """An act under way.

    Attributes:
        tx: Its transaction.
        at: Its time; everything it stores carries this one.
        actor: Who acts.
    """

    tx: Connection
    at: datetime
    actor: Actor

    def log(self, action: str, organization: str, target: str, details: JsonObject | None = None) -> None:
        """Writes the act into the audit log."""
        claimed: JsonObject = {"claimed_actor": self.actor.claimed} if self.actor.claimed else {}
        audit.append(
            self.tx,
            at=self.at,
            actor=self.actor.name,
            action=action,
            organization=organization,
            object=target,
            reason=self.actor.reason,
            details={**(details or {}), **claimed},
        )


class Changes:
    """Makes acts, and tells when one has happened."""

    def __init__(self, db: Database, *, changed: Callable[[], None], now: Callable[[], datetime]) -> None:
        """Binds acts to a database.

        Args:
            db: The database.
            changed: Called after each commit; the hot path learns of the change by it.
            now: The clock; aware, in UTC.
        """
        self._db = db
        self._changed = changed
        self._now = now

    @contextmanager
    def begin(self, actor: Actor) -> Iterator[Change]:
        """Opens an act. It is stored when the block ends, and nothing of it is when the block raises."""
        with self._db.write() as tx:
            # First of all: the row it locks makes acts follow one another on every database, so that what is checked
            # below still holds at the commit, and a larger revision always means a later state.
            installation.touch(tx)
            yield Change(tx, self._now(), actor)
        self._changed()
