"""What is done again and again beside everything else: one thread each, which nothing that fails ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from sortition.errors import SortitionError

__all__ = ["Repeating", "stop_all"]

# A database that hangs must not keep the outcomes waiting, which come after whoever is stopped.
_STOP_S: Final = 5.0


class Repeating:
    """Does something every so often on a thread of its own until it is stopped; what fails is tried again."""

    def __init__(
        self, what: str, work: Callable[[], object], *, every_s: float, name: str = "", level: int = logging.WARNING
    ) -> None:
        """Makes one that does nothing yet.

        Args:
            what: What it is, for the log: it says "… waits" once for each reason, and "… failed" with a traceback.
            work: What is done.
            every_s: Seconds before the first time, and between one time and the next.
            name: The thread's name, after "sortition-"; `what` unless given.
            level: How loudly it is said that it waits.
        """
        self._what = what
        self._work = work
        self._every_s = every_s
        self._name = f"sortition-{name or what}"
        self._level = level
        self._complaint = ""
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Does it now, and not only after the pause."""
        self._woken.set()

    def end(self) -> None:
        """Begins nothing more; what is under way goes on."""
        self._stopping.set()
        self._woken.set()

    def stop(self, within_s: float = _STOP_S) -> None:
        """Ends, and waits so long for what is under way."""
        self.end()
        if self._thread is not None:
            self._thread.join(max(0.0, within_s))

    def _run(self) -> None:
        log = structlog.get_logger(self._work.__module__)
        while True:
            self._woken.wait(self._every_s)
            self._woken.clear()
            if self._stopping.is_set():
                return
            try:
                self._work()
                self._complaint = ""
            except SortitionError as error:
                # Said once, not every second.
                if error.message != self._complaint:
                    self._complaint = error.message
                    log.log(self._level, f"{self._what} waits", error=error.message)
            except Exception:
                # Nobody would notice that this thread has ended; the next time may go better.
                log.exception(f"{self._what} failed")


def stop_all(repeated: Iterable[Repeating], within_s: float = _STOP_S) -> None:
    """Ends several at once, and waits so long for all that is under way."""
    every = list(repeated)
    for one in every:
        one.end()
    deadline = time.monotonic() + within_s
    for one in every:
        one.stop(deadline - time.monotonic())
