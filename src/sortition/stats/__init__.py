"""The methods: pure functions from sufficient statistics to typed results, vectorized over comparisons.

Everywhere a difference is treatment - control, and a relative difference is (treatment - control) / |control|. Input
that has no answer (too few observations, no variance, a baseline of zero) gives NaN and says why in `reason`.
"""

from __future__ import annotations

from sortition.stats.arrays import BoolArray, FloatArray, FloatLike, TextArray
from sortition.stats.bayes import Posterior, beta_binomial, normal_normal
from sortition.stats.covariate import Cuped, cuped
from sortition.stats.difference import Difference
from sortition.stats.effect import EffectSize, cohens_d, hedges_g
from sortition.stats.exact import barnard_exact, fisher_exact
from sortition.stats.guardrail import NonInferiority, non_inferiority
from sortition.stats.interval import ConfidenceInterval, confidence_interval
from sortition.stats.multiplicity import benjamini_hochberg, holm
from sortition.stats.power import (
    UnitMoments,
    mde_from_error,
    mde_mean,
    mde_proportion,
    mde_quantile,
    mde_ratio,
    needed_error,
    power_from_error,
    power_mean,
    power_proportion,
    power_quantile,
    power_ratio,
    sample_size_mean,
    sample_size_proportion,
    sample_size_quantile,
    sample_size_ratio,
    unit_sd,
)
from sortition.stats.proportions import ScoreInterval, newcombe, smallest_expected, two_proportion_z, wilson
from sortition.stats.quantile import QuantileDifference, QuantileEstimate, quantile, quantile_difference
from sortition.stats.ratio import RatioEstimate, ratio, ratio_delta
from sortition.stats.relative import RelativeLift, relative_lift
from sortition.stats.resampling import BootstrapInterval, Statistic, bootstrap
from sortition.stats.samples import Bins, BucketSums, Counts, CovariateSums, Moments
from sortition.stats.sequential import (
    ConfidenceSequence,
    GroupSequential,
    SequentialSampleRatioTest,
    StageWise,
    asymptotic_cs,
    bernoulli_cs,
    crossing_probability,
    group_sequential,
    guarded_error,
    hwang_shih_decani,
    kim_demets,
    mde_sequential,
    needed_error_group_sequential,
    needed_error_sequential,
    obrien_fleming,
    pocock,
    power_group_sequential,
    power_sequential,
    proportion_cs,
    repeated_interval,
    sample_size_group_sequential,
    sample_size_sequential,
    srm_sequential,
    stage_wise,
)
from sortition.stats.srm import SampleRatioTest, srm_chi2
from sortition.stats.superiority import chance_to_beat
from sortition.stats.welch import welch_t
from sortition.stats.winsor import Winsorized, winsorize

__all__ = [
    "Bins",
    "BoolArray",
    "BootstrapInterval",
    "BucketSums",
    "ConfidenceInterval",
    "ConfidenceSequence",
    "Counts",
    "CovariateSums",
    "Cuped",
    "Difference",
    "EffectSize",
    "FloatArray",
    "FloatLike",
    "GroupSequential",
    "Moments",
    "NonInferiority",
    "Posterior",
    "QuantileDifference",
    "QuantileEstimate",
    "RatioEstimate",
    "RelativeLift",
    "SampleRatioTest",
    "ScoreInterval",
    "SequentialSampleRatioTest",
    "StageWise",
    "Statistic",
    "TextArray",
    "UnitMoments",
    "Winsorized",
    "asymptotic_cs",
    "barnard_exact",
    "benjamini_hochberg",
    "bernoulli_cs",
    "beta_binomial",
    "bootstrap",
    "chance_to_beat",
    "cohens_d",
    "confidence_interval",
    "crossing_probability",
    "cuped",
    "fisher_exact",
    "group_sequential",
    "guarded_error",
    "hedges_g",
    "holm",
    "hwang_shih_decani",
    "kim_demets",
    "mde_from_error",
    "mde_mean",
    "mde_proportion",
    "mde_quantile",
    "mde_ratio",
    "mde_sequential",
    "needed_error",
    "needed_error_group_sequential",
    "needed_error_sequential",
    "newcombe",
    "non_inferiority",
    "normal_normal",
    "obrien_fleming",
    "pocock",
    "power_from_error",
    "power_group_sequential",
    "power_mean",
    "power_proportion",
    "power_quantile",
    "power_ratio",
    "power_sequential",
    "proportion_cs",
    "quantile",
    "quantile_difference",
    "ratio",
    "ratio_delta",
    "relative_lift",
    "repeated_interval",
    "sample_size_group_sequential",
    "sample_size_mean",
    "sample_size_proportion",
    "sample_size_quantile",
    "sample_size_ratio",
    "sample_size_sequential",
    "smallest_expected",
    "srm_chi2",
    "srm_sequential",
    "stage_wise",
    "two_proportion_z",
    "unit_sd",
    "welch_t",
    "wilson",
    "winsorize",
]
