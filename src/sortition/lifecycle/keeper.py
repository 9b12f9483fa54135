"""Keeps the engine's snapshot up to date, and the last good one on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import structlog

from sortition.core import Engine
from sortition.errors import SortitionError
from sortition.files import replace_file
from sortition.lifecycle.snapshot import compile_snapshot, snapshot_version
from sortition.rpc.v1 import snapshot_pb2
from sortition.state.snapshot import load_local
from sortition.store.database import Database

if TYPE_CHECKING:
    from sortition.store.listener import ChangeListener

__all__ = ["SnapshotKeeper", "is_ahead"]

_log = structlog.get_logger("sortition.lifecycle")
# A compilation under way is waited for this long; it reads one state of the database and is bounded by its time limit.
STOP_TIMEOUT_S = 30.0
# Between two looks while the database tells of changes: below the two seconds in which a change has to be everywhere.
LISTENING_POLL_S = 1.5

Listen: TypeAlias = "Callable[[Callable[[], None]], ChangeListener | None]"


class SnapshotKeeper:
    """Loads every change of the stored state into an engine.

    Those of this process at once, others' as soon as the database tells of them, or within a poll where it does not.
    While the database is away the engine keeps what it has.
    """

    def __init__(
        self, db: Database, engine: Engine, path: Path, *, poll_s: float = 0.5, listen: Listen | None = None
    ) -> None:
        """Binds an engine to a database.

        Args:
            db: Where the state is.
            engine: What answers from it.
            path: The file for the last good snapshot; its directory exists.
            poll_s: Seconds between two looks for changes made through other sidecars, while none are told of.
            listen: Has a function called when there was a change; see `Database.listen`.
        """
        self._db = db
        self._engine = engine
        self._path = path
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._listen = listen
        self._listener: ChangeListener | None = None
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen = 0
        self._complaint = ""

    def start(self) -> None:
        """Loads the current state, or the last good one when that cannot be had, and begins to watch for changes."""
        if not self.refresh() and not self._engine.ready:
            self.load_local()
        if self._thread is None:
            self._stopping.clear()
            self._listener = self._listen(self._woken.set) if self._listen else None
            self._thread = threading.Thread(target=self._watch, name="sortition-snapshot", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stops watching. The engine keeps its snapshot."""
        thread, self._thread = self._thread, None
        listener, self._listener = self._listener, None
        self._stopping.set()
        self._woken.set()
        if listener is not None:
            listener.stop()
        if thread is not None:
            thread.join(STOP_TIMEOUT_S)

    def load_local(self) -> bool:
        """Loads the last good snapshot from disk; returns whether the engine took it."""
        loaded = load_local(self._engine, self._path)
        if loaded:
            _log.warning("answering from the last good snapshot", version=self._engine.snapshot_version)
        return loaded

    def refresh(self) -> bool:
        """Loads the current state now; returns whether the engine answers from it. It says in the log why not."""
        # One at a time, so that what is on disk is never older than what was loaded.
        with self._lock:
            try:
                with self._db.read() as tx:
                    snapshot = compile_snapshot(tx)
                header = snapshot_pb2.Snapshot.FromString(snapshot)
                # Seen even if it is refused: until the next change it would be refused again.
                self._seen = header.version
                loaded = self._engine.load_snapshot(snapshot)
            except SortitionError as error:
                self._complain("snapshot not refreshed", str(error))
                return False
            if loaded:
                self._keep(snapshot)
            elif not _holds(self._engine, header):
                # Versions only grow, so the database is not the one that the loaded snapshot came from.
                self._complain(
                    "snapshot not refreshed",
                    f"the database is at version {header.version}, and version {self._engine.snapshot_version} is"
                    " loaded: an older copy was restored; restart this sidecar",
                )
                return False
            if self._complaint:
                self._complaint = ""
                _log.info("snapshot refreshed again", version=header.version)
            return True

    def _watch(self) -> None:
        while not self._pause():
            try:
                with self._db.read() as tx:
                    version = snapshot_version(tx)
                if version != self._seen:
                    self.refresh()
            except SortitionError as error:
                self._complain("database not reached", str(error))
            except Exception:
                # Nobody would notice that this thread has ended; the next look may go better.
                _log.exception("snapshot not refreshed")

    def _pause(self) -> bool:
        """Waits until there may be a change; returns whether to stop."""
        listener = self._listener
        # What is told can still be lost with a connection, and the promise is kept without it.
        told = listener is not None and listener.listening
        self._woken.wait(max(self._poll_s, LISTENING_POLL_S) if told else self._poll_s)
        self._woken.clear()
        return self._stopping.is_set()

    def _complain(self, event: str, why: str) -> None:
        """Says once what would otherwise be said at every poll."""
        if why != self._complaint:
            self._complaint = why
            _log.error(event, error=why, version=self._engine.snapshot_version)

    def _keep(self, snapshot: bytes) -> None:
        try:
            replace_file(self._path, snapshot)
        except OSError as error:
            _log.error("last good snapshot not written", path=str(self._path), error=str(error))


def is_ahead(engine: Engine, db: Database) -> bool:
    """Returns whether an engine answers from a state that its database does not have: an older copy was restored.

    Raises:
        StoreUnavailable: The database cannot be reached.
        StoreError: It cannot be used.
    """
    with db.read() as tx:
        header = snapshot_pb2.Snapshot.FromString(compile_snapshot(tx))
    # Versions only grow.
    return header.version <= engine.snapshot_version and not _holds(engine, header)


def _holds(engine: Engine, header: snapshot_pb2.Snapshot) -> bool:
    """Returns whether an engine answers from this very snapshot."""
    hash = engine.snapshot_hash
    return (engine.snapshot_version, hash) == (header.version, header.content_hash[: len(hash)])
