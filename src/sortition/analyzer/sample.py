"""One arm of an experiment on one metric, as the methods take it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sortition.core import SUB_SKETCHES, UNIT_BUCKETS, Cell, sketch_bins
from sortition.model import Metric, MetricKind
from sortition.stats import Bins, BucketSums, Counts, FloatArray, Moments

__all__ = ["Sample", "units_may_repeat"]


@dataclass(frozen=True)
class Sample:
    """One arm on one metric.

    Attributes:
        variant: The variant's name.
        metric: The metric.
        units: Distinct exposed units.
        cell: The aggregates of its outcomes; None without any.
        periods: The same of the units of each allocation, where weights were changed; else none.
    """

    variant: str
    metric: Metric
    units: int
    cell: Cell | None
    periods: tuple[Sample, ...] = ()

    @property
    def n(self) -> int:
        """Observations."""
        return self.cell.n if self.cell else 0

    @property
    def mean(self) -> float:
        """Their mean, for ratio metrics the ratio of sums; NaN without observations."""
        if self.cell is None or self.cell.n == 0:
            return math.nan
        if self.metric.kind is not MetricKind.RATIO:
            return self.cell.mean
        sums = self.buckets
        return float(sums.total.sum() / sums.denominator.sum())

    @property
    def variance(self) -> float:
        """Their sample variance; NaN below two observations."""
        return self.cell.m2 / (self.cell.n - 1) if self.cell and self.cell.n > 1 else math.nan

    @property
    def lowest(self) -> float:
        """The smallest observation; NaN without any."""
        return math.nan if self.cell is None or self.cell.min is None else self.cell.min

    @property
    def highest(self) -> float:
        """The largest observation; NaN without any."""
        return math.nan if self.cell is None or self.cell.max is None else self.cell.max

    @property
    def moments(self) -> Moments:
        """The observations as independent ones."""
        return Moments.of(self.n, self.mean, self.variance)

    @property
    def counts(self) -> Counts:
        """The outcomes of a binary metric as independent ones."""
        return Counts.of(round(self.n * self.mean) if self.n else 0, self.n)

    @property
    def buckets(self) -> BucketSums:
        """The sums over buckets of units."""
        if self.cell is None:
            return BucketSums.of(np.zeros(UNIT_BUCKETS), np.zeros(UNIT_BUCKETS))
        sums = np.frombuffer(self.cell.buckets, dtype="<f8").reshape(UNIT_BUCKETS, -1)
        if self.lowest == self.highest and self.metric.kind is not MetricKind.RATIO:
            # Equal observations have no variance; what rounding left in their sums would be taken for some.
            return BucketSums.of(sums[:, 0], sums[:, 0] * self.lowest)
        return BucketSums.of(sums[:, 0], sums[:, 1])

    @property
    def covariates(self) -> FloatArray | None:
        """The sums of the covariate over the same buckets; None where none is kept."""
        if self.cell is None or len(self.cell.buckets) == UNIT_BUCKETS * 2 * 8:
            return None
        return np.frombuffer(self.cell.buckets, dtype="<f8").reshape(UNIT_BUCKETS, -1)[:, 2]

    @property
    def bins(self) -> Bins:
        """The distribution in bins; without any where no sketch is kept."""
        if self.cell is None or self.cell.sketch is None or self.cell.n == 0:
            return Bins.of(np.empty((0, 2)), np.empty((0, SUB_SKETCHES)))
        edges, counts = sketch_bins(self.cell.sketch)
        held = np.frombuffer(counts, dtype=np.uint64).reshape(-1, SUB_SKETCHES)
        bins = Bins.of(np.frombuffer(edges, dtype=np.float64).reshape(-1, 2), held)
        return bins.within(self.lowest, self.highest)


def units_may_repeat(samples: tuple[Sample, ...]) -> bool:
    """Returns whether a unit may have given more than one observation.

    Aggregates do not hold units, so only one case is certain: an arm with exactly as many observations as exposed units
    has one from each. More of them: units repeat. Fewer: some units gave none, and others may have given several, which
    no aggregate can rule out. The unit-level methods are valid either way, so they are what doubt leads to.
    """
    return any(sample.n != sample.units for sample in samples if sample.n)
