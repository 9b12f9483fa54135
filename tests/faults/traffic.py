"""Clients that send at once and in any order, remember what is in doubt, and send that until it is acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from faults.calls import Call, Calls
from faults.subject import Subject
from faults.truth import Truth

__all__ = ["Traffic"]

_AT_ONCE = 12
_DUPLICATED = 0.3
_CALL_S = 15.0
_PAUSE_S = 0.02
_PAUSE_AFTER_FAILURE_S = 0.1
# After these nobody knows whether a call was applied; after the last one it is known that it was not yet.
_IN_DOUBT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass
class _Order:
    """What all clients are told, and what they tell."""

    address: str | None = None
    making: bool = True
    ended: bool = False
    problems: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)


class Traffic:
    """Some clients, each on a thread and a connection of its own."""

    def __init__(self, truth: Truth, subject: Subject, *, clients: int = 3, seed: int = 0, dated: bool = True) -> None:
        """Makes clients that wait for an address; the arguments are those of `Calls`."""
        self._order = _Order()
        self._clients = [
            _Client(Calls(truth, subject, random.Random(f"{seed}-{index}"), dated=dated), self._order)
            for index in range(clients)
        ]
        for client in self._clients:
            client.start()

    @property
    def acknowledged(self) -> int:
        """How many calls were."""
        return sum(client.calls.acknowledged for client in self._clients)

    @property
    def sent_again(self) -> int:
        """How often a call was sent that had been sent before."""
        return sum(client.sent_again for client in self._clients)

    @property
    def failed(self) -> int:
        """How many answers were no answer."""
        return sum(client.failed for client in self._clients)

    @property
    def refused(self) -> int:
        """How many of them said RESOURCE_EXHAUSTED."""
        return sum(client.refused for client in self._clients)

    @property
    def problems(self) -> list[str]:
        """What answers were wrong."""
        return self._order.problems

    def go_to(self, address: str | None) -> None:
        """Sends the clients to a sidecar; None when there is none."""
        self._tell(address=address)

    def wait_for(self, calls: int, *, within_s: float = 60, unless: Callable[[], bool] = lambda: False) -> None:
        """Waits until so many further calls were acknowledged, or `unless` is true."""
        wanted = self.acknowledged + calls
        self._wait(lambda: self.acknowledged >= wanted or unless(), within_s, f"{calls} acknowledged calls")

    def settle(self, *, within_s: float = 60) -> None:
        """Makes no new calls, and waits until nothing is in doubt."""
        self._tell(making=False)
        self._wait(lambda: all(client.idle for client in self._clients), within_s, "the answers to what was in doubt")

    def resume(self) -> None:
        """Makes new calls again."""
        self._tell(making=True)

    def end(self) -> None:
        """Ends the clients."""
        self._tell(ended=True)
        for client in self._clients:
            client.join(timeout=60)
            assert not client.is_alive()

    def _tell(self, **order: object) -> None:
        with self._order.changed:
            for name, value in order.items():
                setattr(self._order, name, value)
            self._order.changed.notify_all()

    def _wait(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        with self._order.changed:
            while not condition():
                assert not any("a client ended" in problem for problem in self.problems), self.problems
                left_s = deadline - time.monotonic()
                assert left_s > 0, f"{what} did not come within {within_s:g} s; {self.acknowledged} were acknowledged"
                self._order.changed.wait(min(left_s, 0.05))


class _Client(threading.Thread):
    """One client."""

    def __init__(self, calls: Calls, order: _Order) -> None:
        super().__init__(name="faults-client", daemon=True)
        self.calls = calls
        self._order = order
        self._never = threading.Event()
        self._channel: grpc.Channel | None = None
        self._address: str | None = None
        self.sent_again = 0
        self.failed = 0
        self.refused = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is in doubt."""
        return not self.calls.pending

    def run(self) -> None:
        try:
            while (channel := self._next()) is not None:
                failed = self._burst(channel)
                with self._order.changed:
                    self._order.changed.notify_all()
                self._never.wait(_PAUSE_AFTER_FAILURE_S if failed else _PAUSE_S)
        except Exception as error:
            self._order.problems.append(f"a client ended: {error!r}")
            raise
        finally:
            self._connect(None)

    def _next(self) -> grpc.Channel | None:
        """Waits until there is something to send and somebody to send it to; None at the end."""
        order = self._order
        with order.changed:
            while not order.ended:
                if order.address is not None and (order.making or self.calls.pending):
                    address = order.address
                    break
                order.changed.wait()
            else:
                return None
        return self._connect(address)

    def _connect(self, address: str | None) -> grpc.Channel | None:
        if address != self._address:
            if self._channel is not None:
                self._channel.close()
            self._channel = None if address is None else grpc.insecure_channel(address, options=_OPTIONS)
            self._address = address
        return self._channel

    def _burst(self, channel: grpc.Channel) -> bool:
        """Sends some calls: new ones, those in doubt, and some that were acknowledged before; True when one failed."""
        calls = self.calls.in_doubt(_AT_ONCE)
        if self._order.making:
            while len(calls) < _AT_ONCE and (made := self.calls.make()) is not None:
                calls.append(made)
            calls += self.calls.done(int(_AT_ONCE * _DUPLICATED))
        self.calls.shuffle(calls)
        under_way = []
        for call in calls:
            call.sent += 1
            self.sent_again += call.sent > 1
            method = channel.unary_unary(f"/sortition.rpc.v1.{call.method}", None, None)
            under_way.append((call, method.future(call.request, timeout=_CALL_S)))
        failures = 0
        for call, answer in under_way:
            error = answer.exception()
            if error is None:
                wrong = self.calls.answered(call, answer.result())
                if wrong:
                    self._order.problems.append(wrong)
            else:
                failures += 1
                assert isinstance(error, grpc.RpcError), error
                self._note(call, error)
        return failures > 0

    def _note(self, call: Call, error: grpc.RpcError) -> None:
        self.failed += 1
        self.refused += error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        if error.code() not in _IN_DOUBT:
            self._order.problems.append(f"{call.method}: {error.code().name}: {error.details()}")
