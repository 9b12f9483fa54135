"""When and how an experiment is decided."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Annotated

from pydantic import Field, model_validator

from sortition.model.base import Part, refuse
from sortition.model.metric import word

__all__ = ["Decision", "DecisionPolicy", "Risk"]


class DecisionPolicy(str, Enum):
    """How a decision is reached."""

    FIXED_HORIZON = "fixed_horizon"
    SEQUENTIAL = "sequential"

    def __str__(self) -> str:
        return self.value


class Risk(str, Enum):
    """How much harm a wrong decision does."""

    NORMAL = "normal"
    HIGH = "high"

    def __str__(self) -> str:
        return self.value


HIGH_RISK_ALPHA = 0.01


class Decision(Part):
    """When and how an experiment is decided.

    Attributes:
        min_samples: Distinct exposed units in total before anything is decided.
        max_samples: Distinct exposed units in total at which it is time to stop.
        confidence: 1 - significance, in (0.5, 1).
        mde: The smallest relative improvement worth shipping, in [0, 10].
        power: In (0.5, 1).
        max_days: Days after which it is time to stop, in (0, 3650].
        policy: How a decision is reached.
        risk: How much harm a wrong decision does; high means a significance level of at most 0.01.
    """

    min_samples: int = Field(default=1000, ge=2, le=2**53)
    max_samples: int | None = Field(default=None, ge=2, le=2**53)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    mde: float = Field(default=0.05, ge=0, le=10)
    power: float = Field(default=0.8, gt=0.5, lt=1)
    max_days: float = Field(default=14, gt=0, le=3650)
    policy: Annotated[DecisionPolicy, word(DecisionPolicy)] = DecisionPolicy.FIXED_HORIZON
    risk: Annotated[Risk, word(Risk)] = Risk.NORMAL

    @model_validator(mode="after")
    def _reachable(self) -> Decision:
        limit = self.max_samples
        if limit is not None and limit < self.min_samples:
            refuse([(("max_samples",), f"is {limit}, below min_samples {self.min_samples}", limit)])
        return self

    @property
    def alpha(self) -> float:
        """The significance level, with the risk taken into account; above 0."""
        # 1 - 0.95 is 0.050000000000000044; what people read is 0.05.
        alpha = float(1 - Decimal(str(self.confidence)))
        return min(alpha, HIGH_RISK_ALPHA) if self.risk is Risk.HIGH else alpha
