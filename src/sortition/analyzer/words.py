"""Figures and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["count", "listed", "noun", "p_value", "percent", "signed_percent"]

_MINUS = "−"


def signed_percent(share: float) -> str:
    """Returns a change in percent with its sign.

    >>> signed_percent(-0.578), signed_percent(0.0312), signed_percent(0.00004)
    ('−57.8 %', '+3.1 %', '±0.0 %')
    """
    if not math.isfinite(share):
        return "by an unknown share"
    text = f"{abs(share) * 100:,.1f} %"
    if text == "0.0 %":
        return f"±{text}"
    return f"{_MINUS if share < 0 else '+'}{text}"


def percent(share: float) -> str:
    """Returns a share in percent.

    >>> percent(0.05), percent(0.125)
    ('5 %', '12.5 %')
    """
    return f"{share * 100:.6g} %"


def p_value(p: float) -> str:
    """Returns a p-value as it is written.

    >>> p_value(0.00002), p_value(0.0423), p_value(0.37)
    ('p < 0.001', 'p = 0.042', 'p = 0.37')
    """
    if math.isnan(p):
        return "p unknown"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def count(number: int, unit: str) -> str:
    """Returns how many there are.

    >>> count(1200, "session"), count(1, "session"), count(2, "entity")
    ('1,200 sessions', '1 session', '2 entities')
    """
    return f"{number:,} {noun(number, unit)}"


def noun(number: int, unit: str) -> str:
    """Returns the word for so many of a unit.

    >>> noun(1, "session"), noun(2, "session"), noun(2, "entity")
    ('session', 'sessions', 'entities')
    """
    if number == 1:
        return unit
    return f"{unit[:-1]}ies" if unit.endswith("y") and unit[-2:-1] not in "aeiou" else f"{unit}s"


def listed(names: Sequence[str]) -> str:
    """Returns names in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
