"""The alerts of one sidecar: their rules, how they are told, and what looks after the sidecar and at experiments."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from sortition.core import Engine
from sortition.errors import SettingsError, SpecError
from sortition.flusher import Flusher
from sortition.lifecycle.alerts import (
    LOG,
    WEBHOOK,
    AlertBook,
    Courier,
    LogLines,
    Problem,
    Sender,
    SidecarAlerts,
    Watch,
    Webhook,
    read_secret,
)
from sortition.model.alert import Rules, load_rules, usual_rules
from sortition.settings import Settings
from sortition.store import Database

__all__ = ["Alerting", "problems"]

# Above it recording is about to be refused.
_FULL_LOG: Final = 0.9
# Below it nothing is sure to be written any more.
_LEAST_FREE_BYTES: Final = 64 << 20


class Alerting:
    """What a sidecar has for alerts before there is a database."""

    def __init__(self, settings: Settings, *, now: Callable[[], datetime]) -> None:
        """Reads the rules and the secret.

        Args:
            settings: Where they are.
            now: The clock; aware, in UTC.

        Raises:
            SettingsError: They cannot be used; lists every violation of the rules.
        """
        self._settings = settings
        self._now = now
        self.rules = _rules(settings.alert_rules)
        self._senders: dict[str, Sender] = {LOG: LogLines()}
        if settings.alert_webhook is not None and settings.alert_webhook_secret_file is not None:
            secret = read_secret(settings.alert_webhook_secret_file)
            self._senders[WEBHOOK] = Webhook(settings.alert_webhook, secret, settings.alert_webhook_timeout_s)
        self._sidecar: SidecarAlerts | None = None
        self._watch: Watch | None = None

    def look_after(self, probe: Callable[[], Iterator[Problem]], *, name: str, kept: Path) -> None:
        """Begins to look after the sidecar itself.

        Args:
            probe: Returns what may be wrong; never waits.
            name: What the sidecar is called.
            kept: The file where its alerts are remembered.
        """
        self._sidecar = SidecarAlerts(
            probe, self.rules, name=name, kept=kept, senders=self._senders, now=self._now
        )  # fmt: skip
        self._sidecar.start()

    def book(self, db: Database, flush: Callable[[], None]) -> AlertBook:
        """Returns the alerts of a database."""
        return AlertBook(db, self.rules, flush=flush, now=self._now, channels=tuple(self._senders))

    def attach(self, db: Database, book: AlertBook) -> None:
        """Begins to look at experiments, where this sidecar may, and to report what was alerted here."""
        if self._settings.alerts:
            courier = Courier(db, self._senders, now=self._now, attempt_s=self._settings.alert_webhook_timeout_s)
            self._watch = Watch(db, book, courier, interval_s=self._settings.alert_interval_s)
            self._watch.start()
        if self._sidecar is not None:
            self._sidecar.attach(book)

    def counters(self) -> dict[str, int]:
        """Returns what was counted."""
        found = self._watch.counters() if self._watch is not None else {}
        return {**found, **(self._sidecar.counters() if self._sidecar is not None else {})}

    def detach(self) -> None:
        """Ends everything that needs the database, which is closed next."""
        if self._watch is not None:
            self._watch.stop()
        self.stop()

    def stop(self) -> None:
        """Ends looking after the sidecar."""
        if self._sidecar is not None:
            self._sidecar.stop()


def problems(engine: Engine, settings: Settings, flusher: Flusher | None, state: Path) -> Iterator[Problem]:
    """Yields what may be wrong with a sidecar, as it sees it by itself.

    Args:
        engine: Its engine.
        settings: Its settings.
        flusher: What flushes; None while the database was not reached.
        state: Its state directory.
    """
    yield Problem("database", flusher is None, "the database was not reached since the start")
    failed = flusher.state if flusher is not None else None
    yield Problem(
        "flush",
        failed is not None and failed.failures > 0,
        f"flushing failed: {failed.last_error}" if failed is not None and failed.failures else "",
    )
    yield Problem("log", not engine.log_sound, "the log cannot be written: nothing more is recorded")
    held, free = engine.counters()["log_bytes"], _free(state)
    full = held >= _FULL_LOG * settings.log_max_bytes
    yield Problem(
        "storage",
        full or free < _LEAST_FREE_BYTES,
        f"the log holds {held:,} of {settings.log_max_bytes:,} bytes, and {free:,} bytes are free",
    )


def _free(path: Path) -> int:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        # Whoever cannot ask is told by what cannot be written.
        return _LEAST_FREE_BYTES


def _rules(path: Path | None) -> Rules:
    if path is None:
        return usual_rules()
    try:
        return load_rules(path)
    except SpecError as error:
        found = [each._replace(field=f"alert_rules.{each.field}".rstrip(".")) for each in error.violations]
        text = "; ".join(f"{each.field or path}: {each.description}" for each in error.violations) or error.message
        raise SettingsError(f"alert_rules: {error.message}: {text}", found) from error
