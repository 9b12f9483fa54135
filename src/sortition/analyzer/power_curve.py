"""What more units would find; for plots."""

from __future__ import annotations

import numpy as np

from sortition.analyzer.design import Design
from sortition.analyzer.plots import PowerCurve, PowerPoint
from sortition.analyzer.result import PowerResult
from sortition.model import ExperimentSpec

__all__ = ["power_curve"]

_POINTS = 32
# As far beyond what is needed as a plot has to show for the reader to see that it flattens.
_BEYOND = 1.6
_FEWEST_UNITS = 2


def power_curve(spec: ExperimentSpec, power: PowerResult, units: int) -> PowerCurve:
    """Returns the power by units on the primary metric, under the policy that decides.

    All follows from how many units are needed: a standard error falls with the root of the units, so with n of them it
    is √(needed / n) times the one that gives the wanted power, and so is the smallest difference found.

    Args:
        spec: The experiment.
        power: How many units it needs.
        units: How many it has.

    Returns:
        Points from few units to well beyond what is needed, those that are needed and those that are there among them.
    """
    needed = power.units_total
    if not needed:
        return PowerCurve(reason=power.reason or "it is not known how many units are needed")
    design = Design.of(spec.decision, len(spec.variants) - 1)
    # Not past three times what is needed: where there are far more units already, the curve would be a wall.
    last = max(needed * _BEYOND, min(units * 1.05, needed * 3.0))
    marks = [needed, *([units] if _FEWEST_UNITS <= units <= last else [])]
    wanted = np.unique(np.concatenate([np.linspace(_FEWEST_UNITS, last, _POINTS).round(), marks]).astype(np.int64))
    ratios = np.sqrt(needed / wanted)
    found = design.achieved(1.0, design.needed_error(1.0) * ratios)
    return PowerCurve(
        tuple(
            PowerPoint(int(count), float(np.clip(chance, 0, 1)), spec.decision.mde * float(ratio))
            for count, chance, ratio in zip(wanted, found, ratios, strict=True)
        )
    )
