"""A sidecar's alerts about itself: with or without the database, in the log, as metrics and by webhook at once.

Looking needs this process alone. Sending, and telling the database, is done by a thread of its own.
"""

from __future__ import annotations

import logging
import random
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from sortition.analyzer.alerts import Reading
from sortition.errors import SortitionError
from sortition.lifecycle.alerts.book import AlertBook
from sortition.lifecycle.alerts.memory import Memory
from sortition.lifecycle.alerts.message import LOG, deliveries
from sortition.lifecycle.alerts.retries import gives_up, next_attempt
from sortition.lifecycle.alerts.transitions import OPENED, About, Transition, advance
from sortition.lifecycle.alerts.webhook import Sender
from sortition.lifecycle.repeating import Repeating, stop_all
from sortition.model.alert import Rules, Trigger
from sortition.store.alerts import ACTIVE, PENDING, RESOLVED, DeliveryRecord

__all__ = ["Problem", "SidecarAlerts"]

_log = structlog.get_logger("sortition.alerts")

_INTERVAL_S: Final = 1.0


class Problem(NamedTuple):
    """Something about a sidecar that may be wrong.

    Attributes:
        name: What, in a word.
        there: Whether it is wrong now.
        reason: How, in plain words.
    """

    name: str
    there: bool
    reason: str


class SidecarAlerts:
    """Looks after one sidecar by the rules about the system."""

    def __init__(
        self,
        probe: Callable[[], Iterable[Problem]],
        rules: Rules,
        *,
        name: str,
        kept: Path,
        senders: Mapping[str, Sender],
        now: Callable[[], datetime],
        interval_s: float = _INTERVAL_S,
        chance: random.Random | None = None,
    ) -> None:
        """Makes alerts that nobody looks at yet; what was open before is open.

        Args:
            probe: Returns what may be wrong; never waits.
            rules: The rules in force.
            name: What the sidecar is called.
            kept: The file where it remembers; its directory exists.
            senders: Who hands over, by channel.
            now: The clock; aware, in UTC.
            interval_s: Seconds between two looks.
            chance: Where pauses are drawn from.
        """
        self._probe = probe
        self._rules = tuple(rule for rule in rules.enabled if rule.trigger is Trigger.SYSTEM)
        self._name = name
        self._senders = dict(senders)
        self._now = now
        self._chance = chance or random.Random()
        self._book: AlertBook | None = None
        self._lock = threading.Lock()
        self._memory = Memory.load(kept)
        self._opened = 0
        self._resolved = 0
        self._looking = [
            Repeating("own alerting", work, every_s=interval_s, name=f"own-alerts-{name}", level=logging.DEBUG)
            for name, work in (("look", self.look), ("tell", self._tell))
        ]

    def attach(self, book: AlertBook) -> None:
        """Tells where to report to."""
        self._book = book

    def counters(self) -> dict[str, int]:
        """Returns what it counted: its own active alerts, and what it has told."""
        with self._lock:
            active = sum(one.state == ACTIVE for one in self._memory.alerts.values())
        return {
            "sidecar_alerts_active": active,
            "sidecar_alerts_opened": self._opened,
            "sidecar_alerts_resolved": self._resolved,
        }

    def start(self) -> None:
        """Begins to look after it."""
        for one in self._looking:
            one.start()

    def stop(self) -> None:
        """Ends; what is open or not said yet is kept."""
        stop_all(self._looking)

    def look(self) -> None:
        """Looks once, and writes down what changes."""
        now = self._now()
        readings = [
            Reading(
                rule.name, found.there, not found.there, metric=found.name, variant=self._name, reason=found.reason
            )
            for rule in self._rules
            for found in self._probe()
        ]  # fmt: skip
        with self._lock:
            kept = list(self._memory.alerts.values())
            changes = advance(kept, readings, self._rules, About(), now, lambda: uuid.uuid4().hex)
            if not changes:
                return
            for change in changes:
                self._change(change, now)
            self._memory.save()

    def send(self) -> int:
        """Makes every attempt that is due, once; returns how many were made."""
        now = self._now()
        with self._lock:
            first: dict[tuple[str, str], DeliveryRecord] = {}
            for record in self._memory.outbox:
                first.setdefault((record.alert_id, record.channel), record)
        waiting = [one for one in first.values() if one.next_at <= now]
        # What takes no time first.
        for record in sorted(waiting, key=lambda one: one.channel != LOG):
            self._attempt(record, now)
        return len(waiting)

    def report(self) -> None:
        """Tells the database what it does not know yet.

        Raises:
            SortitionError: The database is away; to be tried again.
        """
        book = self._book
        while book is not None:
            with self._lock:
                if not self._memory.unreported:
                    return
                first = self._memory.unreported[0]
            book.report(*first)
            with self._lock:
                if self._memory.unreported[:1] == [first]:
                    del self._memory.unreported[0]
                    self._memory.save()

    def _change(self, change: Transition, now: datetime) -> None:
        alert, memory = change.alert, self._memory
        if change.forgotten or alert.state == RESOLVED:
            memory.alerts.pop(alert.id, None)
        else:
            memory.alerts[alert.id] = alert
        if change.told:
            self._opened += change.told == OPENED
            self._resolved += change.told != OPENED
            memory.outbox += deliveries(change, tuple(self._senders), now)
        if alert.state != PENDING and not change.forgotten:
            # What is only still so replaces what was said of that before.
            if not change.told:
                memory.unreported = [one for one in memory.unreported if one[0].id != alert.id or one[1]]
            memory.unreported.append((alert, change.told))

    def _attempt(self, record: DeliveryRecord, now: datetime) -> None:
        attempts = record.attempts + 1
        try:
            self._senders[record.channel].send(record.id, record.payload, int(now.timestamp()))
        except SortitionError as error:
            over = gives_up(attempts, record.created_at, now)
            (_log.error if over else _log.warning)(
                "alert not sent" if over else "alert not sent yet", message=record.id, channel=record.channel,
                attempt=attempts, why=error.message,
            )  # fmt: skip
            after = None if over else replace(
                record, attempts=attempts, next_at=next_attempt(attempts, self._now(), self._chance),
                last_error=error.message,
            )  # fmt: skip
        else:
            after = None
        with self._lock:
            tried = (record.id, record.channel)
            outbox = [after if (one.id, one.channel) == tried else one for one in self._memory.outbox]
            self._memory.outbox = [one for one in outbox if one is not None]
            self._memory.save()

    def _tell(self) -> None:
        self.send()
        self.report()
