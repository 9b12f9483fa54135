"""Sends what waits to be sent. At least once: what a crash left undecided is sent again, with the same id."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from sortition.errors import Conflict, SortitionError
from sortition.lifecycle.alerts.book import LEASE
from sortition.lifecycle.alerts.message import LOG
from sortition.lifecycle.alerts.retries import gives_up, next_attempt
from sortition.lifecycle.alerts.webhook import TIMEOUT_S, Sender
from sortition.model import JsonObject
from sortition.store import alerts as rows
from sortition.store import leases
from sortition.store.alerts import GIVEN_UP, SENT, WAITING, DeliveryRecord
from sortition.store.database import Database
from sortition.store.leases import Lease

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Courier", "LogLines"]

_BATCH: Final = 50
_KEPT: Final = timedelta(days=30)
_LEVELS: Final = {"critical": "error", "warning": "warning", "info": "info"}

_log = structlog.get_logger("sortition.alerts")


class LogLines:
    """Writes alerts as structured lines of the log."""

    def send(self, id: str, payload: JsonObject, at: int) -> None:
        """Writes one line, as loud as the alert is severe; its end is never louder than a note."""
        data = payload["data"]
        assert isinstance(data, dict)
        opened = payload["type"] == "alert.opened"
        level = _LEVELS[str(data["severity"])] if opened else "info"
        told = {name: value for name, value in data.items() if value not in (None, "")}
        # An event's own name and time are the log's.
        getattr(_log, level)("alert opened" if opened else "alert resolved", message=id, **told)


class Courier:
    """Sends what the alerts of a database have to send, while this sidecar leads."""

    def __init__(
        self,
        db: Database,
        senders: Mapping[str, Sender],
        *,
        now: Callable[[], datetime],
        attempt_s: float = TIMEOUT_S,
        chance: random.Random | None = None,
    ) -> None:
        """Makes a courier.

        Args:
            db: The database.
            senders: Who hands over, by channel. What waits for a channel that is not here waits on.
            now: The clock; aware, in UTC.
            attempt_s: How long one attempt may take.
            chance: Where pauses are drawn from.
        """
        self._db = db
        self._senders = dict(senders)
        self._now = now
        # While an attempt is under way nobody else makes it; to connect and to answer may take so long each.
        self._under_way = timedelta(seconds=2 * attempt_s)
        self._chance = chance or random.Random()
        self.sent = 0
        self.given_up = 0

    def run(self, lease: Lease) -> int:
        """Makes every attempt that is due, once; returns how many were made.

        Args:
            lease: The lease that it is done under.

        Raises:
            Conflict: The lease was taken.
            SortitionError: The database is away, or cannot be used.
        """
        with self._db.read() as tx:
            waiting = rows.due(tx, self._now(), _BATCH)
        made = 0
        # What takes no time first: a receiver that is slow keeps nothing out of the log.
        for record in sorted(waiting, key=lambda one: one.channel != LOG):
            sender = self._senders.get(record.channel)
            if sender is not None:
                made += self._attempt(record, sender, lease)
        return made

    def prune(self) -> None:
        """Forgets what was sent long ago.

        Raises:
            SortitionError: The database is away, or cannot be used.
        """
        self._db.run(lambda tx: rows.prune(tx, self._now() - _KEPT))

    def _attempt(self, record: DeliveryRecord, sender: Sender, lease: Lease) -> int:
        now = self._now()

        def claim(tx: Connection) -> DeliveryRecord | None:
            leases.check(tx, LEASE, lease)
            return rows.claim(tx, record, now + self._under_way)

        claimed = self._db.run(claim)
        if claimed is None:
            return 0
        try:
            sender.send(claimed.id, claimed.payload, int(now.timestamp()))
        except Conflict:
            raise
        except SortitionError as error:
            self._failed(claimed, error.message)
        else:
            self._settle(claimed, SENT)
            self.sent += claimed.channel != LOG
        return 1

    def _failed(self, record: DeliveryRecord, why: str) -> None:
        now = self._now()
        if gives_up(record.attempts, record.created_at, now):
            self.given_up += 1
            _log.error("alert not sent", message=record.id, channel=record.channel, attempts=record.attempts, why=why)
            self._settle(record, GIVEN_UP, why)
            return
        _log.warning("alert not sent yet", message=record.id, channel=record.channel, attempt=record.attempts, why=why)
        next_at = next_attempt(record.attempts, now, self._chance)
        self._db.run(lambda tx: rows.settle(tx, record, WAITING, now, why, next_at))

    def _settle(self, record: DeliveryRecord, state: str, why: str = "") -> None:
        self._db.run(lambda tx: rows.settle(tx, record, state, self._now(), why))
