"""How evidence becomes a score."""

from __future__ import annotations

import math

from sortition.analyzer.result import QualityPart

__all__ = ["FEWEST", "LOOK", "by_p_value", "by_share", "unjudged"]

FEWEST = 20
"""Shares of fewer than this are not judged: one more or less would change them by more than they mean."""

LOOK = 0.5
"""The least score of what is worth a look and may have a good reason: alone it is none to throw data away."""

# A p-value at which the split is suspect, and one that chance does not give even to who looks every hour for years.
_SUSPECT = 1e-2
_IMPOSSIBLE = 1e-5


def by_share(share: float, harmless: float, unusable: float, *, least: float = 0.0) -> float:
    """Returns 1 up to a harmless share, 0 from an unusable one on, and a straight line between them; at least `least`.

    >>> [round(by_share(share, 0.1, 0.6), 2) for share in (0.0, 0.1, 0.2, 0.6, 1.0)]
    [1.0, 1.0, 0.8, 0.0, 0.0]
    """
    return min(1.0, max(least, (unusable - share) / (unusable - harmless)))


def by_p_value(p: float) -> float:
    """Returns 1 down to p = 0.01, 0 from p = 0.00001 on, and a straight line in its logarithm between them.

    At p = 0.001, where a split counts as broken, that is two thirds.

    >>> [round(by_p_value(p), 2) for p in (0.5, 0.01, 0.001, 0.0001, 1e-5, 0.0)]
    [1.0, 1.0, 0.67, 0.33, 0.0, 0.0]
    """
    if p <= _IMPOSSIBLE:
        return 0.0
    return min(1.0, math.log(p / _IMPOSSIBLE) / math.log(_SUSPECT / _IMPOSSIBLE))


def unjudged(name: str, why: str) -> QualityPart:
    """Returns a part that cannot be judged."""
    return QualityPart(name, math.nan, why)
