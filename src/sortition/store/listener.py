"""Hears from a PostgreSQL server, at once, that somebody changed what is answered."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from sortition.store.installation import CHANNEL

if TYPE_CHECKING:
    from sortition.store.deadline import DeadlineConnection

__all__ = ["ChangeListener"]

_log = structlog.get_logger("sortition.store")
_LOOK_S = 0.5
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STOP_S = 30.0


class ChangeListener:
    """Listens over a connection of its own, and connects again when that is lost.

    What is notified while it is not connected is never heard; so whoever uses it also looks from time to time.
    """

    def __init__(self, connect: Callable[[], DeadlineConnection], heard: Callable[[], None]) -> None:
        """Starts to listen.

        Args:
            connect: Opens a connection, each of whose statements is a transaction.
            heard: Called after each notification, and whenever it has begun to listen; by a thread of its own.
        """
        self._connect = connect
        self._heard = heard
        self._listening = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sortition-listen", daemon=True)
        self._thread.start()

    @property
    def listening(self) -> bool:
        """Whether it is connected, as far as it knows."""
        return self._listening

    def stop(self) -> None:
        """Stops listening."""
        self._stopping.set()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {CHANNEL}".encode())
                    failures = 0
                    self._listening = True
                    # Something may have changed before.
                    self._heard()
                    self._listen(connection)
            except Exception as error:
                # The driver's errors, for the most part; whoever uses this looks by itself meanwhile.
                failures += 1
                if failures == 1:
                    _log.warning("changes are not heard of, but looked for", error=" ".join(str(error).split()))
            finally:
                self._listening = False
            # At random, so that sidecars that lost their database together do not come back together.
            pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1)
            self._stopping.wait(pause)

    def _listen(self, connection: DeadlineConnection) -> None:
        while not self._stopping.is_set():
            notifications: list[Any] = list(connection.notifies(timeout=_LOOK_S, stop_after=1))
            if notifications:
                self._heard()
