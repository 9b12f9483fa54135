"""When and how an experiment is decided."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from sortition.model.base import Part, Refused, refuse
from sortition.model.metric import word

__all__ = ["Correction", "Decision", "DecisionPolicy", "Risk", "Spending"]


class DecisionPolicy(str, Enum):
    """How a decision is reached."""

    FIXED_HORIZON = "fixed_horizon"
    SEQUENTIAL = "sequential"
    GROUP_SEQUENTIAL = "group_sequential"

    def __str__(self) -> str:
        return self.value


class Spending(str, Enum):
    """How planned looks share the significance level."""

    OBRIEN_FLEMING = "obrien_fleming"
    POCOCK = "pocock"
    KIM_DEMETS = "kim_demets"

    def __str__(self) -> str:
        return self.value


class Correction(str, Enum):
    """How the primary metric's p-values account for several treatments."""

    HOLM = "holm"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"
    NONE = "none"

    def __str__(self) -> str:
        return self.value


class Risk(str, Enum):
    """How much harm a wrong decision does."""

    NORMAL = "normal"
    HIGH = "high"

    def __str__(self) -> str:
        return self.value


HIGH_RISK_ALPHA = 0.01
MAX_LOOKS = 20
"""More planned looks cost more than they give; who wants to look at any time decides sequentially."""
MAX_SPENDING_POWER = 10
_MAX_UNITS = 2**53

Units = Annotated[int, Field(ge=2, le=_MAX_UNITS)]


class Decision(Part):
    """When and how an experiment is decided.

    Attributes:
        min_samples: Distinct exposed units in total before anything is decided.
        max_samples: Distinct exposed units in total at which it is time to stop.
        confidence: 1 - significance, in (0.5, 1).
        mde: The smallest relative improvement worth shipping, in [0, 10].
        power: In (0.5, 1).
        max_days: Days after which it is time to stop, in (0, 3650].
        policy: How a decision is reached: valid at every look, at one look at min_samples, or at planned looks.
        risk: How much harm a wrong decision does; high means a significance level of at most 0.01.
        looks: For group_sequential: the distinct exposed units in total at which each look is due, 1 to 20, ascending.
        spending: For group_sequential: how the looks share the significance level.
        spending_power: For spending kim_demets: the power of the information that is spent, in (0, 10].
        correction: How the primary metric's p-values account for several treatments.
        auto_promote: Automatic mode: whether the winner is shipped once the analysis allows it.
        auto_rollback: Automatic mode: whether harm ends the experiment, with the control for everybody.
        expire: Automatic mode: whether max_days or max_samples ends the experiment, with the control for everybody.
        improvement_threshold: Automatic mode: the relative improvement that is promoted, in [0, 10]; never below mde.
        min_effect_size: Automatic mode: Cohen's d of what is promoted, in size, in [0, 10].
        max_regression: Automatic mode: the relative worsening beyond which there is harm, in (0, 1).
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {
            *("looks", "spending", "spending_power", "correction"),
            *("auto_promote", "auto_rollback", "expire"),
            *("improvement_threshold", "min_effect_size", "max_regression"),
        }
    )

    min_samples: int = Field(default=1000, ge=2, le=_MAX_UNITS)
    max_samples: int | None = Field(default=None, ge=2, le=_MAX_UNITS)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    mde: float = Field(default=0.05, ge=0, le=10)
    power: float = Field(default=0.8, gt=0.5, lt=1)
    max_days: float = Field(default=14, gt=0, le=3650)
    policy: Annotated[DecisionPolicy, word(DecisionPolicy)] = DecisionPolicy.SEQUENTIAL
    risk: Annotated[Risk, word(Risk)] = Risk.NORMAL
    looks: Annotated[tuple[Units, ...], Field(strict=False)] = ()
    spending: Annotated[Spending, word(Spending)] = Spending.OBRIEN_FLEMING
    spending_power: float = Field(default=3, gt=0, le=MAX_SPENDING_POWER)
    correction: Annotated[Correction, word(Correction)] = Correction.HOLM
    auto_promote: bool = False
    auto_rollback: bool = False
    expire: bool = False
    improvement_threshold: float = Field(default=0, ge=0, le=10)
    min_effect_size: float = Field(default=0, ge=0, le=10)
    max_regression: float = Field(default=0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _reachable(self) -> Decision:
        limit = self.max_samples
        found: list[Refused] = []
        if limit is not None and limit < self.min_samples:
            found.append((("max_samples",), f"is {limit}, below min_samples {self.min_samples}", limit))
        found.extend(self._planned())
        refuse(found)
        return self

    def _planned(self) -> list[Refused]:
        """Returns what is wrong with the planned looks."""
        if self.policy is not DecisionPolicy.GROUP_SEQUENTIAL:
            text = f"are for the policy group_sequential, but the policy is {self.policy}; remove them"
            return [(("looks",), text, None)] if self.looks else []
        if not self.looks:
            return [(("looks",), "is required by the policy group_sequential; give units such as [500, 1000]", None)]
        found: list[Refused] = []
        if len(self.looks) > MAX_LOOKS:
            found.append((("looks",), f"has {len(self.looks)} entries; the limit is {MAX_LOOKS}", None))
        if any(later <= earlier for earlier, later in pairwise(self.looks)):
            found.append((("looks",), "must ascend", None))
        if self.looks[0] < self.min_samples:
            text = f"begin at {self.looks[0]}, below min_samples {self.min_samples}; lower min_samples"
            found.append((("looks",), text, None))
        if self.max_samples is not None and self.max_samples < self.looks[-1]:
            text = f"is {self.max_samples}, below the last look {self.looks[-1]}"
            found.append((("max_samples",), text, self.max_samples))
        return found

    @property
    def automatic(self) -> bool:
        """Whether automatic mode may do anything by itself."""
        return self.auto_promote or self.auto_rollback or self.expire

    @property
    def horizon(self) -> int | None:
        """Distinct exposed units at which the policy decides for the last time; None when it has no horizon."""
        if self.policy is DecisionPolicy.FIXED_HORIZON:
            return self.min_samples
        return self.looks[-1] if self.policy is DecisionPolicy.GROUP_SEQUENTIAL else None

    @property
    def alpha(self) -> float:
        """The significance level, with the risk taken into account; above 0."""
        # 1 - 0.95 is 0.050000000000000044; what people read is 0.05.
        alpha = float(1 - Decimal(str(self.confidence)))
        return min(alpha, HIGH_RISK_ALPHA) if self.risk is Risk.HIGH else alpha
