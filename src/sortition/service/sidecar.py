"""One sidecar: started, serving, drained."""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone

import structlog

from sortition import core
from sortition.api.address import parse_listen
from sortition.api.backend import Backend
from sortition.api.convert import timestamp
from sortition.api.server import Server, build_server
from sortition.core import Engine
from sortition.errors import SortitionError, StoreError, StoreUnavailable
from sortition.lifecycle import KillSwitch
from sortition.lifecycle.alerts import Problem
from sortition.lifecycle.keeper import is_ahead
from sortition.rpc.v1 import admin_pb2
from sortition.service.alerting import Alerting, problems
from sortition.service.doors import Doors
from sortition.service.entrance import Entrance
from sortition.service.first import First
from sortition.service.lane import NativeLane
from sortition.service.outcomes import open_engine
from sortition.service.storage import Storage, open_database
from sortition.settings import Settings
from sortition.state import StateDirectory
from sortition.state.snapshot import load_local
from sortition.state.units import KeptUnits
from sortition.store import Database

__all__ = ["Service"]

_log = structlog.get_logger("sortition.service")

# How long grpc may take to notice that the calls it has cancelled are over.
_CANCEL_S = 5.0
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 15.0


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Service:
    """A sidecar in this process.

    When the database cannot be reached at the start, it answers from the last good snapshot and keeps what is recorded,
    within the engine's bounds, until the database is there; the control plane is unavailable until then.
    """

    def __init__(
        self, settings: Settings, *, first: First | None = None, now: Callable[[], datetime] = _utc_now
    ) -> None:
        """Makes a sidecar that is not running yet.

        Args:
            settings: Its settings.
            first: What answers already, if anything does; the sidecar closes it.
            now: The clock of the control plane; aware, in UTC.
        """
        self._settings = settings
        self._now = now
        self._listen = parse_listen(settings.listen)
        self._started_at = now()
        self._state = first.state if first else None
        self._engine = first.engine if first else None
        self._entrance = first.entrance if first else None
        self._units = first.units if first else None
        self._lane = first.lane if first else None
        self._server: Server | None = None
        self._storage: Storage | None = None
        self._doors: Doors | None = None
        self._switch: KillSwitch | None = None
        self._alerting: Alerting | None = None
        self._tending: threading.Thread | None = None
        self._stopping = threading.Event()
        self._one_stop = threading.Lock()
        self._over = threading.Event()
        self._announced = False

    @property
    def address(self) -> str:
        """Where it listens: ``host:port`` with the port that was chosen, or ``unix:/path``."""
        return self._server.address if self._server else str(self._listen)

    @property
    def lane(self) -> str:
        """Where its native lane listens; empty where it has none."""
        return self._lane.address if self._lane else ""

    @property
    def ready(self) -> bool:
        """Whether a snapshot is loaded, so that calls are answered."""
        return self._engine is not None and self._engine.ready

    @property
    def attached(self) -> bool:
        """Whether the database has been reached."""
        return self._storage is not None

    def start(self) -> None:
        """Starts, and returns once it listens.

        Raises:
            SettingsError: A setting cannot be used.
            FailedPrecondition: Another sidecar uses the state directory, or it is a copy.
            DataLoss: The log is damaged where it was acknowledged.
            Unavailable: The address is in use.
            StoreUnavailable: The database cannot be reached, and there is no last good snapshot to answer from.
            StoreError: The database cannot be used.
        """
        try:
            self._start()
        except BaseException:
            # What was recovered waits for the next attempt; that it could not be stored is no news.
            with suppress(SortitionError):
                self._release(drain_s=0)
            raise

    def _start(self) -> None:
        # Before anything is touched: what cannot be used is refused first.
        self._alerting = Alerting(self._settings, now=self._now)
        if self._lane is not None and self._engine is not None:
            _log.info("answering", lane=self.lane, version=self._engine.snapshot_version)
        self._state = self._state or StateDirectory(self._settings.state_dir)
        self._entrance = self._entrance or Entrance.open(self._settings)
        self._doors = Doors(self._entrance, self._backend, self._now)
        engine = self._make_engine(self._state)
        self._server = build_server(
            self._listen,
            engine,
            self._backend,
            self._info,
            workers=self._settings.workers,
            max_streams=self._settings.max_streams,
            guard=self._doors.guard,
            credentials=self._doors.credentials,
        )
        self._doors.start()
        assert self._switch is not None
        self._switch.start()
        self._look_after(engine, self._state)
        self._server.start()
        self._lane = self._lane or NativeLane.open(self._settings, engine, self._entrance)
        if self.ready:
            self._server.health.serving()
        if not (self.ready and self.attached):
            self._tending = threading.Thread(target=self._tend, name="sortition-attach", daemon=True)
            self._tending.start()
        self._state.announce(self.address, self.lane or None)
        self._announced = True
        _log.info(
            "listening",
            address=self.address,
            lane=self.lane,
            ready=self.ready,
            database=self.attached,
            tls=self._doors.credentials is not None,
            tokens=self._doors.guard is not None,
        )

    def _look_after(self, engine: Engine, state: StateDirectory) -> None:
        assert self._alerting is not None

        def probe() -> Iterator[Problem]:
            storage = self._storage
            return problems(engine, self._settings, storage.flusher if storage is not None else None, state.path)

        self._alerting.look_after(probe, name=state.writer(self._settings.writer).name, kept=state.alerts)

    def _make_engine(self, state: StateDirectory) -> Engine:
        """Returns the engine, attached to the database, or else with the last good snapshot."""
        key = state.kept_key()
        try:
            db = open_database(self._settings, state)
        except StoreUnavailable as error:
            if key is None:
                raise
            return self._without_database(self._open_engine(state, key), state, error)
        try:
            if self._engine is not None and (db.installation_key != key or is_ahead(self._engine, db)):
                self._start_over(state)
            engine = self._open_engine(state, db.installation_key)
            self._attach(db, engine, state)
        except StoreUnavailable as error:
            db.close()
            if db.installation_key != key or self._engine is None:
                # The snapshot that is kept here belongs to another database, so there is nothing to answer from.
                raise
            return self._without_database(self._engine, state, error)
        except BaseException:
            db.close()
            raise
        state.keep_key(db.installation_key, self._settings.database_url)
        return engine

    def _start_over(self, state: StateDirectory) -> None:
        """Takes back the first stage: it answers from what the database does not say, or not any more."""
        _log.warning("the database is another one than at the last start, or an older copy of it: starting over")
        state.withdraw()
        if self._lane is not None:
            self._lane.stop(_CANCEL_S)
        if self._engine is not None:
            self._close_engine(self._engine)
        self._lane = self._engine = self._units = None

    def _open_engine(self, state: StateDirectory, key: bytes) -> Engine:
        # Kept at once: whatever fails from here on, its log has to be closed.
        self._engine = self._engine or open_engine(self._settings, state, key)
        # Before any snapshot is loaded: what was paused by the process before is never answered otherwise.
        self._switch = KillSwitch(self._engine, snapshot=state.snapshot, kept=state.held, now=self._now)
        if self._units is None:
            self._units = KeptUnits(self._engine, state.units)
            self._units.load()
        return self._engine

    def _without_database(self, engine: Engine, state: StateDirectory, error: StoreUnavailable) -> Engine:
        if not engine.ready and not load_local(engine, state.snapshot):
            raise error
        _log.error("database not reached", error=error.message)
        _log.warning("answering from the last good snapshot", version=engine.snapshot_version)
        return engine

    def _attach(self, db: Database, engine: Engine, state: StateDirectory) -> None:
        assert self._switch is not None
        assert self._alerting is not None
        assert self._units is not None
        self._storage = Storage.attach(
            db,
            engine,
            settings=self._settings,
            state=state,
            now=self._now,
            switch=self._switch,
            alerting=self._alerting,
            units=self._units,
            given_up=self._give_up,
        )

    def _give_up(self) -> None:
        # What would be recorded from now on could never be stored: clients should find another sidecar, and whoever
        # started this one should see it end.
        if not self._stopping.is_set():
            why = "another sidecar took its place" if self._engine and self._engine.log_sound else "its log failed"
            _log.error("nothing can be recorded any more, the sidecar ends", why=why, unflushed=self._unflushed())
            self.request_stop()

    def _tend(self) -> None:
        """Tries to attach the database until it is there, and tells of readiness as soon as there is a snapshot."""
        assert self._server is not None
        failures = 0
        while not (self.attached and self.ready):
            # At random, so that sidecars that lost their database together do not come back together.
            pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10)) * random.uniform(0.5, 1)
            if self._stopping.wait(pause):
                return
            if not self.attached:
                failures = 0 if self._try_to_attach() else failures + 1
        self._server.health.serving()

    def _try_to_attach(self) -> bool:
        assert self._state is not None
        assert self._engine is not None
        try:
            db = open_database(self._settings, self._state)
            try:
                if db.installation_key != self._state.kept_key():
                    raise StoreError(
                        f"{db.name}: is not the database that state_dir {self._state.path} was used with; restart the"
                        " sidecar to use it"
                    )
                self._attach(db, self._engine, self._state)
            except BaseException:
                db.close()
                raise
        except SortitionError as error:
            _log.warning("database not reached", error=error.message)
            return False
        except Exception as error:
            # Nobody would notice that this thread has ended; the next attempt may go better.
            _log.error("database not attached", exception="".join(traceback.format_exception(error)))
            return False
        _log.info("database reached")
        return True

    def _backend(self) -> Backend:
        if self._storage is None:
            raise StoreUnavailable(
                "the database could not be reached since the start; assign and record go on, try again later"
            )
        return self._storage.backend

    def _info(self) -> admin_pb2.ServerInfo:
        assert self._engine is not None
        storage = self._storage
        info = admin_pb2.ServerInfo(
            version=core.__version__,
            writer=storage.flusher.writer if storage else "",
            database=storage.db.kind if storage else "",
            snapshot_version=self._engine.snapshot_version,
            snapshot_hash=self._engine.snapshot_hash.hex(),
            started_at=timestamp(self._started_at),
            counters=self._engine.counters(),
            lane=self.lane,
        )
        if self._lane is not None:
            info.counters.update(self._lane.counters())
        if self._entrance is not None and self._entrance.keyring is not None:
            info.counters["denied_calls"] = self._entrance.denials.total
        if self._alerting is not None:
            info.counters.update(self._alerting.counters())
        if storage:
            flushes = storage.flusher.state
            info.flushed_batch = flushes.flushed_batch
            info.flush_failures = flushes.failures
            info.flush_error = flushes.last_error
            if flushes.flushed_at:
                info.flushed_at.FromDatetime(flushes.flushed_at)
        return info

    def request_stop(self) -> None:
        """Makes `wait` return. Not for signal handlers: they could interrupt the thread that holds its lock."""
        self._stopping.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until a stop is requested; returns whether it was."""
        return self._stopping.wait(timeout_s)

    def stop(self, drain_s: float | None = None) -> None:
        """Drains: no new calls, those under way finish, everything recorded goes to the database.

        Later calls do nothing.

        Args:
            drain_s: Seconds for the calls under way, and again for the flush; the setting when None.

        Raises:
            StoreUnavailable: The flush failed; what it could not store waits in the log for the next start or, without
                one, is lost; the message says what.
            SortitionError: The database cannot be used; likewise.
        """
        with self._one_stop:
            if not self._over.is_set():
                self._over.set()
                self._release(self._settings.drain_s if drain_s is None else drain_s)

    def _release(self, drain_s: float) -> None:
        self._stopping.set()
        if self._state:
            self._state.withdraw()
        try:
            if self._announced:
                _log.info("draining", drain_s=drain_s)
            # Both at the same time.
            stopped = self._server.stop(drain_s) if self._server else None
            if self._lane:
                self._lane.stop(drain_s)
            if stopped:
                stopped.wait(drain_s + _CANCEL_S)
            if self._tending:
                # An attempt to reach the database is bounded by its time limit.
                self._tending.join()
            if self._doors:
                self._doors.stop()
            if self._switch:
                self._switch.stop()
            if self._alerting:
                self._alerting.stop()
            self._flush_last(drain_s)
        finally:
            if self._server:
                self._server.close()
            if self._engine:
                self._close_engine(self._engine)
            if self._state:
                self._state.close()
                self._state = None
        # Why a start has failed is said by its error, and nothing else matters then.
        if self._announced:
            _log.info("stopped")

    def _flush_last(self, drain_s: float) -> None:
        if self._engine is None:
            return
        try:
            if self._storage:
                self._storage.close(drain_s)
            elif self._unflushed():
                raise StoreUnavailable("the database could not be reached since the start")
        except SortitionError as error:
            left = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in self._unflushed().items())
            fate = (
                "lost with the memory of this process" if self._engine.recovery is None else "kept for the next start"
            )
            raise type(error)(f"{error.message}; {fate}: {left or 'the last batch'}") from error

    def _close_engine(self, engine: Engine) -> None:
        try:
            engine.close()
        except SortitionError as error:
            _log.error("log not closed", error=error.message)

    def _unflushed(self) -> dict[str, int]:
        assert self._engine is not None
        held = self._engine.counters()
        return {name: held[name] for name in ("live_cells", "pending_exposures") if held[name]}
