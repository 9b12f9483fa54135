"""What plots show beyond an analysis. Fields as in the messages of the same names."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Distribution", "PowerCurve", "PowerPoint", "VariantDistribution"]


@dataclass(frozen=True)
class VariantDistribution:
    """How the outcomes of one variant are spread: `n` of them, with their `shares` by bin and in both tails."""

    variant: str
    n: int
    shares: tuple[float, ...] = ()
    below: float = 0.0
    above: float = 0.0


@dataclass(frozen=True)
class Distribution:
    """How the outcomes of one metric are spread, in bins that all variants share.

    Attributes:
        metric: Its name.
        edges: The ends of the bins, ascending, in the metric's unit; empty when there are none.
        logarithmic: Whether they are equally wide on a logarithmic axis.
        variants: Every variant, in declared order.
        reason: Why there are no bins; empty when there are.
    """

    metric: str
    edges: tuple[float, ...] = ()
    logarithmic: bool = False
    variants: tuple[VariantDistribution, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class PowerPoint:
    """What so many units find: the minimum detectable effect with `power`, and `mde` with the wanted power."""

    units: int
    power: float
    mde: float = math.nan


@dataclass(frozen=True)
class PowerCurve:
    """What more units would find, by units; without points and with a reason where it cannot be known."""

    points: tuple[PowerPoint, ...] = ()
    reason: str = ""
