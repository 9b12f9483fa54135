"""A PostgreSQL connection that gives up by itself.

A server that hangs, or is behind a network that swallows packets, obeys no time limit that it was told: it says nothing
at all. So the time is measured here. Importing this needs the driver.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

from psycopg import Connection, OperationalError

__all__ = ["DeadlineConnection"]

T = TypeVar("T")


class DeadlineConnection(Connection[Any]):
    """A connection whose every statement, commit and rollback ends within a time.

    When the time is over it is closed, for nobody knows what the server did or still does with the last statement.

    Attributes:
        silence_s: How long the server may say nothing and take nothing.
        statement_s: How long a statement may take in all, however busy the server looks.
    """

    silence_s = 10.0
    statement_s = 100.0

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        """Runs one of the driver's operations to its end.

        Raises:
            OperationalError: The time was over; the connection is closed.
        """
        return super().wait(self._bounded(gen), *args, **options)

    def _bounded(self, operation: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """Hands everything through, and looks at the clock: the driver wakes up several times a second."""
        now = time.monotonic()
        end, silent = now + self.statement_s, now + self.silence_s
        try:
            wanted = next(operation)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    silent = now + self.silence_s
                elif now >= silent:
                    self._give_up(f"the server said nothing for {self.silence_s:g} s")
                if now >= end:
                    self._give_up(f"a statement took more than {self.statement_s:g} s")
                wanted = operation.send(ready)
        except StopIteration as done:
            result: T = done.value
            return result

    def _give_up(self, why: str) -> None:
        self.close()
        raise OperationalError(why)
