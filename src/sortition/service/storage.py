"""The database and everything that works on it, opened together and closed together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sortition.api.backend import Backend
from sortition.core import Engine
from sortition.flusher import Flusher
from sortition.lifecycle import (
    AuditLog,
    Automatic,
    Changes,
    Experiments,
    KillSwitch,
    Leader,
    SnapshotKeeper,
    Subjects,
    Switcher,
)
from sortition.service.alerting import Alerting
from sortition.settings import Settings
from sortition.state import StateDirectory
from sortition.state.units import KeptUnits
from sortition.store import BatchWriter, Database, sqlite_url

__all__ = ["Storage", "open_database"]


def open_database(settings: Settings, state: StateDirectory) -> Database:
    """Opens the configured database, else the one in the state directory.

    Raises:
        StoreUnavailable: It could not be reached.
        StoreError: It cannot be used.
    """
    url = settings.database_url or sqlite_url(state.database)
    return Database.open(url, timeout_s=settings.database_timeout_s)


def _announced_s(settings: Settings) -> float:
    return 2 * settings.flush_interval_s if settings.announce_s is None else settings.announce_s


@dataclass(frozen=True)
class Storage:
    """A database that is open, and what works on it."""

    db: Database
    flusher: Flusher
    keeper: SnapshotKeeper
    backend: Backend
    switcher: Switcher
    leader: Leader | None = None
    alerting: Alerting | None = None

    @classmethod
    def attach(
        cls,
        db: Database,
        engine: Engine,
        *,
        settings: Settings,
        state: StateDirectory,
        now: Callable[[], datetime],
        switch: KillSwitch,
        alerting: Alerting,
        units: KeptUnits,
        given_up: Callable[[], None],
    ) -> Storage:
        """Brings the newest snapshot to the engine, and begins to flush what the engine records.

        Args:
            db: The database.
            engine: Nothing was sealed from it yet.
            settings: Those of the sidecar.
            state: Its state directory.
            now: The clock of the control plane.
            switch: What pauses by itself, to be told of the database.
            alerting: What alerts, to be told of it too.
            units: Who was exposed before the weights of experiments changed.
            given_up: Called when nothing can be flushed any more: another sidecar took this one's place, or the log
                failed.

        Raises:
            StoreUnavailable: The database could not be reached; nothing was begun, and it can be tried again.
            StoreError: It cannot be used.
        """
        # What can fail comes first: the flusher tells the engine about the writer, and that can be done only once.
        who = state.writer(settings.writer)
        if state.kept_key() not in (None, db.installation_key):
            # What it remembers is about another database.
            who = replace(who, epoch=0, batch=0)
        if engine.recovery is not None:
            # Whether the database lacks batches that it had is found out by the engine, which may still have them.
            who = replace(who, batch=0)
        batches = BatchWriter(db, who)
        keeper = SnapshotKeeper(db, engine, state.snapshot, poll_s=settings.snapshot_interval_s, listen=db.listen)

        def flushed() -> None:
            if flusher.state.fenced or not engine.log_sound:
                given_up()

        flusher = Flusher(
            engine,
            batches,
            interval_s=settings.flush_interval_s,
            on_change=flushed,
            on_commit=switch.book.committed,
            remember=state.keep_writer,
        )

        def changed() -> None:
            # The change is stored; when it cannot be loaded now, the keeper says so in the log and tries again.
            keeper.refresh()

        experiments = Experiments(db, flush=flusher.flush, changed=changed, now=now)
        automatic = Automatic(db, flush=flusher.flush, changed=changed, now=now)
        alerts = alerting.book(db, flusher.flush)
        backend = Backend(experiments, Subjects(db, changed=changed, now=now), AuditLog(db), automatic, alerts)
        leader = Leader(db, automatic) if settings.automatic else None
        switcher = Switcher(
            db, units, Changes(db, changed=changed, now=now), flush=flusher.flush, announced_s=_announced_s(settings)
        )
        keeper.start()
        flusher.start()
        switcher.start()
        experiments.peeks.start()
        switch.attach(db, automatic, lambda: flusher.writer)
        if leader is not None:
            leader.start()
        alerting.attach(db, alerts)
        return cls(db, flusher, keeper, backend, switcher, leader, alerting)

    def close(self, drain_s: float) -> None:
        """Flushes what was recorded, for at most `drain_s` seconds, and closes the database.

        Raises:
            SortitionError: Not everything could be flushed.
        """
        try:
            if self.leader is not None:
                self.leader.stop()
            if self.alerting is not None:
                self.alerting.detach()
            self.switcher.stop()
            self.keeper.stop()
            self.backend.experiments.peeks.stop()
            self.flusher.stop(drain_s)
        finally:
            self.db.close()
