"""Outcomes on their way, each counted once however often it is sent."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence

from sortition.rpc.v1 import recording_pb2

__all__ = ["WINDOW", "Outbox", "Parcel"]

WINDOW = 256
"""Calls that may be unsettled at once: the sidecar remembers that many per client."""
_CLIENT_ID_BYTES = 16


class Parcel:
    """The outcome of one trial, sent in one call.

    Args:
        outcomes: Its observations; several where they are too many for one outcome.
        label: What it is called in messages.
    """

    __slots__ = ("label", "outcomes", "seq", "waited")

    def __init__(self, outcomes: Sequence[recording_pb2.Outcome], label: str) -> None:
        self.outcomes = outcomes
        self.label = label
        self.seq = 0
        self.waited = False

    @property
    def method(self) -> str:
        """The call that carries it."""
        return "Record" if len(self.outcomes) == 1 else "RecordBatch"

    def request(
        self, delivery: recording_pb2.Delivery
    ) -> recording_pb2.RecordRequest | recording_pb2.RecordBatchRequest:
        """Returns the message of that call."""
        if len(self.outcomes) == 1:
            return recording_pb2.RecordRequest(outcome=self.outcomes[0], delivery=delivery)
        return recording_pb2.RecordBatchRequest(outcomes=self.outcomes, delivery=delivery)


class Outbox:
    """A bounded queue, and the numbers that make a call safe to repeat.

    A parcel keeps its number until it is settled: delivered, refused or dropped. A sidecar that is told a number twice
    counts it once, and everything below the oldest unsettled number is settled for it.

    Args:
        capacity: How many parcels may wait.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.reset()

    def reset(self) -> None:
        """Starts anew under another id, as a forked process has to: what waits is its parent's to send."""
        self._lock = threading.Lock()
        self._client = os.urandom(_CLIENT_ID_BYTES)
        self._last = 0
        self._unsettled: set[int] = set()
        self._waiting: deque[Parcel] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def number(self, parcel: Parcel) -> bool:
        """Gives `parcel` its number, unless it has one; False when too many are unsettled."""
        with self._lock:
            return self._number(parcel)

    def _number(self, parcel: Parcel) -> bool:
        if parcel.seq:
            return True
        if self._unsettled and self._last + 1 - min(self._unsettled) >= WINDOW:
            return False
        self._last += 1
        parcel.seq = self._last
        self._unsettled.add(parcel.seq)
        return True

    def delivery(self, parcel: Parcel) -> recording_pb2.Delivery:
        """Returns what goes with a numbered `parcel` so that it is counted once."""
        with self._lock:
            oldest = min(self._unsettled, default=parcel.seq)
            return recording_pb2.Delivery(client=self._client, seq=parcel.seq, oldest_pending=min(oldest, parcel.seq))

    def settle(self, parcel: Parcel) -> None:
        """Notes that `parcel` will not be sent again."""
        with self._lock:
            self._unsettled.discard(parcel.seq)

    def keep(self, parcel: Parcel) -> bool:
        """Puts `parcel` into the queue, one that has waited before at its head; False when the queue is full."""
        with self._lock:
            if parcel.waited:
                # Its place was never given away: the queue may exceed its bound by what is under way.
                self._waiting.appendleft(parcel)
                return True
            if len(self._waiting) >= self.capacity:
                self._unsettled.discard(parcel.seq)
                return False
            parcel.waited = True
            self._waiting.append(parcel)
            return True

    def take(self) -> Parcel | None:
        """Takes the oldest parcel, numbered; ``None`` when none can be sent now."""
        with self._lock:
            if not self._waiting or not self._number(self._waiting[0]):
                return None
            return self._waiting.popleft()

    def clear(self) -> int:
        """Gives up everything that waits and returns how many that were."""
        with self._lock:
            count = len(self._waiting)
            self._unsettled.difference_update(parcel.seq for parcel in self._waiting)
            self._waiting.clear()
            return count
