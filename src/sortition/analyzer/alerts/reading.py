"""What one rule says about one metric of one variant."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """What one rule says about one metric of one variant, now.

    Attributes:
        rule: The rule's name.
        firing: Whether what it warns of is so.
        over: Whether it is certainly not so any more; between the two nothing changes.
        metric: The metric's name; empty where the rule is not about one.
        variant: The variant's name; empty where the rule is not about one.
        value: What is seen, in the trigger's own measure; NaN where nothing is known.
        bound: What is shown of it beyond chance; the same as `value` for facts, NaN where nothing is shown.
        limit: The threshold in force; NaN where there is none.
        level: The chance of being wrong about it, ever; 0 for facts.
        reason: All of it in plain words.
    """

    rule: str
    firing: bool
    over: bool
    metric: str = ""
    variant: str = ""
    value: float = math.nan
    bound: float = math.nan
    limit: float = math.nan
    level: float = 0.0
    reason: str = ""

    @property
    def question(self) -> tuple[str, str, str]:
        """What it answers: rule, metric and variant."""
        return self.rule, self.metric, self.variant
