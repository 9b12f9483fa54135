"""The loops of alerts: in every sidecar, and at work in one of each database. One looks, the other one sends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from sortition.errors import Conflict, SortitionError, Unavailable
from sortition.lifecycle.alerts.book import LEASE, AlertBook
from sortition.lifecycle.alerts.courier import Courier
from sortition.lifecycle.alerts.transitions import OPENED, Transition
from sortition.lifecycle.automatic.acts import open_experiments
from sortition.lifecycle.leadership import LEASE_S, Leadership
from sortition.lifecycle.repeating import Repeating, stop_all
from sortition.store import alerts as rows
from sortition.store import installation
from sortition.store.database import Database
from sortition.store.writer import high_waters

__all__ = ["INTERVAL_S", "Watch"]

_log = structlog.get_logger("sortition.alerts")

INTERVAL_S: Final = 10.0
"""Between two looks at the experiments."""
# The lease is renewed more often than experiments are looked at.
_BEAT_S: Final = 1.0
# Time alone opens and resolves alerts too.
_AT_LEAST_S: Final = 30.0
_PRUNED_S: Final = 3600.0


class Watch:
    """Evaluates the rules and sends what follows, while it holds the lease.

    Sending has a thread of its own: a receiver that does not answer keeps nobody from looking.
    """

    def __init__(
        self,
        db: Database,
        book: AlertBook,
        courier: Courier,
        *,
        interval_s: float = INTERVAL_S,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes loops that are not running yet.

        Args:
            db: The database.
            book: What evaluates.
            courier: What sends.
            interval_s: Seconds between two looks.
            lease_s: Seconds that a lease stands still before it is taken.
            clock: Seconds that never go back.
        """
        self._db = db
        self._book = book
        self._courier = courier
        self._interval_s = interval_s
        self._clock = clock
        self._leadership = Leadership(db, LEASE, what="alerts", lease_s=lease_s, clock=clock)
        self._news: tuple[object, ...] = ()
        self._looked_at = -_AT_LEAST_S
        self._evaluated_at = -interval_s
        self._pruned_at = clock()
        self._active: dict[str, int] = {}
        self._opened = 0
        self._resolved = 0
        self._looking = Repeating(
            "alerting", self.tick, every_s=min(_BEAT_S, interval_s), name="alerts-looks", level=logging.ERROR
        )
        self._sending = Repeating("alerting", self._send, every_s=_BEAT_S, name="alerts-sends", level=logging.ERROR)

    @property
    def leads(self) -> bool:
        """Whether it holds the lease, as far as it knows."""
        return self._leadership.held is not None

    def counters(self) -> dict[str, int]:
        """Returns what it counted: active alerts by severity (of the database), and what this sidecar has told."""
        active = {f"alerts_active_{severity}": number for severity, number in self._active.items()}
        return {
            **active,
            "alerts_opened": self._opened,
            "alerts_resolved": self._resolved,
            "alerts_sent": self._courier.sent,
            "alerts_given_up": self._courier.given_up,
        }

    def start(self) -> None:
        """Begins to look and to send."""
        self._looking.start()
        self._sending.start()

    def stop(self) -> None:
        """Ends, and gives the lease back. What is not sent yet is sent by whoever leads next."""
        stop_all([self._looking, self._sending])
        try:
            self._leadership.give_back()
        except SortitionError as error:
            _log.debug("lease not given back", error=error.message)

    def tick(self) -> None:
        """Takes or renews the lease, and looks once where that is due.

        Raises:
            SortitionError: The database is away, or cannot be used.
        """
        now = self._clock()
        due = now >= self._evaluated_at + self._interval_s
        if due:
            with self._db.read() as tx:
                found = open_experiments(tx)
                news = (installation.revision(tx), *high_waters(tx))
                kept = bool(rows.unresolved(tx)) or bool(rows.due(tx, self._book.now, 1))
            self._active = self._book.counts()
            if not found and not kept:
                # Nobody is needed, so nothing is written.
                self._evaluated_at = now
                self._leadership.give_back()
                return
        elif not self.leads:
            return
        if not self._leadership.lead() or not due:
            return
        self._evaluated_at = now
        if news == self._news and now < self._looked_at + _AT_LEAST_S:
            return
        lease = self._leadership.held
        for record in found:
            self._step(partial(self._book.evaluate, record, lease))
        self._step(partial(self._book.finish, {record.id for record in found}, lease))
        self._news, self._looked_at = news, now
        self._active = self._book.counts()

    def send(self) -> int:
        """Sends what is due, while it leads; returns how many attempts were made.

        Raises:
            SortitionError: The database is away, or cannot be used.
        """
        lease = self._leadership.held
        if lease is None:
            return 0
        try:
            return self._courier.run(lease)
        except Conflict:
            self._leadership.lose()
            raise

    def _step(self, work: Callable[[], list[Transition]]) -> None:
        try:
            told = work()
        except Conflict:
            # Who was fenced off does not lead any more; the rest is for the other one.
            self._leadership.lose()
            raise
        except Unavailable:
            raise
        except SortitionError as error:
            # One that cannot be looked at must not keep the others waiting.
            _log.warning("rules not evaluated", error=error.message)
            return
        opened = sum(one.told == OPENED for one in told)
        self._opened += opened
        self._resolved += len(told) - opened
        if told:
            self._sending.wake()

    def _send(self) -> None:
        if self.leads and self._clock() >= self._pruned_at + _PRUNED_S:
            self._pruned_at = self._clock()
            self._courier.prune()
        self.send()
