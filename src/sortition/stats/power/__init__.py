"""How many units a comparison needs, how likely it finds what is there, and the smallest effect it finds.

Tests are two-sided. Units are the control's; the treatment has `allocation` times as many, by default as many.
"""

from __future__ import annotations

from sortition.stats.power.errors import mde_from_error, needed_error, power_from_error
from sortition.stats.power.means import mde_mean, power_mean, sample_size_mean, unit_sd
from sortition.stats.power.proportions import mde_proportion, power_proportion, sample_size_proportion
from sortition.stats.power.quantiles import mde_quantile, power_quantile, sample_size_quantile
from sortition.stats.power.ratios import UnitMoments, mde_ratio, power_ratio, sample_size_ratio

__all__ = [
    "UnitMoments",
    "mde_from_error",
    "mde_mean",
    "mde_proportion",
    "mde_quantile",
    "mde_ratio",
    "needed_error",
    "power_from_error",
    "power_mean",
    "power_proportion",
    "power_quantile",
    "power_ratio",
    "sample_size_mean",
    "sample_size_proportion",
    "sample_size_quantile",
    "sample_size_ratio",
    "unit_sd",
]
