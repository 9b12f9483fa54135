"""How means are compared, and by which policy an experiment is decided: the one place where either is added.

A method turns the samples of one metric into differences. A policy chooses the methods and decides; an experiment names
its policy, and `POLICIES` holds those that exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from sortition.analyzer.evidence import Evidence, Verdict
from sortition.analyzer.fixed_horizon import decide
from sortition.analyzer.sample import Sample, units_may_repeat
from sortition.errors import InvalidArgument
from sortition.model import DecisionPolicy, Metric, MetricKind
from sortition.stats import (
    BoolArray,
    BucketSums,
    Counts,
    Difference,
    Moments,
    fisher_exact,
    newcombe,
    ratio_delta,
    smallest_expected,
    two_proportion_z,
    welch,
)

__all__ = ["FISHER", "POLICIES", "Compared", "FixedHorizon", "Method", "Policy", "policy_named"]

RATIO_DELTA = "ratio_delta"
WELCH = "welch_t"
TWO_PROPORTIONS = "two_proportion_z"
FISHER = "fisher_exact"

# Cochran 1954: below it the normal approximation of a 2 x 2 table does not hold.
_SMALL_COUNT = 5
# A mean is exact to about this many units in its last place; a smaller standard error only says how numbers are
# rounded.
_RESOLUTION = 4


class Compared(NamedTuple):
    """Treatments compared with the control, in the treatments' order."""

    difference: Difference
    methods: tuple[str, ...]


class Method(Protocol):
    """Compares the treatments' samples of one metric with the control's."""

    def __call__(self, control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
        """Returns differences of shape (treatments,) with intervals of the given confidence."""


class Policy(Protocol):
    """How an experiment is decided."""

    def method(self, metric: Metric, samples: tuple[Sample, ...]) -> Method:
        """Returns how means of the metric are compared; the same for all treatments."""

    def decide(self, evidence: Evidence) -> Verdict:
        """Returns the decision."""


def compare_units(control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
    """Compares by sums over buckets of units: valid however often a unit repeats."""
    sums = [sample.buckets for sample in treatments]
    together = BucketSums.of([one.denominator for one in sums], [one.total for one in sums])
    difference = ratio_delta(control.buckets, together, confidence)
    return Compared(_resolved(difference), (RATIO_DELTA,) * len(treatments))


def compare_observations(control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
    """Compares means of independent observations."""
    moments = [sample.moments for sample in treatments]
    together = Moments.of([one.n for one in moments], [one.mean for one in moments], [one.variance for one in moments])
    return Compared(_resolved(welch(control.moments, together, confidence)), (WELCH,) * len(treatments))


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
    return Compared(found, tuple(FISHER if one else TWO_PROPORTIONS for one in small))


def _resolved(difference: Difference) -> Difference:
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


class FixedHorizon:
    """One pre-registered look, once the minimum sample is reached."""

    def method(self, metric: Metric, samples: tuple[Sample, ...]) -> Method:
        """Returns the unit-level method unless units certainly do not repeat."""
        if metric.kind is MetricKind.RATIO or units_may_repeat(samples):
            return compare_units
        return compare_proportions if metric.kind is MetricKind.BINARY else compare_observations

    def decide(self, evidence: Evidence) -> Verdict:
        """Returns the decision by `fixed_horizon.decide`."""
        return decide(evidence)


POLICIES: Mapping[str, Policy] = {DecisionPolicy.FIXED_HORIZON.value: FixedHorizon()}
"""The decision policies that exist, by name."""


def policy_named(name: str) -> Policy:
    """Returns the policy of that name.

    Raises:
        InvalidArgument: There is none; names those that there are.
    """
    found = POLICIES.get(str(name))
    if found is None:
        raise InvalidArgument.of(
            [("decision.policy", f"{str(name)!r} is not available; use one of: {', '.join(POLICIES)}")]
        )
    return found
