"""Tells of snapshots: everyone who watches is sent the loaded one and every later one, and no thread waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from sortition.api.errors import abort
from sortition.core import Engine
from sortition.errors import InvalidArgument, ResourceExhausted, SortitionError, Unavailable
from sortition.rpc.v1 import assignment_pb2

if TYPE_CHECKING:
    # Generic in the stubs only.
    Handler: TypeAlias = grpc.RpcMethodHandler[bytes, bytes]

__all__ = ["Watches"]

Send: TypeAlias = Callable[["bytes | None"], None]

# A watcher whose connection is stuck keeps one of them until its keepalive ends it; the others are told meanwhile.
_SENDERS: Final = 8
# How long the thread that looks for snapshots may outlive the last watcher.
_LOOK_S: Final = 1.0


class Watches:
    """Those who watch an engine's snapshots: bounded in number, and let go when the server drains."""

    def __init__(self, engine: Engine, limit: int) -> None:
        """Makes an empty set; no thread is started before there is a watcher.

        Args:
            engine: Whose snapshots are told of.
            limit: How many may watch at the same time.
        """
        self.limit = limit
        self._engine = engine
        self._senders = ThreadPoolExecutor(_SENDERS, thread_name_prefix="sortition-watch")
        self._lock = threading.Lock()
        self._watchers: set[_Watcher] = set()
        self._looking = False
        self._draining = False

    def handler(self) -> Handler:
        """Returns the handler of the method that watches."""

        def watch(request: bytes, context: grpc.ServicerContext, send: Send) -> None:
            try:
                watcher = self._admit(request, context, send)
            except SortitionError as error:
                problem = error
            else:
                watcher.tell()
                return
            abort(context, problem)

        # grpcio runs such a behaviour once, on that pool, and leaves the stream open behind it.
        watch.experimental_non_blocking = True  # type: ignore[attr-defined]
        watch.experimental_thread_pool = self._senders  # type: ignore[attr-defined]
        return grpc.unary_stream_rpc_method_handler(watch)

    def _admit(self, request: bytes, context: grpc.ServicerContext, send: Send) -> _Watcher:
        try:
            held = assignment_pb2.WatchRequest.FromString(request).version
        except DecodeError:
            raise InvalidArgument.of([("request", "is not a valid WatchRequest")]) from None
        watcher = _Watcher(self._engine, self._senders, context, send, held)
        with self._lock:
            if self._draining:
                raise Unavailable("the sidecar is stopping; watch again in a moment")
            if len(self._watchers) >= self.limit:
                raise ResourceExhausted(f"watches: {self.limit} are open, which is the limit; share one, or close one")
            self._watchers.add(watcher)
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="sortition-watch", daemon=True).start()

        def over() -> None:
            with self._lock:
                self._watchers.discard(watcher)
            # Whoever does not say so keeps the call in the server's books.
            send(None)

        if not context.add_callback(over):
            over()
        return watcher

    def _look(self) -> None:
        """Tells every watcher of every snapshot, for as long as there is one."""
        seen = 0
        while True:
            found = self._engine.wait_for_snapshot(seen, _LOOK_S)
            with self._lock:
                if not self._watchers:
                    self._looking = False
                    return
                watchers = list(self._watchers)
            if found is not None:
                seen = found[0]
                for watcher in watchers:
                    watcher.tell()

    def drain(self) -> None:
        """Ends every watch; new ones are refused."""
        with self._lock:
            self._draining = True
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher.end()

    def close(self) -> None:
        """Lets the threads go. The server has to be stopped before."""
        self._senders.shutdown(wait=False)


class _Watcher:
    """One who watches: sent one snapshot at a time, and always the latest."""

    def __init__(
        self, engine: Engine, senders: ThreadPoolExecutor, context: grpc.ServicerContext, send: Send, held: int
    ) -> None:
        self._engine = engine
        self._senders = senders
        self._context = context
        self._send = send
        self._held = held
        self._lock = threading.Lock()
        self._sending = False

    def tell(self) -> None:
        """Has what is newer than what it holds sent, without waiting for it."""
        with self._lock:
            if self._sending:
                # It looks once more before it is done.
                return
            self._sending = True
        try:
            self._senders.submit(self._send_newer)
        except RuntimeError:
            # The server is closed, and so is the connection.
            return

    def _send_newer(self) -> None:
        while True:
            with self._lock:
                found = self._engine.wait_for_snapshot(self._held, 0)
                if found is None:
                    self._sending = False
                    return
            version, snapshot = found
            self._send(snapshot)
            self._held = version

    def end(self) -> None:
        """Ends its call."""
        context: Any = self._context
        context.cancel()
