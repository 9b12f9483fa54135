"""What a decision policy asks of an experiment: how precise the estimate has to be, and how likely it finds something.

All of it is linear in the standard error, so any estimate that has one is planned alike.
"""

from __future__ import annotations

import numpy as np

from sortition.analyzer.planned_looks import plan_of
from sortition.model import Decision, DecisionPolicy, Spending
from sortition.stats import (
    FloatArray,
    FloatLike,
    GroupSequential,
    needed_error,
    needed_error_group_sequential,
    needed_error_sequential,
    power_from_error,
    power_group_sequential,
    power_sequential,
)

__all__ = ["Design"]


class Design:
    """How an experiment is decided, as far as its size depends on it.

    Attributes:
        policy: The decision policy.
        alpha: The level of each comparison.
        power: The wanted probability of finding what is there.
    """

    def __init__(
        self,
        policy: DecisionPolicy,
        alpha: float,
        power: float,
        *,
        information: tuple[float, ...] = (1.0,),
        spending: Spending = Spending.OBRIEN_FLEMING,
        spending_power: float = 3.0,
    ) -> None:
        """Makes a design.

        Args:
            policy: The decision policy.
            alpha: The level of each comparison, in (0, 1).
            power: In (0, 1).
            information: For planned looks: the share of all units at each, ascending to 1.
            spending: For planned looks: how they share the level.
            spending_power: For Kim–DeMets spending: its power.
        """
        self.policy = policy
        self.alpha = alpha
        self.power = power
        self._looks = (information, str(spending), spending_power)

    @classmethod
    def of(cls, decision: Decision, treatments: int) -> Design:
        """Returns the design of a decision over so many treatments.

        Each is tested at alpha / treatments: the first step of Holm's correction, so that each has the wanted power
        whatever the others show.
        """
        shares = tuple(look / decision.looks[-1] for look in decision.looks) or (1.0,)
        return cls(
            decision.policy,
            decision.alpha / treatments,
            decision.power,
            information=shares,
            spending=decision.spending,
            spending_power=decision.spending_power,
        )

    def achieved(self, difference: FloatLike, standard_error: FloatLike) -> FloatArray:
        """Returns the probability of finding a true difference by the time its standard error is this small.

        Args:
            difference: The true difference.
            standard_error: The standard error expected at the end.
        """
        if self.policy is DecisionPolicy.SEQUENTIAL:
            return power_sequential(difference, standard_error, self.alpha)
        if self.policy is DecisionPolicy.GROUP_SEQUENTIAL:
            return power_group_sequential(difference, standard_error, self._plan)
        return power_from_error(difference, standard_error, self.alpha)

    def needed_error(self, difference: FloatLike) -> FloatArray:
        """Returns the standard error at the end with which a true difference is found with the wanted power."""
        if self.policy is DecisionPolicy.SEQUENTIAL:
            return needed_error_sequential(difference, self.alpha, self.power)
        if self.policy is DecisionPolicy.GROUP_SEQUENTIAL:
            return needed_error_group_sequential(difference, self._plan, self.power)
        return needed_error(difference, self.alpha, self.power)

    def smallest(self, standard_error: FloatLike) -> FloatArray:
        """Returns the smallest difference that is found with the wanted power when the standard error is this."""
        return np.asarray(np.asarray(standard_error, dtype=np.float64) / self.needed_error(1.0))

    @property
    def inflation(self) -> float:
        """How many times the units of a single look it takes at most, for looking more often."""
        single = float(needed_error(1.0, self.alpha, self.power))
        return (single / float(self.needed_error(1.0))) ** 2

    @property
    def _plan(self) -> GroupSequential:
        information, spending, power = self._looks
        return plan_of(information, self.alpha, spending, power)
