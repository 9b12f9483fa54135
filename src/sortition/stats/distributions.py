"""Tails and quantiles of the normal, t and chi-square distributions, accurate far out.

Infinite degrees of freedom are the normal distribution. The only place that knows SciPy's functions for them.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = ["chi_square_sf", "critical", "normal_cdf", "normal_quantile", "t_cdf", "two_sided_p"]

_SQRT2 = float(np.sqrt(2))


def two_sided_p(statistic: FloatLike, df: FloatLike) -> FloatArray:
    """Returns P(|T| > |statistic|).

    Both ends keep their relative accuracy: with x = t²/(df + t²) the regularized incomplete beta function is evaluated
    from whichever of x and 1 - x is small (Abramowitz and Stegun 1964, 26.5.27 and 26.7.1).

    >>> float(two_sided_p(0.0, 10)), round(float(two_sided_p(1.959963984540054, np.inf)), 12)
    (1.0, 0.05)
    >>> round(float(two_sided_p(1e8, 1)) * 1e8 * np.pi / 2, 12)  # Cauchy: 2/pi * atan(1/t)
    1.0
    """
    size, freedom = np.broadcast_arrays(np.abs(floats(statistic)), floats(df))
    with np.errstate(all="ignore"):
        squared = size * size
        x = squared / (freedom + squared)
        near = special.betaincc(0.5, freedom / 2, np.where(np.isnan(x), 0.5, x))
        # (1 + t²/df)⁻¹ and not df/(df + t²): t² may overflow where t²/df does not.
        far = special.betainc(freedom / 2, 0.5, 1 / (1 + (size / freedom) * size))
        student = np.where(x < 0.5, near, far)
        p = np.where(np.isinf(freedom), special.erfc(size / _SQRT2), student)
    return floats(np.where(np.isnan(size) | np.isnan(freedom), np.nan, p))


def t_cdf(statistic: FloatLike, df: FloatLike) -> FloatArray:
    """Returns P(T <= statistic).

    >>> float(t_cdf(0.0, 3)), round(float(t_cdf(-1.0, 1)), 12)
    (0.5, 0.25)
    """
    value = floats(statistic)
    tail = two_sided_p(value, df) / 2
    return floats(np.where(value > 0, 1 - tail, tail))


def critical(confidence: float, df: FloatLike) -> FloatArray:
    """Returns the c with P(|T| <= c) = confidence.

    >>> round(float(critical(0.95, np.inf)), 6), round(float(critical(0.95, 10)), 6)
    (1.959964, 2.228139)
    """
    # From the lower tail: 1 - alpha/2 would lose a small alpha.
    tail = (1 - confidence) / 2
    freedom = floats(df)
    with np.errstate(all="ignore"):
        student = -special.stdtrit(np.where(np.isinf(freedom), 1.0, freedom), tail)
    return floats(np.where(np.isinf(freedom), -special.ndtri(tail), student))


def normal_cdf(value: FloatLike) -> FloatArray:
    """Returns P(Z <= value).

    >>> float(normal_cdf(0.0))
    0.5
    """
    return floats(special.ndtr(floats(value)))


def normal_quantile(probability: FloatLike) -> FloatArray:
    """Returns the z with P(Z <= z) = probability.

    >>> round(float(normal_quantile(0.975)), 6)
    1.959964
    """
    return floats(special.ndtri(floats(probability)))


def chi_square_sf(statistic: FloatLike, df: FloatLike) -> FloatArray:
    """Returns P(X > statistic).

    >>> round(float(chi_square_sf(5.991464547107979, 2)), 12)
    0.05
    """
    with np.errstate(all="ignore"):
        return floats(special.gammaincc(floats(df) / 2, floats(statistic) / 2))
