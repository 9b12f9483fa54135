"""How many calls may wait: beyond that they are refused at once, and told when to try again.

A call that waits too long helps nobody, and costs as much as one that is answered in time. grpcio by itself would let
any number wait, or refuse without a word about when to come back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from sortition.errors import ResourceExhausted

__all__ = ["CallThreads", "check_admitted"]

T = TypeVar("T")

_refusing = threading.local()


def check_admitted() -> None:
    """Tells a behaviour that its call is not to be answered.

    Raises:
        ResourceExhausted: Too many calls waited when it came.
    """
    limit: int | None = getattr(_refusing, "limit", None)
    if limit is not None:
        raise ResourceExhausted(
            f"calls: {limit} are waiting, which is the limit; try again in a moment, or send several in one batch"
        )


class CallThreads(ThreadPoolExecutor):
    """Threads that answer calls, with a bound on those that wait.

    What comes beyond runs on one more thread, where `check_admitted` refuses it: neither do the refused wait behind the
    answered, nor the other way round. What does not ask is answered there, so a health check is heard in any case.
    """

    def __init__(self, threads: int, limit: int, name: str) -> None:
        """Makes the threads.

        Args:
            threads: How many answer.
            limit: How many calls may wait for one of them.
            name: Of the threads.
        """
        super().__init__(threads, thread_name_prefix=name)
        self.limit = limit
        self._refusals = ThreadPoolExecutor(1, f"{name}-refused", self._refuse)
        self._count = threading.Lock()
        self._waiting = 0

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Runs a call, or has it refused."""
        with self._count:
            admitted = self._waiting < self.limit
            self._waiting += admitted
        if not admitted:
            return self._refusals.submit(fn, *args, **kwargs)
        return super().submit(self._begin, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Lets the threads go."""
        self._refusals.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)

    def _begin(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        with self._count:
            self._waiting -= 1
        return fn(*args, **kwargs)

    def _refuse(self) -> None:
        _refusing.limit = self.limit
