"""Caps for heavy tails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = ["Winsorized", "winsorize"]


@dataclass(frozen=True)
class Winsorized:
    """Observations moved to caps.

    Attributes:
        values: Shape (..., n): the observations, those beyond a cap moved to it.
        below: Shape (...): how many were below the lower cap.
        above: Shape (...): how many were above the upper cap.
    """

    values: FloatArray
    below: FloatArray
    above: FloatArray


def winsorize(values: FloatLike, lower: FloatLike | None = None, upper: FloatLike | None = None) -> Winsorized:
    """Moves observations beyond caps to them.

    The caps have to be fixed before the data are seen, and the same for all arms: caps taken from the data themselves
    make a test wrong. What is then compared are means of the capped metric.

    Source: Tukey, "The future of data analysis", Annals of Mathematical Statistics 33, 1962, section 14; with caps
    fixed beforehand: Kohavi, Tang, Xu, "Trustworthy Online Controlled Experiments", 2020, chapter 22.

    Args:
        values: Shape (..., n), in the metric's unit. NaN stays, and is not counted.
        lower: The lower cap, a number or of shape (...); none by default.
        upper: The upper cap, likewise.

    Raises:
        InvalidArgument: A cap is NaN, or the lower one above the upper one.

    >>> found = winsorize([1.0, 5.0, 250.0, -3.0], lower=0.0, upper=100.0)
    >>> found.values.tolist(), int(found.below), int(found.above)
    ([1.0, 5.0, 100.0, 0.0], 1, 1)
    """
    data = np.atleast_1d(floats(values))
    low = floats(-np.inf if lower is None else lower)[..., None]
    high = floats(np.inf if upper is None else upper)[..., None]
    if np.any(np.isnan(low)) or np.any(np.isnan(high)) or np.any(low > high):
        text = f"must not be above the upper cap, but is {low[..., 0].tolist()} beside {high[..., 0].tolist()}"
        raise InvalidArgument.of([("lower", text)])
    with np.errstate(invalid="ignore"):
        below, above = data < low, data > high
    return Winsorized(
        floats(np.clip(data, low, high)),
        below.sum(axis=-1).astype(np.float64),
        above.sum(axis=-1).astype(np.float64),
    )
