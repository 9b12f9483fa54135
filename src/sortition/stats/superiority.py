"""The probability that a treatment is better."""

from __future__ import annotations

import numpy as np

from sortition.stats.arrays import FloatArray, FloatLike, floats
from sortition.stats.distributions import normal_cdf

__all__ = ["chance_to_beat"]


def chance_to_beat(difference: FloatLike, standard_error: FloatLike, *, maximize: bool = True) -> FloatArray:
    """Returns the posterior probability that the true difference is an improvement.

    Under a flat prior the posterior of the difference is normal around the estimate with its standard error.

    Source: Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 2.5.

    Args:
        difference: Treatment - control.
        standard_error: Its standard error; NaN where it is 0 or unknown.
        maximize: Whether larger is better.

    Returns:
        Probabilities in [0, 1], NaN where the error is not > 0.

    >>> float(chance_to_beat(0.0, 1.0)), round(float(chance_to_beat(-1.6448536, 1.0, maximize=False)), 6)
    (0.5, 0.95)
    """
    error = floats(standard_error)
    with np.errstate(all="ignore"):
        score = floats(difference) / np.where(error > 0, error, np.nan)
    return normal_cdf(score if maximize else -score)
