"""How evidence becomes a score."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sortition.analyzer.result import QualityPart

__all__ = ["AS_SEEN", "FEWEST", "LOOK", "STEADY", "Weighing", "by_p_value", "by_share", "unjudged"]

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


@dataclass(frozen=True)
class Weighing:
    """How evidence is taken.

    Attributes:
        by_p_value: The score of a p-value.
        share: The share of so many of so many that counts.
        counts_alike: Whether numbers of missing outcomes are taken for binomial ones. They are not where a
            unit may have given several.
    """

    by_p_value: Callable[[float], float]
    share: Callable[[int, int], float]
    counts_alike: bool = True


def _beyond_chance(p: float) -> float:
    return 0.0 if p <= _IMPOSSIBLE else 1.0


def _least_share(number: int, total: int) -> float:
    """Returns the lower end of Wilson's interval of a share, at a level that looks do not use up.

    >>> [round(_least_share(number, total), 3) for number, total in [(0, 20), (5, 20), (250, 1_000)]]
    [0.0, 0.047, 0.196]
    """
    square, share = _FAR * _FAR / total, number / total
    spread = math.sqrt(share * (1 - share) * square + square * square / 4)
    return max(0.0, (share + square / 2 - spread) / (1 + square))


# So many standard errors belong to a one-sided p-value of 0.00001.
_FAR = 4.2649

AS_SEEN: Final = Weighing(by_p_value, lambda number, total: number / total)
"""As it looks now: for whoever looks."""
STEADY: Final = Weighing(_beyond_chance, _least_share, counts_alike=False)
"""As it is beyond chance, however often one looks: for who is told without having asked."""


def unjudged(name: str, why: str) -> QualityPart:
    """Returns a part that cannot be judged."""
    return QualityPart(name, math.nan, why)
