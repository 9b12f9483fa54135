"""What happened before an analysis, and counts in it."""

from __future__ import annotations

from dataclasses import dataclass

from sortition.analyzer.result import Look, ReachedDecision

__all__ = ["History"]


@dataclass(frozen=True)
class History:
    """What an analysis has to know of those before it.

    Attributes:
        looks: The planned looks that were taken, in order.
        reached: The decision that was reached and does not flip back; None until there is one.
    """

    looks: tuple[Look, ...] = ()
    reached: ReachedDecision | None = None
