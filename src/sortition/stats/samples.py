"""Sufficient statistics: all that a method needs to know about one arm, or about many arms at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = ["Bins", "BucketSums", "Counts", "CovariateSums", "Moments"]


@dataclass(frozen=True)
class Moments:
    """Observations that are independent of each other.

    Attributes:
        n: How many, of any shape.
        mean: Their mean, in the metric's unit.
        variance: Their sample variance (divisor n - 1), in the unit's square; ignored where n < 2.
    """

    n: FloatArray
    mean: FloatArray
    variance: FloatArray

    @classmethod
    def of(cls, n: FloatLike, mean: FloatLike, variance: FloatLike) -> Moments:
        """Makes it from numbers or arrays that broadcast.

        >>> Moments.of(2, [0.0, 1.0], 4).variance.tolist()
        [4.0, 4.0]
        """
        return cls(*np.broadcast_arrays(floats(n), floats(mean), floats(variance)))


@dataclass(frozen=True)
class Counts:
    """Outcomes that are 0 or 1 and independent of each other.

    Attributes:
        successes: How many were 1.
        trials: How many there were.
    """

    successes: FloatArray
    trials: FloatArray

    @classmethod
    def of(cls, successes: FloatLike, trials: FloatLike) -> Counts:
        """Makes it from numbers or arrays that broadcast.

        >>> Counts.of([1, 2], 10).trials.tolist()
        [10.0, 10.0]
        """
        return cls(*np.broadcast_arrays(floats(successes), floats(trials)))


@dataclass(frozen=True)
class BucketSums:
    """Sums over groups of units.

    All outcomes of a unit are in one bucket, so buckets are independent where outcomes are not.

    Attributes:
        denominator: Shape (..., buckets): the sum of denominators; for means the number of observations.
        total: Shape (..., buckets): the sum of observations, in the metric's unit.
    """

    denominator: FloatArray
    total: FloatArray

    @classmethod
    def of(cls, denominator: FloatLike, total: FloatLike) -> BucketSums:
        """Makes it from arrays that broadcast.

        >>> BucketSums.of([1, 2], [3.0, 4.0]).total.tolist()
        [3.0, 4.0]
        """
        return cls(*np.broadcast_arrays(floats(denominator), floats(total)))


@dataclass(frozen=True)
class CovariateSums:
    """Sums over groups of units, with those of a covariate that the treatment cannot have touched.

    Attributes:
        denominator: Shape (..., buckets): the sum of denominators; for means the number of observations.
        total: Shape (..., buckets): the sum of observations, in the metric's unit.
        covariate: Shape (..., buckets): the sum of the covariate over the same observations, in its own unit.
    """

    denominator: FloatArray
    total: FloatArray
    covariate: FloatArray

    @classmethod
    def of(cls, denominator: FloatLike, total: FloatLike, covariate: FloatLike) -> CovariateSums:
        """Makes it from arrays that broadcast.

        >>> CovariateSums.of([1, 2], [3.0, 4.0], 0).covariate.tolist()
        [0.0, 0.0]
        """
        return cls(*np.broadcast_arrays(floats(denominator), floats(total), floats(covariate)))


@dataclass(frozen=True)
class Bins:
    """The distribution of one arm's observations in bins, kept apart by groups of units.

    Attributes:
        edges: Shape (k, 2), ascending: each bin's lower and upper end, in the metric's unit.
        counts: Shape (k, groups): observations per bin and group.
    """

    edges: FloatArray
    counts: FloatArray

    @classmethod
    def of(cls, edges: FloatLike, counts: FloatLike | NDArray[np.uint64]) -> Bins:
        """Makes it from arrays; counts of shape (k,) are one group.

        >>> Bins.of([[0, 1], [1, 2]], [5, 5]).counts.shape
        (2, 1)

        Raises:
            InvalidArgument: The shapes do not fit, or the bins do not ascend.
        """
        borders, held = floats(edges), floats(counts)
        held = held[:, None] if held.ndim == 1 else held
        if borders.ndim != 2 or borders.shape[1:] != (2,) or held.ndim != 2 or len(held) != len(borders):
            text = f"has shape {borders.shape} beside counts of shape {held.shape}; give (k, 2) and (k, groups)"
            raise InvalidArgument.of([("edges", text)])
        if np.any(np.diff(borders.ravel()) < 0):
            raise InvalidArgument.of([("edges", "must ascend, and bins must not overlap")])
        return cls(borders, held)

    def within(self, lowest: float, highest: float) -> Bins:
        """Returns the same bins, the outer ones cut to the smallest and the largest observation.

        >>> Bins.of([[0, 1], [1, 2]], [5, 5]).within(0.5, 1.25).edges.tolist()
        [[0.5, 1.0], [1.0, 1.25]]
        """
        return Bins(np.clip(self.edges, lowest, highest), self.counts)
