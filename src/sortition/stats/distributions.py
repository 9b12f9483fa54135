"""Tails and quantiles of the normal, t and chi-square distributions, accurate far out.

Infinite degrees of freedom are the normal distribution. The only place that knows SciPy's functions for them.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = ["chi_square_sf", "critical", "critical_at", "normal_cdf", "normal_quantile", "t_cdf", "two_sided_p"]

_SQRT2 = float(np.sqrt(2))
# Between them SciPy's Student's t is accurate.
_NEAR, _FAR = 1e-6, 1e100
# The root of 1e17, which no critical value reaches at levels that are not smaller.
_POWER_LAW, _SMALL = 3.2e8, 1e-8


def two_sided_p(statistic: FloatLike, df: FloatLike) -> FloatArray:
    """Returns P(|T| > |statistic|).

    Source: Abramowitz, Stegun, "Handbook of Mathematical Functions", 1964, 26.7.1, by SciPy's lower tail of Student's
    t, which keeps its relative accuracy to 1e-13 both far out and for many degrees of freedom. Where it does not, below
    one millionth and where t² would overflow, it is the regularized incomplete beta function itself, or its first term.

    >>> float(two_sided_p(0.0, 10)), round(float(two_sided_p(1.959963984540054, np.inf)), 12)
    (1.0, 0.05)
    >>> round(float(two_sided_p(1e8, 1)) * 1e8 * np.pi / 2, 12)  # Cauchy: 2/pi * atan(1/t)
    1.0
    """
    size, freedom = np.broadcast_arrays(np.abs(floats(statistic)), floats(df))
    with np.errstate(all="ignore"):
        p = np.where(np.isinf(freedom), special.erfc(size / _SQRT2), 2 * special.stdtr(freedom, -size))
        extreme = ((size < _NEAR) | (size > _FAR)) & np.isfinite(freedom)
        if extreme.any():
            p[extreme] = _by_beta(size[extreme], freedom[extreme])
    return floats(np.where(np.isnan(size) | np.isnan(freedom), np.nan, p))


def _by_beta(size: FloatArray, df: FloatArray) -> FloatArray:
    """Returns P(|T| > size) near 0 from x = t²/(df + t²) (26.5.27); far out from its power law, where t² overflows."""
    squared = size * size
    near = special.betaincc(0.5, df / 2, squared / (df + squared))
    # The first term of the series in df/t² is all of it to the last digit.
    far = np.exp(df * (np.log(df) / 2 - np.log(size))) / _leading(df)
    return floats(np.where(size < 1, near, far))


def _leading(df: FloatArray) -> FloatArray:
    """Returns the reciprocal of P(|T| > t)·(t²/df)^(df/2) far out."""
    return floats(df / 2 * special.beta(df / 2, 0.5))


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
    return critical_at(1 - confidence, df)


def critical_at(alpha: float, df: FloatLike) -> FloatArray:
    """Returns the c with P(|T| > c) = alpha, however small.

    >>> round(float(critical_at(1e-100, np.inf)), 6), round(float(critical_at(1e-30, 1)) * 1e-30 * np.pi / 2, 12)
    (21.30594, 1.0)
    """
    # From the lower tail: 1 - alpha/2 would lose a small alpha.
    tail = alpha / 2
    freedom = floats(df)
    with np.errstate(all="ignore"):
        finite = np.where(np.isinf(freedom), 1.0, freedom)
        student = -special.stdtrit(finite, tail)
        if alpha < _SMALL:
            # Where c² is beyond 1e17 degrees of freedom the tail is its power law, which SciPy's inverse does not know.
            power_law = np.exp(np.log(finite) / 2 - np.log(alpha * _leading(finite)) / finite)
            student = np.where(power_law > _POWER_LAW * np.sqrt(finite), power_law, student)
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
