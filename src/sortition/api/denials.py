"""Denied calls, counted until somebody writes them down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final, NamedTuple

__all__ = ["MAX_KINDS", "Denial", "Denials", "Denied"]

MAX_KINDS: Final = 256
"""How many kinds of denials are told apart at a time; those of others are counted as left out."""


class Denial(NamedTuple):
    """One kind of denied call.

    Attributes:
        caller: The name of the token; empty when there was none, or none that is known.
        method: The full name of the method.
        code: The status it was refused with.
        why: The reason, in a few words.
        peer: The address it came from, without its port.
    """

    caller: str
    method: str
    code: str
    why: str
    peer: str


@dataclass
class Denied:
    """The calls of one kind.

    Attributes:
        denial: The kind.
        first_at: When the first one was denied; aware, in UTC.
        last_at: When the last one was.
        count: How many there were.
    """

    denial: Denial
    first_at: datetime
    last_at: datetime
    count: int = 0


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Denials:
    """Counts denied calls by their kind. Noting one takes the same short time and memory however many there are."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        """Makes an empty count.

        Args:
            now: The clock; aware, in UTC.
        """
        self._now = now
        self._lock = threading.Lock()
        self._kinds: dict[Denial, Denied] = {}
        self._left_out = 0
        self.total = 0

    def note(self, denial: Denial, count: int = 1) -> None:
        """Counts one, or several of a kind that came together."""
        at = self._now()
        with self._lock:
            self.total += count
            kind = self._kinds.get(denial)
            if kind is None:
                if len(self._kinds) >= MAX_KINDS:
                    self._left_out += count
                    return
                kind = self._kinds[denial] = Denied(denial, at, at)
            kind.count += count
            kind.last_at = at

    def take(self, limit: int) -> tuple[list[Denied], int]:
        """Returns at most `limit` kinds, the oldest first, and how many calls of other kinds were left out.

        What is returned is forgotten; with a limit of 0 nothing is.
        """
        with self._lock:
            taken = [self._kinds.pop(denial) for denial in list(self._kinds)[:limit]]
            left_out = self._left_out if taken else 0
            self._left_out -= left_out
        return taken, left_out
