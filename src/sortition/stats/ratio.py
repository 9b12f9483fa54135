"""The ratio of two sums over units, and the difference of two such ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.stats.arrays import FloatArray, check_share, explain
from sortition.stats.difference import Difference, compare, welch_satterthwaite
from sortition.stats.samples import BucketSums

__all__ = ["Linearized", "RatioEstimate", "linearize", "norm", "ratio", "ratio_delta"]

# A bucket's sum carries rounding of about one unit in its last place; what is within a few of them is not variance.
_ROUNDING = 8 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class RatioEstimate:
    """Ratios of sums.

    Attributes:
        value: ΣS/ΣD, in the metric's unit; NaN without observations.
        error: Its standard error; NaN below two buckets that hold something, 0 without variance.
        df: Buckets that hold something, less one.
    """

    value: FloatArray
    error: FloatArray
    df: FloatArray


@dataclass(frozen=True)
class Linearized:
    """A ratio of sums as a sum over independent buckets.

    Attributes:
        value: ΣS/ΣD; NaN without observations.
        residual: Shape (..., buckets): (S_b - R·D_b) / ΣD, by which a bucket moves the ratio; 0 where it is no more
            than rounding, or the bucket holds nothing.
        noise: The norm that rounding alone may give the residuals.
        whole: ΣD.
        buckets: How many hold something.
    """

    value: FloatArray
    residual: FloatArray
    noise: FloatArray
    whole: FloatArray
    buckets: FloatArray


def linearize(denominator: FloatArray, total: FloatArray) -> Linearized:
    """Returns the ratio of the sums of `total` and `denominator`, shape (..., buckets), and what each bucket adds.

    >>> linearize(np.array([1.0, 1.0]), np.array([2.0, 4.0])).residual.tolist()
    [-0.5, 0.5]
    """
    held = denominator > 0
    with np.errstate(all="ignore"):
        whole = denominator.sum(axis=-1)
        # S - R·D cancels badly where the mean is far from 0 beside the spread. Taking off c·D first, with a c of 24
        # bits near R, is exact for bucket sizes up to 2²⁹; only the small rest is then rounded.
        near = np.where(whole > 0, total.sum(axis=-1) / whole, 0).astype(np.float32).astype(np.float64)
        near = np.where(np.isfinite(near), near, 0)
        rest = total - near[..., None] * denominator
        beyond = rest.sum(axis=-1) / whole
        residual = np.where(held, rest - beyond[..., None] * denominator, 0) / whole[..., None]
        noise = norm(total * _ROUNDING) / whole
        residual = np.where((norm(residual) <= noise)[..., None], 0, residual)
    return Linearized(
        np.where(whole > 0, near + beyond, np.nan), residual, noise, whole, held.sum(axis=-1).astype(np.float64)
    )


def norm(values: FloatArray) -> FloatArray:
    """Returns the root of the sum of squares over the last axis, without underflow or overflow.

    >>> float(norm(np.array([3e-200, 4e-200])))
    5e-200
    """
    with np.errstate(all="ignore"):
        scale = np.abs(values).max(axis=-1, initial=0)
        unit = np.where(scale > 0, scale, 1)
        return np.asarray(np.sqrt(((values / unit[..., None]) ** 2).sum(axis=-1)) * unit)


def ratio(sums: BucketSums) -> RatioEstimate:
    """Estimates R = ΣS/ΣD with the delta-method variance K/(K-1) · Σ(S_b - R·D_b)² / (ΣD)².

    K is the number of buckets that hold something.

    Source: Deng, Knoblich, Lu, "Applying the Delta Method in Metric Analytics", KDD 2018, arXiv 1803.06336.

    Args:
        sums: Shape (..., buckets).

    Returns:
        Estimates of shape (...).

    With one observation per bucket it is the mean and its usual standard error:

    >>> estimate = ratio(BucketSums.of([1, 1, 1, 1, 0], [1.0, 2.0, 3.0, 4.0, 0.0]))
    >>> float(estimate.value), round(float(estimate.error) ** 2 * 4, 12), float(estimate.df)
    (2.5, 1.666666666667, 3.0)
    """
    parts = linearize(sums.denominator, sums.total)
    buckets = parts.buckets
    with np.errstate(all="ignore"):
        error = norm(parts.residual) * np.sqrt(buckets / (buckets - 1))
    return RatioEstimate(
        parts.value,
        np.where(buckets >= 2, error, np.nan),
        np.where(buckets >= 2, buckets - 1, np.nan),
    )


def ratio_delta(control: BucketSums, treatment: BucketSums, confidence: float = 0.95) -> Difference:
    """Compares ratios (means included) by sums over groups of units: valid however often a unit repeats.

    t on Welch–Satterthwaite degrees of freedom of K - 1 in each arm, K the non-empty buckets.

    Source: as for `ratio`.

    Args:
        control: The controls, shape (..., buckets).
        treatment: The treatments; broadcasts against the controls.
        confidence: Of the interval, in (0, 1).

    Returns:
        Differences in the metric's unit. NaN with a reason below two non-empty buckets in an arm, or without any
        variance.

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    >>> test = ratio_delta(BucketSums.of([2, 1, 3], [2.0, 2.0, 3.0]), BucketSums.of([2, 2, 2], [6.0, 4.0, 5.0]))
    >>> round(float(test.difference), 6), round(float(test.standard_error), 6), round(float(test.df), 3)
    (1.333333, 0.356812, 3.651)
    """
    check_share("confidence", confidence)
    first, second = ratio(control), ratio(treatment)
    reason = explain(
        (np.isnan(first.df), "the control has outcomes in fewer than 2 groups of units"),
        (np.isnan(second.df), "the treatment has outcomes in fewer than 2 groups of units"),
        ((first.error == 0) & (second.error == 0), "the groups of units have no variance"),
        (~np.isfinite(first.error) | ~np.isfinite(second.error), "a variance is not a finite number"),
    )
    df = welch_satterthwaite(first.error, first.df, second.error, second.df)
    return compare(first.value, first.error, second.value, second.error, df, confidence, reason)
