"""What a client says and when: written once for threads and for asyncio.

A conversation is a generator. It yields what is to be done, a `Call` or a `Pause`, gets back what came of it, and
returns its result. Whoever runs it decides how to wait: see `sync.py` and `aio.py`.
"""

from __future__ import annotations

import copy
import json
import logging
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from sortition.client.answer import Answer, Reason
from sortition.client.circuit import Circuit
from sortition.client.configs import ConfigCache
from sortition.client.failures import from_rpc
from sortition.client.observations import outcomes
from sortition.client.outbox import Outbox, Parcel
from sortition.client.stats import ClientStats, Tally
from sortition.client.wanted import Wanted
from sortition.errors import (
    FailedPrecondition,
    InternalError,
    ResourceExhausted,
    SidecarUnavailable,
    SortitionError,
    Unauthenticated,
    Unavailable,
)
from sortition.rpc.v1 import assignment_pb2, recording_pb2

__all__ = ["Call", "OnError", "Pause", "Protocol", "Steps"]

T = TypeVar("T")
OnError: TypeAlias = Literal["default", "raise"]

_log = logging.getLogger("sortition.client")

CIRCUIT_PAUSE_S = 1.0
"""How long callers are spared the wait after the sidecar was not reached."""
_FIRST_BACKOFF_S = 0.01
# Parcels of earlier calls that one call sends along: it shares the time of that call.
_SENT_ALONG = 32
# Kinds of mistakes that are told once each; beyond, they are only counted.
_TOLD_ONCE = 256


@dataclass(frozen=True)
class Call:
    """A call to be made.

    Attributes:
        method: The name of the remote method.
        request: Its message.
        timeout_s: How long it may take.
    """

    method: str
    request: Message
    timeout_s: float


@dataclass(frozen=True)
class Pause:
    """A time to wait."""

    seconds: float


Steps: TypeAlias = Generator["Call | Pause", Any, T]
"""A conversation that returns a T."""


