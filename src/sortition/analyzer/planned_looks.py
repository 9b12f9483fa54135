"""Planned looks that share the significance level, as they are taken."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import numpy as np

from sortition.analyzer.result import Look
from sortition.model import Decision, Spending
from sortition.stats import ConfidenceSequence, FloatArray, GroupSequential, group_sequential, repeated_interval

__all__ = ["PlannedLooks", "plan_of"]

# Levels at which boundaries are computed to find the smallest one that is crossed; between them the boundary is taken
# to be a power of the level, which it nearly is.
_LEVELS = 33
_SMALLEST_LEVEL = 1e-12


@lru_cache(maxsize=1024)
def plan_of(information: tuple[float, ...], alpha: float, spending: str, power: float) -> GroupSequential:
    """Returns the boundaries of looks at these shares of the information."""
    parameter = power if spending == Spending.KIM_DEMETS.value else None
    return group_sequential(np.array(information), alpha=alpha, spending=spending, parameter=parameter)


class PlannedLooks:
    """The planned looks of one experiment, at one look.

    A look that was missed is not made up for: the next one has what both would have spent. The boundary of each follows
    from the units it really had (Lan and DeMets 1983).

    Attributes:
        due: Whether this look is a planned one.
        last: Whether it is the last planned one.
        looks: Every look that was taken, this one if it is due, and those to come.
    """

    def __init__(self, decision: Decision, units: int, taken: tuple[Look, ...], at: datetime) -> None:
        """Takes a look.

        Args:
            decision: What was declared.
            units: Distinct exposed units.
            taken: The planned looks that were taken, in order.
            at: The time of this one.
        """
        self._decision = decision
        horizon = decision.looks[-1]
        behind = taken[-1].planned_units if taken else 0
        ahead = [planned for planned in decision.looks if planned > behind]
        reached = [planned for planned in ahead if planned <= units]
        self.due = bool(reached)
        self.last = self.due and reached[-1] == horizon
        looks = list(taken)
        if reached:
            looks.append(Look(reached[-1], units, at))
        self._place = len(looks) - 1
        looks += [Look(planned) for planned in ahead if planned > units]
        self._information = tuple(_information(look.units or look.planned_units, horizon) for look in looks)
        plan = self._plan(decision.alpha)
        self.looks = tuple(
            Look(
                look.planned_units,
                look.units,
                look.at,
                information=share,
                boundary=float(plan.z[index]),
                level=float(plan.nominal_p[index]),
                spent=float(plan.spent[index]),
            )
            for index, (look, share) in enumerate(zip(looks, self._information, strict=True))
        )

    def interval(self, estimate: FloatArray, error: FloatArray, df: FloatArray) -> ConfidenceSequence:
        """Returns the intervals of this look, which is due: one that leaves out 0 has crossed the boundary."""
        return repeated_interval(estimate, error, self._level(self._decision.alpha), df=df)

    def p_values(self, single: FloatArray) -> FloatArray:
        """Returns the smallest significance levels whose boundary this look, which is due, has crossed.

        Exact for the declared level and its parts for up to 64 treatments: below it exactly where the boundary is
        crossed.

        Args:
            single: The p-values of a single look.
        """
        alpha = self._decision.alpha
        levels = np.unique([*np.geomspace(_SMALLEST_LEVEL, 0.999, _LEVELS), *(alpha / np.arange(1, len(single) + 1))])
        # Far out a boundary may be beyond all numbers.
        borders = np.maximum([self._level(float(level)) for level in levels], np.finfo(np.float64).tiny)
        with np.errstate(divide="ignore"):
            found = np.exp(np.interp(np.log(single), np.log(borders), np.log(levels), right=0.0))
        return np.where(np.isnan(single), np.nan, found)

    def _level(self, alpha: float) -> float:
        return float(self._plan(alpha).nominal_p[self._place])

    def _plan(self, alpha: float) -> GroupSequential:
        # What is to come changes no boundary before it, and costs time.
        upto = self._information if alpha == self._decision.alpha else self._information[: self._place + 1]
        return plan_of(upto, alpha, str(self._decision.spending), self._decision.spending_power)


def _information(units: int, horizon: int) -> float:
    return min(1.0, units / horizon)
