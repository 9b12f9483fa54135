"""Variance reduction by a covariate: CUPED on sums over groups of units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.stats.arrays import FloatArray, check_share, explain
from sortition.stats.difference import Difference, compare, welch_satterthwaite
from sortition.stats.ratio import linearize, norm
from sortition.stats.samples import CovariateSums

__all__ = ["Cuped", "cuped"]

# An adjusted spread below this share of the unadjusted one is what rounding leaves of an exact linear relation.
_ROUNDING = 64 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class Cuped:
    """Comparisons adjusted by a covariate. Every array has the comparisons' shape.

    Attributes:
        difference: The adjusted comparison; its estimates are those at the covariate's mean over both arms.
        theta: By how much the metric moves with the covariate, in the metric's unit per unit of the covariate; 0 where
            the covariate does not vary.
        variance_reduction: 1 - the adjusted variance of the difference / the unadjusted one; at most 1, and below 0
            where the covariate explains less than it costs.
    """

    difference: Difference
    theta: FloatArray
    variance_reduction: FloatArray


def cuped(control: CovariateSums, treatment: CovariateSums, confidence: float = 0.95) -> Cuped:
    """Compares ratios (means included) after taking off what a covariate from before the treatment explains.

    θ = cov/var of the two arms' estimates over groups of units, the same in both arms, so that Y - θ·X keeps the
    difference and has the smallest variance. Valid however often a unit repeats. θ is estimated from the same data: as
    in the analysis of covariance this costs one degree of freedom, and the variance counts that the arms' covariates
    differ by chance, with the factor (ν + z²)/(ν - 1) for ν degrees of freedom and a difference of z standard errors.

    Source: Deng, Xu, Kohavi, Walker, "Improving the Sensitivity of Online Controlled Experiments by Utilizing
    Pre-Experiment Data", WSDM 2013; the variance as for `ratio_delta`; the factor: Cochran, "Analysis of covariance:
    its nature and uses", Biometrics 13, 1957.

    Args:
        control: The controls, shape (..., buckets).
        treatment: The treatments; broadcasts against the controls.
        confidence: Of the interval, in (0, 1); 0.95.

    Returns:
        Differences in the metric's unit. NaN with a reason below two non-empty buckets in an arm, with too few to
        estimate θ, or without any variance after the adjustment.

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    >>> before = CovariateSums.of([1, 1, 1, 1], [3.0, 5.0, 8.0, 8.0], [1.0, 2.0, 3.0, 4.0])
    >>> after = CovariateSums.of([1, 1, 1, 1], [5.0, 6.0, 9.0, 12.0], [1.0, 2.0, 3.0, 4.0])
    >>> found = cuped(before, after)
    >>> round(float(found.theta), 6), round(float(found.difference.difference), 6)
    (2.1, 2.0)
    >>> round(float(found.difference.standard_error), 6), round(float(found.variance_reduction), 6)
    (0.625983, 0.902036)
    """
    check_share("confidence", confidence)
    first, second = (linearize(arm.denominator, arm.total) for arm in (control, treatment))
    first_x, second_x = (linearize(arm.denominator, arm.covariate) for arm in (control, treatment))
    with np.errstate(all="ignore"):
        weight, other_weight = (np.sqrt(one.buckets / (one.buckets - 1)) for one in (first, second))
        shift = second_x.value - first_x.value
        shift_error = np.hypot(weight * norm(first_x.residual), other_weight * norm(second_x.residual))
        # In units of their own spread neither products nor squares underflow.
        unit_x = np.where(shift_error > 0, shift_error, 1)
        error = np.hypot(weight * norm(first.residual), other_weight * norm(second.residual))
        unit = np.where(error > 0, error, 1)
        together = weight**2 * _product(first.residual, unit, first_x.residual, unit_x) + other_weight**2 * _product(
            second.residual, unit, second_x.residual, unit_x
        )
        theta = np.where(shift_error == 0, 0.0, together * (unit / unit_x))

        first_noise = first.noise + np.abs(theta) * first_x.noise
        second_noise = second.noise + np.abs(theta) * second_x.noise
        first_error = weight * _rest(first.residual, first_x.residual, theta, first_noise)
        second_error = other_weight * _rest(second.residual, second_x.residual, theta, second_noise)
        df = welch_satterthwaite(first_error, first.buckets - 1, second_error, second.buckets - 1)
        flat = (first_error == 0) & (second_error == 0)
        used = shift_error > 0
        cost = np.where(used, np.sqrt((df + (shift / unit_x) ** 2) / (df - 1)), 1.0)
        df = np.where(used, df - 1, df)
        first_error, second_error = first_error * cost, second_error * cost
        share = second.whole / (first.whole + second.whole)
        value = first.value + theta * shift * share
        other_value = second.value - theta * shift * (1 - share)
        reduction = 1 - (np.hypot(first_error, second_error) / error) ** 2
    reason = explain(
        (first.buckets < 2, "the control has outcomes in fewer than 2 groups of units"),
        (second.buckets < 2, "the treatment has outcomes in fewer than 2 groups of units"),
        (flat, "the groups of units have no variance"),
        (np.isnan(theta), "a covariate is not a finite number"),
        (~(df > 0), "too few groups of units to adjust by a covariate"),
        (~np.isfinite(first_error) | ~np.isfinite(second_error), "a variance is not a finite number"),
    )
    return Cuped(
        compare(value, first_error, other_value, second_error, df, confidence, reason),
        np.where(reason == "", theta, np.nan),
        np.where(reason == "", reduction, np.nan),
    )


def _product(residual: FloatArray, unit: FloatArray, covariate: FloatArray, unit_x: FloatArray) -> FloatArray:
    return np.asarray(((residual / unit[..., None]) * (covariate / unit_x[..., None])).sum(axis=-1))


def _rest(residual: FloatArray, covariate: FloatArray, theta: FloatArray, noise: FloatArray) -> FloatArray:
    """Returns the norm of what the covariate leaves; 0 where that is no more than rounding."""
    left = norm(residual - theta[..., None] * covariate)
    return np.where(left <= np.maximum(noise, _ROUNDING * norm(residual)), 0.0, left)
