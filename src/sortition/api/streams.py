"""Streams get threads of their own, so that they never take one from the unary calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from sortition.api.errors import abort
from sortition.errors import ResourceExhausted, Unavailable

__all__ = ["Streams"]

StreamBehavior = Callable[[Iterator[Any], grpc.ServicerContext], Iterator[Any]]


class Streams:
    """The open streams of a server: bounded in number, and ended between two messages when the server drains.

    grpcio keeps a thread for each open stream, for as long as it is open. Behaviours bound here run on a pool of their
    own with one thread more than there may be streams: the one that is left says no.
    """

    def __init__(self, limit: int) -> None:
        """Makes an empty set of streams.

        Args:
            limit: How many may be open at the same time, at least 1.
        """
        self.limit = limit
        self._slots = threading.BoundedSemaphore(limit)
        self._threads = ThreadPoolExecutor(limit + 1, thread_name_prefix="sortition-stream")
        self._lock = threading.Lock()
        self._open: set[_Stream] = set()
        self._draining = False

    def bound(self, behavior: StreamBehavior) -> StreamBehavior:
        """Returns `behavior`, which answers each message with one, under the bound and on these threads."""

        def serve(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
            if not self._slots.acquire(blocking=False):
                text = f"streams: {self.limit} are open, which is the limit; close one or use unary calls"
                abort(context, ResourceExhausted(text))
            try:
                stream = _Stream(requests, context)
                with self._lock:
                    self._open.add(stream)
                    if self._draining:
                        stream.drain()
                try:
                    yield from behavior(stream, context)
                finally:
                    with self._lock:
                        self._open.discard(stream)
            finally:
                self._slots.release()

        # grpcio runs a behaviour with this attribute on that pool instead of the server's.
        serve.experimental_thread_pool = self._threads  # type: ignore[attr-defined]
        return serve

    def drain(self) -> None:
        """Ends every stream, those in the middle of a message behind it; new ones end at once."""
        with self._lock:
            self._draining = True
            for stream in self._open:
                stream.drain()

    def close(self) -> None:
        """Lets the threads go. The server has to be stopped before."""
        self._threads.shutdown(wait=False)


class _Stream:
    """The messages of one stream. Once drained, no further one is handed out: none is taken without being answered."""

    def __init__(self, requests: Iterator[Any], context: grpc.ServicerContext) -> None:
        self._requests = requests
        self._context = context
        self._lock = threading.Lock()
        self._waiting = False
        self._draining = False

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Any:
        with self._lock:
            self._waiting = True
            ending = self._draining
        if ending:
            abort(self._context, Unavailable("the sidecar is stopping; open the stream again in a moment"))
        message = next(self._requests)
        with self._lock:
            self._waiting = False
            if self._draining:
                raise StopIteration
        return message

    def drain(self) -> None:
        with self._lock:
            self._draining = True
            waiting = self._waiting
        if waiting:
            # Nobody is at work on a message, and the thread that waits for one can be woken in no other way.
            self._context.cancel()  # type: ignore[no-untyped-call]