class Protocol:
    """The client's state and conversations, without input and output.

    Args:
        organization: Who owns the experiments.
        timeout_s: How long one conversation may take, retries included.
        defaults: Configurations for when the sidecar gives no answer, by the name it is asked for.
        on_error: Whether errors are raised or answered with the default.
        buffer_size: How many outcomes may wait for a sidecar that is away.
    """

    def __init__(
        self,
        *,
        organization: str,
        timeout_s: float,
        defaults: Mapping[str, Mapping[str, Any]] | None,
        on_error: OnError,
        buffer_size: int,
    ) -> None:
        if on_error not in ("default", "raise"):
            raise ValueError(f'on_error must be "default" or "raise", but is {on_error!r}')
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, but is {timeout_s}")
        if buffer_size < 0:
            raise ValueError(f"buffer_size must be 0 or more, but is {buffer_size}")
        self._defaults = {name: copy.deepcopy(dict(config)) for name, config in (defaults or {}).items()}
        self._organization = organization
        self._timeout_s = timeout_s
        self._raises = on_error == "raise"
        self._outbox = Outbox(buffer_size)
        self._configs = ConfigCache()
        self._tally = Tally()
        self._reach = Circuit(CIRCUIT_PAUSE_S)
        self._room = Circuit(CIRCUIT_PAUSE_S)
        self._told: set[tuple[str, str]] = set()
        self._closed = False

    # --- conversations -------------------------------------------------------------------------------------------

    def assign(self, wanted: Wanted, unit: str, *, expose: bool, default: Mapping[str, Any] | None) -> Steps[Answer]:
        """Asks for a unit's variant; answers with the default where that fails, or raises if errors are wanted."""
        known = self._configs.held(wanted)
        try:
            request = wanted.request(unit, self._organization, expose, known)
            response = yield from self._ask("Assign", request, self._deadline())
            return self._answer(wanted, response, known)
        except SortitionError as error:
            return self.fallback(wanted, error, default)

    def expose(self, experiment: str, unit: str) -> Steps[bool]:
        """Marks a unit as exposed; False where the experiment does not run or the sidecar gave no answer."""
        request = assignment_pb2.ExposeRequest(experiment=experiment, unit=unit, organization=self._organization)
        try:
            response = yield from self._ask("Expose", request, self._deadline())
            return bool(response.exposed)
        except SortitionError as error:
            self._tell(error, f"the exposure of a unit to {experiment}")
            if self._raises:
                raise
            return False

    def record(self, parcel: Parcel) -> Steps[None]:
        """Sends an outcome, those that wait before it; keeps it for a later call where that fails."""
        deadline = self._deadline()
        error = (yield from self._send_waiting(deadline)) if not self._closed else None
        if self._closed or error is not None or not self._outbox.number(parcel):
            error = self._keep(parcel) or error
        else:
            error = yield from self._send(parcel, deadline)
        if error is None:
            yield from self._send_waiting(deadline)
        elif self._raises:
            raise error

    def flush(self, timeout_s: float) -> Steps[int]:
        """Sends what waits; returns how many outcomes still do."""
        deadline = time.monotonic() + timeout_s
        waiting = len(self._outbox)
        while waiting:
            error = yield from self._send_waiting(deadline, patient=True)
            before, waiting = waiting, len(self._outbox)
            if error is not None or waiting >= before:
                break
        return waiting

    def close(self, timeout_s: float) -> Steps[None]:
        """Sends what waits, counts what could not be sent as dropped, and refuses everything from now on."""
        if self._closed:
            return
        yield from self.flush(timeout_s)
        self._closed = True
        lost = self._outbox.clear()
        if lost:
            self._tally.add("dropped", lost)
        stats = self.stats
        if stats.dropped:
            _log.warning("closed with %d outcomes dropped since the start, %d of them unsent now", stats.dropped, lost)

    # --- what needs no sidecar -----------------------------------------------------------------------------------

    @property
    def stats(self) -> ClientStats:
        """What was done since the start."""
        return self._tally.read(waiting=len(self._outbox))

    def after_fork(self) -> None:
        """Begins anew in a forked process: under another id, with nothing to send, and with locks nobody holds."""
        self._outbox.reset()
        self._configs = ConfigCache()
        self._tally = Tally()
        self._reach = Circuit(CIRCUIT_PAUSE_S)
        self._room = Circuit(CIRCUIT_PAUSE_S)

    def parcel(
        self,
        experiment: str,
        unit: str,
        variant: str,
        measured: list[recording_pb2.Observation],
        dimensions: Mapping[str, str],
    ) -> Parcel | None:
        """Returns the parcel that holds `measured`; ``None`` when there is nothing to send."""
        if not measured:
            return None
        made = outcomes(
            measured,
            experiment=experiment,
            unit=unit,
            variant=variant,
            organization=self._organization,
            dimensions=dimensions,
        )
        return Parcel(made, experiment)

    def fallback(self, wanted: Wanted, error: SortitionError, default: Mapping[str, Any] | None) -> Answer:
        """Returns the default, having told why; raises `error` instead if errors are wanted."""
        if self._raises:
            raise error
        self._tell(error, f"the assignment of {wanted.label}")
        self._tally.add("defaulted")
        if default is None:
            default = next((self._defaults[key] for key in wanted.default_keys if key in self._defaults), {})
        # Without its traceback, which would keep everything alive that was on the stack.
        return Answer(config=copy.deepcopy(dict(default)), reason=Reason.DEFAULT, error=error.with_traceback(None))

    def refuse_values(self, error: SortitionError, experiment: str) -> None:
        """Tells and counts that values cannot be recorded; raises `error` instead if errors are wanted."""
        if self._raises:
            raise error
        self._tally.add("refused")
        self._tell(error, f"a value recorded for {experiment or 'no experiment'}")

    # --- parts of conversations ----------------------------------------------------------------------------------

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s

    def _ask(
        self, method: str, request: Message, deadline: float, *, patient: bool = False, for_room: bool = True
    ) -> Steps[Any]:
        """Makes one call, again and again until it is answered or the time is up.

        Args:
            method: The remote method; it has to be safe to repeat.
            request: Its message.
            deadline: When to give up.
            patient: Whether to try even if the sidecar was away a moment ago.
            for_room: Whether to try again when it has no room, as when many call at once.

        Raises:
            SortitionError: The sidecar refused, or could not be reached in time (`Unavailable`).
        """
        if not patient and not self._reach.admits(time.monotonic()):
            raise SidecarUnavailable(f"the sidecar was away a moment ago; it is tried every {CIRCUIT_PAUSE_S:g} s")
        backoff_s = _FIRST_BACKOFF_S
        while True:
            if self._closed:
                raise FailedPrecondition("the client is closed; make another one")
            try:
                response = yield Call(method, request, max(deadline - time.monotonic(), 0.001))
            except grpc.RpcError as raw:
                error = from_rpc(raw)
                away = isinstance(error, Unavailable)
                if not away:
                    self._reached()
                    if not (for_room and _is_full(error)):
                        raise error from raw
                wait_s = backoff_s * random.uniform(0.5, 1.0)
                if time.monotonic() + wait_s >= deadline:
                    if away:
                        self._missed(error)
                    raise error from raw
            else:
                self._reached()
                return response
            self._tally.add("retries")
            yield Pause(wait_s)
            backoff_s *= 2

    def _send_waiting(self, deadline: float, *, patient: bool = False) -> Steps[SortitionError | None]:
        """Sends the oldest parcels that wait; returns why it had to stop."""
        for _ in range(_SENT_ALONG):
            parcel = self._outbox.take() if time.monotonic() < deadline else None
            if parcel is None:
                break
            error = yield from self._send(parcel, deadline, patient=patient)
            if error is not None and _passes(error):
                return error
        return None

    def _send(self, parcel: Parcel, deadline: float, *, patient: bool = False) -> Steps[SortitionError | None]:
        """Sends one numbered parcel; what cannot be sent now is kept. Returns why it was not taken."""
        try:
            if not patient and not self._room.admits(time.monotonic()):
                raise ResourceExhausted("the sidecar had no room for outcomes a moment ago")
            request = parcel.request(self._outbox.delivery(parcel))
            # An outcome can be kept for later; only who asked for errors waits for room.
            response = yield from self._ask(parcel.method, request, deadline, patient=patient, for_room=self._raises)
        except SortitionError as error:
            if _passes(error):
                if isinstance(error, ResourceExhausted):
                    self._room.failed(time.monotonic())
                if isinstance(error, Unauthenticated):
                    self._tell(error, f"an outcome of {parcel.label}, kept until there is a valid token,")
                return self._keep(parcel) or error
            self._outbox.settle(parcel)
            self._tally.add("refused")
            self._tell(error, f"an outcome of {parcel.label}")
            return error
        except BaseException:
            # Interrupted: nobody knows whether it arrived, so it is sent again under its number.
            self._keep(parcel)
            raise
        self._outbox.settle(parcel)
        self._room.succeeded()
        self._tally.add("recorded")
        self._tally.add("observations", response.accepted)
        if response.duplicate:
            self._tally.add("duplicates")
        return None

    def _keep(self, parcel: Parcel) -> SortitionError | None:
        """Keeps a parcel for a later call; where there is no room, counts it as dropped and returns the error."""
        if not self._closed and self._outbox.keep(parcel):
            return None
        self._tally.add("dropped")
        bound = f"buffer_size: {self._outbox.capacity} outcomes wait already"
        full = ResourceExhausted(f"{'the client is closed' if self._closed else bound}; this outcome is dropped")
        self._tell(full, f"an outcome of {parcel.label}")
        return full

    def _answer(self, wanted: Wanted, response: assignment_pb2.AssignResponse, known: Mapping[bytes, bytes]) -> Answer:
        digest = response.config_hash
        encoded = known.get(digest, b"") if response.config_omitted else response.config
        try:
            config = json.loads(encoded)
        except ValueError:
            config = None
        if not isinstance(config, dict):
            raise InternalError(f"config: the sidecar sent {len(encoded)} bytes that are not a JSON object")
        self._configs.keep(wanted, digest, encoded)
        self._tally.add("assigned")
        subject = response.subject
        return Answer(
            config=config,
            reason=Reason.from_wire(response.reason),
            experiment=response.experiment,
            variant=response.variant,
            bucket=response.bucket,
            exposed=response.exposed,
            subject=f"{subject.kind}/{subject.id}",
            subject_version=response.subject_version,
            snapshot_version=response.snapshot_version,
        )

    def _reached(self) -> None:
        if self._reach.failing:
            _log.info("the sidecar is back; %d outcomes wait", len(self._outbox))
        self._reach.succeeded()

    def _missed(self, error: SortitionError) -> None:
        if not self._reach.failing:
            _log.warning("the sidecar is away (%s); defaults are used until it is back", error.message)
        self._reach.failed(time.monotonic())

    def _tell(self, error: SortitionError, about: str) -> None:
        """Logs a mistake, each kind once: an agent in a loop must not flood its log."""
        kind = (type(error).__name__, about)
        if isinstance(error, Unavailable) or kind in self._told or len(self._told) >= _TOLD_ONCE:
            _log.debug("%s: %s", about, error.message)
            return
        self._told.add(kind)
        _log.warning("%s was refused (told once; see Client.stats): %s", about, error.message)


def _passes(error: SortitionError) -> bool:
    """Says whether the same call may succeed later. A bound that a field of the message exceeds is exceeded again.

    A token that has expired or was revoked is replaced in its file, and read from there for the next call.
    """
    return isinstance(error, (Unavailable, Unauthenticated)) or _is_full(error)


def _is_full(error: SortitionError) -> bool:
    """Says whether a bound was reached that is not the message's own: there may be room again in a moment."""
    return isinstance(error, ResourceExhausted) and not error.violations
