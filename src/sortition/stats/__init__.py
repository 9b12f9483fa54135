"""The methods: pure functions from sufficient statistics to typed results, vectorized over comparisons.

Everywhere a difference is treatment - control, and a relative difference is (treatment - control) / |control|. Input
that has no answer (too few observations, no variance, a baseline of zero) gives NaN and says why in `reason`.
"""

from __future__ import annotations

from sortition.stats.arrays import BoolArray, FloatArray, FloatLike, TextArray
from sortition.stats.difference import Difference
from sortition.stats.effect import EffectSize, cohens_d
from sortition.stats.guardrail import MarginTest, margin_test
from sortition.stats.multiplicity import benjamini_hochberg, holm
from sortition.stats.power import (
    error_power,
    mean_power,
    mean_sample_size,
    needed_error,
    proportion_power,
    proportion_sample_size,
)
from sortition.stats.proportions import (
    ScoreInterval,
    fisher_exact,
    newcombe,
    smallest_expected,
    two_proportion_z,
    wilson,
)
from sortition.stats.quantile import QuantileDifference, QuantileEstimate, quantile, quantile_difference
from sortition.stats.ratio import RatioEstimate, ratio, ratio_delta
from sortition.stats.relative import RelativeLift, fieller, relative_delta, relative_log
from sortition.stats.samples import Bins, BucketSums, Counts, Moments
from sortition.stats.srm import SampleRatioTest, sample_ratio
from sortition.stats.superiority import chance_to_beat
from sortition.stats.welch import welch

__all__ = [
    "Bins",
    "BoolArray",
    "BucketSums",
    "Counts",
    "Difference",
    "EffectSize",
    "FloatArray",
    "FloatLike",
    "MarginTest",
    "Moments",
    "QuantileDifference",
    "QuantileEstimate",
    "RatioEstimate",
    "RelativeLift",
    "SampleRatioTest",
    "ScoreInterval",
    "TextArray",
    "benjamini_hochberg",
    "chance_to_beat",
    "cohens_d",
    "error_power",
    "fieller",
    "fisher_exact",
    "holm",
    "margin_test",
    "mean_power",
    "mean_sample_size",
    "needed_error",
    "newcombe",
    "proportion_power",
    "proportion_sample_size",
    "quantile",
    "quantile_difference",
    "ratio",
    "ratio_delta",
    "relative_delta",
    "relative_log",
    "sample_ratio",
    "smallest_expected",
    "two_proportion_z",
    "welch",
    "wilson",
]
