"""How means are compared: a method turns the samples of one metric into differences."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from sortition.analyzer.sample import Sample, units_may_repeat
from sortition.model import Metric, MetricKind
from sortition.stats import (
    BoolArray,
    BucketSums,
    Counts,
    CovariateSums,
    Difference,
    FloatArray,
    Moments,
    cuped,
    fisher_exact,
    newcombe,
    ratio_delta,
    smallest_expected,
    two_proportion_z,
    welch_t,
)

__all__ = ["CUPED", "FISHER", "RATIO_DELTA", "TWO_PROPORTIONS", "Compared", "Method", "method_for", "resolved"]

RATIO_DELTA = "ratio_delta"
WELCH = "welch_t"
TWO_PROPORTIONS = "two_proportion_z"
FISHER = "fisher_exact"
CUPED = "cuped"

# Cochran 1954: below it the normal approximation of a 2 x 2 table does not hold.
_SMALL_COUNT = 5
# A mean is exact to about this many units in its last place; a smaller standard error only says how numbers are
# rounded.
_RESOLUTION = 4


class Compared(NamedTuple):
    """Treatments compared with the control, in the treatments' order.

    Attributes:
        difference: The differences, with the intervals and p-values of a single look.
        methods: How each was compared.
        plain: The same without the covariate: the standard errors that belong to the arms' own means.
        counts: The control's and the treatments' counts where outcomes are 0 or 1 and independent; else None.
        variance_reduction: The shares of the variances that the covariate took away; None without one.
    """

    difference: Difference
    methods: tuple[str, ...]
    plain: Difference
    counts: tuple[Counts, Counts] | None = None
    variance_reduction: FloatArray | None = None

    @property
    def few(self) -> BoolArray:
        """Where counts are too small for the normal approximation."""
        return np.array([method == FISHER for method in self.methods])


class Method(Protocol):
    """Compares the treatments' samples of one metric with the control's."""

    def __call__(self, control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
        """Returns differences of shape (treatments,) with intervals of the given confidence."""


def compare_units(control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
    """Compares by sums over buckets of units: valid however often a unit repeats."""
    sums = [sample.buckets for sample in treatments]
    together = BucketSums.of([one.denominator for one in sums], [one.total for one in sums])
    difference = resolved(ratio_delta(control.buckets, together, confidence))
    return Compared(difference, (RATIO_DELTA,) * len(treatments), difference)


def compare_adjusted(control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
    """Compares by sums over buckets of units, without what the covariate explains."""
    plain = compare_units(control, treatments, confidence).difference
    sums = [_covariate_sums(sample) for sample in treatments]
    together = CovariateSums.of(
        [one.denominator for one in sums], [one.total for one in sums], [one.covariate for one in sums]
    )
    found = cuped(_covariate_sums(control), together, confidence)
    methods = (CUPED,) * len(treatments)
    return Compared(resolved(found.difference), methods, plain, variance_reduction=found.variance_reduction)


def _covariate_sums(sample: Sample) -> CovariateSums:
    sums, covariate = sample.buckets, sample.covariates
    # An arm without outcomes keeps nothing, and has no covariate either.
    return CovariateSums.of(sums.denominator, sums.total, np.zeros_like(sums.total) if covariate is None else covariate)


def compare_observations(control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
    """Compares means of independent observations."""
    moments = [sample.moments for sample in treatments]
    together = Moments.of([one.n for one in moments], [one.mean for one in moments], [one.variance for one in moments])
    difference = resolved(welch_t(control.moments, together, confidence))
    return Compared(difference, (WELCH,) * len(treatments), difference)


def compare_proportions(control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
    """Compares rates of independent outcomes; exactly, and with score intervals, where counts are small."""
    counts = [sample.counts for sample in treatments]
    together = Counts.of([one.successes for one in counts], [one.trials for one in counts])
    found = two_proportion_z(control.counts, together, confidence)
    few = (smallest_expected(control.counts, together) < _SMALL_COUNT) | (found.standard_error == 0)
    small = few & (found.reason == "")
    if small.any():
        exact, score = fisher_exact(control.counts, together), newcombe(control.counts, together, confidence)
        found = replace(
            found,
            p_value=np.where(small, exact, found.p_value),
            lower=np.where(small, score.lower, found.lower),
            upper=np.where(small, score.upper, found.upper),
        )
    methods = tuple(FISHER if one else TWO_PROPORTIONS for one in small)
    return Compared(found, methods, found, counts=(control.counts, together))


def resolved(difference: Difference) -> Difference:
    """Takes back what rounding alone could have made."""
    with np.errstate(all="ignore"):
        largest = np.maximum(np.abs(difference.control), np.abs(difference.treatment))
        blurred: BoolArray = (difference.standard_error < _RESOLUTION * np.spacing(largest)) & (difference.reason == "")
    if not blurred.any():
        return difference
    return replace(
        difference,
        p_value=np.where(blurred, np.nan, difference.p_value),
        lower=np.where(blurred, np.nan, difference.lower),
        upper=np.where(blurred, np.nan, difference.upper),
        standard_error=np.where(blurred, np.nan, difference.standard_error),
        reason=np.where(blurred, "the standard error is below the resolution of 64-bit numbers", difference.reason),
    )


def method_for(metric: Metric, samples: tuple[Sample, ...]) -> Method:
    """Returns how means of the metric are compared; the same for all treatments.

    By units unless they certainly do not repeat, and with the covariate where there is one.
    """
    if any(sample.covariates is not None for sample in samples):
        return compare_adjusted
    if metric.kind is MetricKind.RATIO or units_may_repeat(samples):
        return compare_units
    return compare_proportions if metric.kind is MetricKind.BINARY else compare_observations
