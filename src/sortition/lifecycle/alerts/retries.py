"""When a message is tried again, and when no more."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final

__all__ = ["MAX_AGE", "MAX_ATTEMPTS", "gives_up", "next_attempt"]

MAX_ATTEMPTS: Final = 20
MAX_AGE: Final = timedelta(hours=24)
"""Older than this an alert is no news; `sortition alerts` shows it all the same."""
_FIRST_S: Final = 1.0
_LONGEST_S: Final = 900.0


def next_attempt(attempts: int, now: datetime, chance: random.Random) -> datetime:
    """Returns when to try again after so many attempts, at least 1.

    The pause doubles each time, up to a quarter of an hour, and is drawn between half of that and all of it, so that
    many who lost one receiver do not come back together.
    """
    longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempts - 1, 16))
    return now + timedelta(seconds=longest * chance.uniform(0.5, 1.0))


def gives_up(attempts: int, created_at: datetime, now: datetime) -> bool:
    """Returns whether a message that was not taken is not tried again."""
    return attempts >= MAX_ATTEMPTS or now - created_at >= MAX_AGE
