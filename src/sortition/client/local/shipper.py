"""Ships what an engine in this process has taken to the sidecar, each of it once."""

from __future__ import annotations

import logging
import os
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from sortition.core import Consignment, Engine
from sortition.errors import ResourceExhausted, SortitionError, Unauthenticated, Unavailable
from sortition.rpc.v1 import recording_pb2

__all__ = ["Shipped", "Shipper"]

_log = logging.getLogger("sortition.client")

Send: TypeAlias = Callable[[bytes, float], recording_pb2.RecordResponse]
"""Makes one call of RecordBatch with these bytes, in so many seconds."""

# Below the 4 MiB that a batch may have, with room for its delivery.
MAX_BYTES: Final = 3 * 2**20
_CLIENT_ID_BYTES: Final = 16
_CALL_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
_JOIN_S: Final = 2.0
_ITEM: Final = re.compile(r"\b(outcomes|exposed)\[(\d+)\]")


@dataclass(frozen=True)
class Shipped:
    """What became of what was shipped.

    Attributes:
        observations: Observations that the sidecar has counted.
        duplicates: Batches that it had already.
        retries: Calls that were made again.
        refused: Outcomes and exposed units that it can never accept; they are lost.
    """

    observations: int = 0
    duplicates: int = 0
    retries: int = 0
    refused: int = 0


class Shipper:
    """Sends numbered batches, one at a time: a number is used again until its batch is answered.

    Everything below the number is settled by then, so the sidecar remembers one number of this client and no more.
    """

    def __init__(self, engine: Engine, send: Send, interval_s: float) -> None:
        """Makes one that has not begun.

        Args:
            engine: What hands out.
            send: What takes.
            interval_s: How long something waits at most while the sidecar is there, in seconds.
        """
        self._engine = engine
        self._send = send
        self._interval_s = interval_s
        self._client = os.urandom(_CLIENT_ID_BYTES)
        self._seq = 0
        self._one = threading.Lock()
        self._consignment: Consignment | None = None
        # Parts of it that are not answered; only the first may have been sent under the current number.
        self._parts: deque[bytes] = deque()
        self._numbered = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sortition-ship", daemon=True)
        self._told = False
        self.shipped = Shipped()

    def start(self) -> None:
        """Begins to send by itself."""
        self._thread.start()

    def stop(self) -> None:
        """Ends that."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def flush(self, timeout_s: float) -> SortitionError | None:
        """Sends all that waits, for at most `timeout_s` seconds; returns why something still does."""
        deadline = time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            error = self._ship(deadline)
            if error is None or time.monotonic() + pause_s >= deadline:
                return error
            time.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _run(self) -> None:
        pause_s = self._interval_s
        while not self._stopped.wait(pause_s):
            try:
                error = self._ship(time.monotonic() + _CALL_S)
            except Exception:
                # Nobody would notice that this thread has ended; the next attempt may go better.
                _log.exception("nothing was shipped")
                error = Unavailable("a defect")
            if error is None:
                pause_s = self._interval_s
                self._told = False
                continue
            if not self._told:
                self._told = True
                _log.warning("outcomes are kept until the sidecar takes them: %s", error.message)
            pause_s = min(_LONGEST_PAUSE_S, max(2 * pause_s, _FIRST_PAUSE_S)) * random.uniform(0.5, 1)

    def _ship(self, deadline: float) -> SortitionError | None:
        """Sends until nothing waits; returns why it had to stop."""
        # The thread may be in the middle of a call; whoever flushes waits for it, and no longer than for its own.
        if not self._one.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return Unavailable("another call is under way")
        try:
            while self._parts or self._take():
                error = self._send_first(deadline)
                if error is not None:
                    return error
                if not self._parts and self._consignment is not None:
                    self._engine.settle(self._consignment)
                    self._consignment = None
            return None
        finally:
            self._one.release()

    def _take(self) -> bool:
        self._consignment = self._engine.hand_out(MAX_BYTES)
        if self._consignment is None:
            return False
        self._parts.append(self._consignment.content)
        return True

    def _send_first(self, deadline: float) -> SortitionError | None:
        """Sends the first part; takes it away once it is answered for good."""
        left_s = min(_CALL_S, deadline - time.monotonic())
        if left_s <= 0:
            return Unavailable("there was no time left")
        if self._numbered:
            self._count(retries=1)
        else:
            self._seq += 1
            self._numbered = True
        content = self._parts[0]
        delivery = recording_pb2.Delivery(client=self._client, seq=self._seq, oldest_pending=self._seq)
        # Messages concatenate: nothing that was handed out is decoded.
        request = content + recording_pb2.RecordBatchRequest(delivery=delivery).SerializeToString()
        try:
            response = self._send(request, left_s)
        except SortitionError as error:
            if _passes(error):
                return error
            kept = _without_refused(content, error)
            self._parts.popleft()
            self._parts.extendleft(reversed(kept))
            lost = _items(content) - sum(map(_items, kept))
            self._count(refused=lost)
            if lost:
                _log.warning("%d outcomes or exposures were refused: %s", lost, error.message)
        else:
            self._parts.popleft()
            self._count(observations=response.accepted, duplicates=int(response.duplicate))
        self._numbered = False
        return None

    def _count(self, *, observations: int = 0, duplicates: int = 0, retries: int = 0, refused: int = 0) -> None:
        # Only whoever holds the lock counts.
        now = self.shipped
        self.shipped = Shipped(
            now.observations + observations, now.duplicates + duplicates, now.retries + retries, now.refused + refused
        )


def _passes(error: SortitionError) -> bool:
    """Says whether the same batch may be taken later."""
    return isinstance(error, (Unavailable, Unauthenticated)) or (
        isinstance(error, ResourceExhausted) and not error.violations
    )


def _items(content: bytes) -> int:
    request = recording_pb2.RecordBatchRequest.FromString(content)
    return len(request.outcomes) + len(request.exposed)


def _without_refused(content: bytes, error: SortitionError) -> list[bytes]:
    """Returns what is left of a refused batch: without what the error names, or in halves where it names nothing.

    One bad outcome refuses its batch, and nothing of the batch was applied; the others are innocent.
    """
    request = recording_pb2.RecordBatchRequest.FromString(content)
    named = {
        (field, int(index))
        for text in (error.message, *(violation.field for violation in error.violations))
        for field, index in _ITEM.findall(text)
    }
    outcomes = [each for index, each in enumerate(request.outcomes) if ("outcomes", index) not in named]
    exposed = [each for index, each in enumerate(request.exposed) if ("exposed", index) not in named]
    left = len(outcomes) + len(exposed)
    if left < len(request.outcomes) + len(request.exposed):
        kept = [(outcomes, exposed)]
    elif left == 1:
        kept = []
    elif outcomes and exposed:
        kept = [(outcomes, []), ([], exposed)]
    else:
        half = left // 2
        kept = [(outcomes[:half], exposed[:half]), (outcomes[half:], exposed[half:])]
    return [
        recording_pb2.RecordBatchRequest(outcomes=outcomes, exposed=exposed).SerializeToString()
        for outcomes, exposed in kept
        if outcomes or exposed
    ]
