"""What a client counts about itself."""

from __future__ import annotations

import threading
from dataclasses import dataclass

__all__ = ["ClientStats", "Tally"]


@dataclass(frozen=True)
class ClientStats:
    """What a client did since it was made.

    Attributes:
        assigned: Units that the sidecar answered for.
        defaulted: Units that got the configured default, because the sidecar was away or refused.
        recorded: Outcomes that the sidecar has taken.
        observations: Observations in them that were counted.
        duplicates: Outcomes that the sidecar already had; a retry, counted once.
        retries: Calls that were made again.
        refused: Outcomes, or values of an outcome, that can never be accepted; they are lost.
        dropped: Outcomes that found the buffer full, or were still in it at the end; they are lost.
        waiting: Outcomes in the buffer now, to be sent with a later call.
    """

    assigned: int = 0
    defaulted: int = 0
    recorded: int = 0
    observations: int = 0
    duplicates: int = 0
    retries: int = 0
    refused: int = 0
    dropped: int = 0
    waiting: int = 0


class Tally:
    """Counters that threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Adds to the counter of that field of `ClientStats`."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + count

    def read(self, *, waiting: int) -> ClientStats:
        """Returns the counters as they stand."""
        with self._lock:
            return ClientStats(**self._counts, waiting=waiting)
