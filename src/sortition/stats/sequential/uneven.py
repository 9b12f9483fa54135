"""Standard errors that stand being looked at early when one arm is much smaller than the other."""

from __future__ import annotations

import numpy as np

from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = ["UNEVEN", "guarded_error"]

UNEVEN = 0.5
"""Observations of the smaller arm beside the larger one's, below which errors are guarded."""


def guarded_error(
    control_error: FloatLike, control_n: FloatLike, treatment_error: FloatLike, treatment_n: FloatLike
) -> FloatArray:
    """Returns the standard error of a difference, at least what the arms' pooled variance would give a small arm.

    Where outcomes are skewed, a small arm has not seen its large values yet just when its mean is furthest off: its own
    variance is then too small, and among many looks one of them finds it. With equal arms the same happens to both
    sides alike, and the arms' own errors are returned.

    Source: no arm's variance per observation is taken below the pooled one of Student's test (Welch 1938 has the
    reason); that it suffices is shown by simulation.

    Args:
        control_error: The control's standard error.
        control_n: Its observations (the sum of its denominators).
        treatment_error: The treatment's standard error.
        treatment_n: Its observations.

    Returns:
        The larger of the usual error and the guarded one where the smaller arm has less than half of the larger one's
        observations, elsewhere the usual one.

    >>> guarded_error(0.1, 900, 0.1, [900, 100]).round(4).tolist()
    [0.1414, 0.3033]
    """
    first, base, second, other = np.broadcast_arrays(
        floats(control_error), floats(control_n), floats(treatment_error), floats(treatment_n)
    )
    with np.errstate(all="ignore"):
        usual = np.hypot(first, second)
        control, treatment = first**2 * base, second**2 * other
        pooled = (base * control + other * treatment) / (base + other)
        guarded = np.sqrt(np.maximum(control, pooled) / base + np.maximum(treatment, pooled) / other)
        uneven = np.minimum(base, other) < UNEVEN * np.maximum(base, other)
    return floats(np.where(uneven, np.maximum(usual, guarded), usual))
