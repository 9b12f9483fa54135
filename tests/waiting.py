"""Waits for conditions instead of for time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, within_s: float = 10, what: str = "the condition") -> T:
    """Returns the first true answer of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what} did not come true within {within_s} s"
        time.sleep(0.01)


async def eventually(condition: Callable[[], Awaitable[bool]], *, within_s: float = 10) -> None:
    """Waits until `condition` is true; fails when it is not in time."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, f"the condition did not come true within {within_s} s"
        await asyncio.sleep(0.01)
