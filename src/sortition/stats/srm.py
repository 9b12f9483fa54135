"""Sample ratio mismatch: whether units were split as declared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.stats.arrays import FloatArray, FloatLike, TextArray, explain, floats
from sortition.stats.distributions import chi_square_sf

__all__ = ["RED", "SMALLEST_EXPECTED", "YELLOW", "SampleRatioTest", "srm_chi2"]

RED = 0.001
"""Below it the split is not as declared."""
YELLOW = 0.01
"""Below it the split is suspect."""
SMALLEST_EXPECTED = 5
"""Below it in an arm the chi-square approximation does not hold (Cochran 1954)."""


@dataclass(frozen=True)
class SampleRatioTest:
    """Chi-square tests of splits.

    Attributes:
        statistic: Chi-square.
        df: Arms of a weight > 0, less one.
        p_value: P of a split at least as uneven.
        smallest_expected: The smallest expected number of units in an arm of a weight > 0.
        reason: Why figures are NaN; empty where none is.
    """

    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    smallest_expected: FloatArray
    reason: TextArray


def srm_chi2(units: FloatLike, weights: FloatLike) -> SampleRatioTest:
    """Tests distinct units against weights. Arms of weight 0 are left out, with their units.

    Source: Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD 2019.

    Args:
        units: Shape (..., arms): distinct units.
        weights: Shape (..., arms) or (arms,): shares of any scale.

    Returns:
        Tests of shape (...). NaN with a reason without units, or with fewer than two arms of a weight > 0.

    Kohavi, Tang, Xu, "Trustworthy Online Controlled Experiments", 2020, chapter 21:

    >>> f"{float(srm_chi2([821588, 815482], [50, 50]).p_value):.1e}"
    '1.8e-06'
    """
    observed, share = np.broadcast_arrays(floats(units), floats(weights))
    counted = share > 0
    with np.errstate(all="ignore"):
        observed = np.where(counted, observed, 0)
        total = observed.sum(axis=-1)
        expected = (
            np.where(counted, share, 0) / np.where(counted, share, 0).sum(axis=-1, keepdims=True) * total[..., None]
        )
        statistic = np.where(counted, (observed - expected) ** 2 / expected, 0).sum(axis=-1)
        df = counted.sum(axis=-1).astype(np.float64) - 1
        smallest = np.where(counted, expected, np.inf).min(axis=-1, initial=np.inf)
    reason = explain((total == 0, "there are no units"), (df < 1, "fewer than two arms have a weight"))
    known = reason == ""
    return SampleRatioTest(
        np.where(known, statistic, np.nan),
        np.where(known, df, np.nan),
        np.where(known, chi_square_sf(statistic, np.where(known, df, 1)), np.nan),
        np.where(known, smallest, np.nan),
        reason,
    )
