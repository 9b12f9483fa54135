"""Calls as one client makes them: numbered, the same however often sent, and worth something once acknowledged."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faults.subject import Subject
from faults.truth import Exposed, Observed, Truth
from sortition.rpc.v1 import assignment_pb2, recording_pb2

__all__ = ["Call", "Calls"]

WINDOW = 256
"""How far the number of a call may be above the lowest one in doubt."""
_REMEMBERED = 200
_KEYED = 0.1
_OLD_UNIT = 0.3

_RECORD = "Recording/Record"
_RECORD_BATCH = "Recording/RecordBatch"
_ASSIGN = "Assignment/Assign"
_EXPOSE = "Assignment/Expose"
_SHARES = {_RECORD: 10, _RECORD_BATCH: 2, _ASSIGN: 5, _EXPOSE: 1}
_ANSWERS: dict[str, Any] = {
    _RECORD: recording_pb2.RecordResponse,
    _RECORD_BATCH: recording_pb2.RecordResponse,
    _ASSIGN: assignment_pb2.AssignResponse,
    _EXPOSE: assignment_pb2.ExposeResponse,
}


@dataclass(eq=False)
class Call:
    """One call.

    Attributes:
        method: Its service and name.
        request: What is sent.
        observed: What it records.
        exposed: Whom it exposes.
        variant: What the answer has to name, unless it is about a recording.
        seq: Its number; 0 when it has none.
        sent: How often it was sent.
        acknowledged: Whether it was answered.
    """

    method: str
    request: bytes
    observed: Sequence[Observed]
    exposed: Sequence[Exposed]
    variant: str = ""
    seq: int = 0
    sent: int = 0
    acknowledged: bool = False


class Calls:
    """The calls of one client: those in doubt, and the latest that were acknowledged."""

    def __init__(self, truth: Truth, subject: Subject, chance: random.Random, *, dated: bool = True) -> None:
        """Begins with none.

        Args:
            truth: Where is noted what was acknowledged.
            subject: What they are about.
            chance: Decides.
            dated: Whether calls say when it happened; otherwise the sidecar's clock decides.
        """
        self._truth = truth
        self._subject = subject
        self._chance = chance
        self._dated = dated
        self._client = chance.randbytes(16)
        self._seq = 0
        self._units = 0
        self.pending: list[Call] = []
        self._done: deque[Call] = deque(maxlen=_REMEMBERED)
        self.acknowledged = 0

    def make(self, methods: Sequence[str] = tuple(_SHARES)) -> Call | None:
        """Makes a call, which is in doubt until it is answered; none while too many are."""
        oldest = min((call.seq for call in self.pending if call.seq), default=self._seq + 1)
        if len(self.pending) >= WINDOW or self._seq + 1 - oldest > WINDOW:
            return None
        method = self._chance.choices(methods, [_SHARES[each] for each in methods])[0]
        made = self._recording(method, oldest) if method in (_RECORD, _RECORD_BATCH) else self._exposing(method)
        self.pending.append(made)
        return made

    def in_doubt(self, most: int) -> list[Call]:
        """Returns some calls that are in doubt."""
        return self._chance.sample(self.pending, min(len(self.pending), most))

    def done(self, most: int) -> list[Call]:
        """Returns some calls that were acknowledged not long ago."""
        return self._chance.sample(list(self._done), min(len(self._done), most))

    def shuffle(self, calls: list[Call]) -> None:
        """Brings calls into any order."""
        self._chance.shuffle(calls)

    def answered(self, call: Call, answer: bytes) -> str:
        """Notes the answer to a call; returns what is wrong with it, if anything."""
        message = _ANSWERS[call.method].FromString(answer)
        exposed, wrong = call.exposed, ""
        if call.method in (_RECORD, _RECORD_BATCH):
            wrong = _recorded(call, message)
        else:
            # Where an exposure finds no room, a unit is assigned all the same.
            exposed = call.exposed if message.exposed else ()
            if message.variant != call.variant and (call.method == _ASSIGN or message.exposed):
                wrong = f"{call.method}: the answer names {message.variant!r}, not {call.variant!r}"
        if call.acknowledged:
            self._truth.acknowledge((), exposed)
        else:
            self._truth.acknowledge(call.observed, exposed)
            call.acknowledged = True
            self.acknowledged += 1
            self.pending.remove(call)
            self._done.append(call)
        return wrong

    def _unit(self) -> str:
        if not self._units or self._chance.random() > _OLD_UNIT:
            self._units += 1
            return f"{self._client.hex()}-{self._units}"
        return f"{self._client.hex()}-{self._chance.randint(1, self._units)}"

    def _exposing(self, method: str) -> Call:
        assign, expose, exposed, variant = self._subject.exposure(self._unit())
        return Call(method, assign if method == _ASSIGN else expose, (), (exposed,), variant)

    def _recording(self, method: str, oldest: int) -> Call:
        outcomes = [
            self._subject.outcome(self._unit(), self._chance, dated=self._dated)
            for _ in range(1 if method == _RECORD else self._chance.randint(2, 6))
        ]
        seq = 0
        if self._chance.random() < _KEYED:
            delivery = recording_pb2.Delivery(idempotency_key=self._chance.randbytes(16))
        else:
            self._seq = seq = self._seq + 1
            delivery = recording_pb2.Delivery(client=self._client, seq=seq, oldest_pending=oldest)
        messages = [outcome.message for outcome in outcomes]
        request = (
            recording_pb2.RecordRequest(outcome=messages[0], delivery=delivery)
            if method == _RECORD
            else recording_pb2.RecordBatchRequest(outcomes=messages, delivery=delivery)
        )
        return Call(
            method,
            request.SerializeToString(),
            [each for outcome in outcomes for each in outcome.observed],
            [each for outcome in outcomes for each in outcome.exposed],
            seq=seq,
        )


def _recorded(call: Call, answer: recording_pb2.RecordResponse) -> str:
    if answer.duplicate:
        return "a call that was sent once is called a duplicate" if call.sent == 1 else ""
    if call.acknowledged:
        return "a call that had been acknowledged was applied again"
    if answer.accepted != len(call.observed):
        return f"{len(call.observed)} observations were sent, and {answer.accepted} accepted"
    return ""
