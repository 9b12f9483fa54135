"""Brings what was recorded from the engine into the database, every few seconds and on demand."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from sortition.core import Engine, SealedBatch
from sortition.errors import Conflict, InternalError, SortitionError, StoreUnavailable, Unavailable
from sortition.flusher.backoff import backoff_s
from sortition.state import Identity
from sortition.store import BatchWriter

__all__ = ["FlushState", "Flusher"]

_log = logging.getLogger(__name__)

DEFAULT_INTERVAL_S = 5.0
DEFAULT_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class FlushState:
    """How flushing goes.

    Attributes:
        flushed_batch: The last batch that is in the database; 0 when there is none.
        flushed_at: When it was put there by this process; None before that.
        failures: Attempts that failed since the last one that did not.
        last_error: The message of the last failure; empty after a success.
        fenced: Whether nothing can be flushed ever again, because another sidecar took this one's place.
    """

    flushed_batch: int
    flushed_at: datetime | None = None
    failures: int = 0
    last_error: str = ""
    fenced: bool = False


class Flusher:
    """Seals batches and has them applied, one at a time.

    While the database is away nothing is lost: the sealed batch is kept and sent again, and what is recorded meanwhile
    gathers in the open one. Both are made of cells, so they stay small however long it takes.
    """

    def __init__(
        self,
        engine: Engine,
        writer: BatchWriter,
        *,
        interval_s: float = DEFAULT_INTERVAL_S,
        on_change: Callable[[], None] | None = None,
        on_commit: Callable[[SealedBatch], None] | None = None,
        remember: Callable[[Identity], None] | None = None,
    ) -> None:
        """Tells the engine which batch the database has; nothing is flushed before `start` or `flush`.

        Args:
            engine: Nothing was sealed from it yet.
            writer: This sidecar's place in the database.
            interval_s: The time between two flushes.
            on_change: Called whenever `state` has changed, by the thread that flushed; must not flush itself.
            on_commit: Called with each batch that is in the database, before the engine lets go of it.
            remember: Keeps, durably, who the writer is; called before anything is written under a name, and after each
                batch. Nothing is flushed when it raises before.
        """
        self._engine = engine
        self._writer = writer
        self._interval_s = interval_s
        self._on_change = on_change
        self._on_commit = on_commit
        self._remember = remember
        self._remembered: Identity | None = None
        self._chance = random.Random()
        self._state = FlushState(writer.high_water)
        self._one_at_a_time = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        engine.resume(writer.high_water)

    @property
    def writer(self) -> str:
        """The name it writes under; another one once that was taken."""
        return self._writer.name

    @property
    def state(self) -> FlushState:
        """How flushing goes."""
        return self._state

    def start(self) -> None:
        """Starts to flush in the background.

        Raises:
            InternalError: It was started before.
        """
        if self._thread is not None:
            raise InternalError("a flusher is started once")
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)
        self._thread.start()

    def flush(self, timeout_s: float | None = None) -> None:
        """Puts into the database everything that was recorded before the call.

        Args:
            timeout_s: How long a flush that is under way is waited for; 30 when None.

        Raises:
            StoreUnavailable: The database cannot be reached, or the flush under way did not end in time. Nothing is
                lost; it will be tried again.
            Conflict: Another sidecar took this one's place; this one can flush nothing any more.
            StoreError: The database cannot be used.
            DataLoss: What is stored does not fit what was recorded.
        """
        self._flush(DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Ends flushing in the background, then flushes until nothing is left.

        To be called when nothing is recorded any more. Another call goes on where this one gave up.

        Args:
            timeout_s: How long failures are retried.

        Raises:
            StoreUnavailable: Something is left that could not be stored in time.
            Conflict: Another sidecar took this one's place.
            StoreError: The database cannot be used.
            DataLoss: What is stored does not fit what was recorded.
        """
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        failures = 0
        while True:
            left_s = deadline - time.monotonic()
            try:
                if not self._flush(max(0.0, left_s)):
                    return
                failures = 0
            except Unavailable as error:
                failures += 1
                pause_s = backoff_s(failures, self._chance)
                if time.monotonic() + pause_s >= deadline:
                    raise StoreUnavailable(
                        f"stopped with outcomes that are not in the database after {timeout_s:g} s: {error}"
                    ) from error
                time.sleep(pause_s)
                continue
            if time.monotonic() >= deadline:
                raise StoreUnavailable(
                    f"outcomes were still being recorded after {timeout_s:g} s; stop recording first"
                )

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_s()):
            try:
                self._flush(DEFAULT_TIMEOUT_S)
            except Conflict as error:
                _log.error("flushing ends: %s", error)
                return
            except SortitionError as error:
                _log.warning("flush failed, attempt %d: %s", self._state.failures, error)
            except Exception:
                # A defect; but a thread that dies silently would be a second one.
                _log.exception("flush failed, attempt %d", self._state.failures)

    def _pause_s(self) -> float:
        failures = self._state.failures
        return backoff_s(failures, self._chance) if failures else self._interval_s

    def _flush(self, timeout_s: float) -> bool:
        """Flushes what was recorded before the call; False when there was nothing."""
        if not self._one_at_a_time.acquire(timeout=timeout_s):
            raise StoreUnavailable(f"a flush that is under way did not end within {timeout_s:g} s; try again")
        try:
            # Batches that were sealed earlier, even by an earlier process, lack the latest: the open one follows.
            flushed = False
            for _ in range(self._engine.waiting + 1):
                if not self._flush_one():
                    break
                flushed = True
            return flushed
        finally:
            self._one_at_a_time.release()

    def _flush_one(self) -> bool:
        try:
            batch = self._engine.seal()
            if batch is None:
                return False
            self._apply(batch)
        except BaseException as error:
            failures = self._state.failures + 1
            fenced = isinstance(error, Conflict)
            self._change(replace(self._state, failures=failures, last_error=str(error), fenced=fenced))
            raise
        if self._on_commit is not None:
            self._on_commit(batch)
        self._engine.commit(batch.number)
        self._keep_number()
        self._change(FlushState(batch.number, datetime.now(timezone.utc)))
        return True

    def _apply(self, batch: SealedBatch) -> None:
        self._keep_name()
        try:
            self._writer.apply(batch)
        except Conflict as lost:
            self._writer.go_apart()
            _log.warning("%s; goes on as %s", lost, self._writer.name)
            # Before anything is written under the name: a restart that did not know it would write it once more.
            self._keep_name()
            self._writer.apply(batch)

    def _keep_name(self) -> None:
        known, now = self._remembered, self._writer.identity
        if self._remember is not None and (known is None or (known.name, known.epoch) != (now.name, now.epoch)):
            self._remember(now)
            self._remembered = now

    def _keep_number(self) -> None:
        if self._remember is None:
            return
        try:
            self._remember(self._writer.identity)
        except SortitionError as error:
            # It only helps to notice that an older copy of the database was restored; the next one will do as well.
            _log.warning("batch %d is stored, but that was not written down: %s", self._writer.high_water, error)

    def _change(self, state: FlushState) -> None:
        self._state = state
        if self._on_change is not None:
            try:
                self._on_change()
            except Exception:
                _log.exception("the listener to flushes failed")
