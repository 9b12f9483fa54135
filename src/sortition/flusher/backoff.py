"""How long to wait after a failure."""

from __future__ import annotations

import random

__all__ = ["backoff_s"]

_FIRST_S = 0.25
_LONGEST_S = 30.0


def backoff_s(failures: int, chance: random.Random) -> float:
    """Returns the seconds to wait after so many failures in a row, at least 1.

    They double each time, up to 30, and are drawn between half of that and all of it, so that sidecars that lost their
    database together do not come back together.

    >>> [backoff_s(failures, random.Random(1)) <= limit for failures, limit in [(1, 0.25), (2, 0.5), (1000, 30)]]
    [True, True, True]
    """
    # The exponent is bounded too: 2.0 ** 1024 is no float.
    longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures - 1, 16))
    return longest * chance.uniform(0.5, 1.0)
