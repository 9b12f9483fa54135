"""What holds at every look: an interval and a p-value that stay valid however often they are looked at."""

from __future__ import annotations

from dataclasses import dataclass

from sortition.stats.arrays import FloatArray, TextArray

__all__ = ["ConfidenceSequence"]


@dataclass(frozen=True)
class ConfidenceSequence:
    """One look at confidence sequences. Every array has the comparisons' shape.

    Over all looks together, the interval misses the truth with a probability of at most alpha, and the p-value falls to
    alpha or below with a probability of at most alpha where there is no difference. Both survive stopping by what was
    seen, and the smallest p-value of all looks is one too.

    Attributes:
        estimate: What was estimated, in its unit.
        lower: The interval's lower end; -inf where it is open.
        upper: The interval's upper end; inf where it is open.
        p_value: The smallest alpha whose interval excludes 0; NaN where 0 is not a hypothesis.
        reason: Why figures are NaN; empty where none is.
    """

    estimate: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    reason: TextArray
