"""Student's t and the normal distribution at equal tail probability, in logarithms where the tail itself underflows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray, FloatLike, floats
from sortition.stats.distributions import two_sided_p
from sortition.stats.sequential.expansion import is_near, normal_from_near_t, t_from_near_normal

__all__ = ["log_t_tail", "normal_from_t", "t_from_normal"]

_LOG_TINY = math.log(1e-290)
"""Below it tails are computed as logarithms."""
_LOG_FAR = math.log(1e-30)
"""Below it SciPy's quantiles of t are not to be trusted: for few degrees of freedom they turn infinite."""
_LOG_LARGE = math.log(1e300)
_MOST_TERMS = 200
"""Terms of a continued fraction that needs about ten this far out."""
_NEWTON_STEPS = 20

_Carry: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]


def log_t_tail(statistic: FloatLike, df: FloatLike) -> FloatArray:
    """Returns ln P(T > |statistic|), for finite degrees of freedom.

    >>> float(log_t_tail(1e200, 1.0).round(9)), round(-math.log(math.pi * 1e200), 9)  # Cauchy: 1/(pi t)
    (-461.661748485, -461.661748485)
    """
    t, freedom = np.broadcast_arrays(np.abs(floats(statistic)), floats(df))
    with np.errstate(all="ignore"):
        near = np.array(np.log(two_sided_p(t, freedom) / 2))
    far = near < _LOG_TINY
    if not far.any():
        return near
    near[far] = _far_log_tail(t[far], freedom[far])
    return near


def _far_log_tail(t: FloatArray, df: FloatArray) -> FloatArray:
    """Returns it by the continued fraction of the incomplete beta function (DLMF 8.17.22), evaluated by Lentz."""
    a, b = df / 2, 0.5
    with np.errstate(all="ignore"):
        stretched = _stretched(t, df)
        y = np.exp(-stretched)
        log_rest = np.log(-np.expm1(-stretched)) / 2
        c = np.ones_like(t)
        d = 1 / (1 - (a + b) * y / (a + 1))
        fraction = d
        for m in range(1, _MOST_TERMS):
            even = m * (b - m) * y / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / (1 + even * d)
            c = 1 + even / c
            fraction = fraction * (c * d)
            odd = -(a + m) * (a + b + m) * y / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / (1 + odd * d)
            c = 1 + odd / c
            step = c * d
            fraction = fraction * step
            if np.all(np.abs(step - 1) < 1e-15):
                break
        return floats(np.log(fraction) - a * stretched + log_rest - np.log(a) - special.betaln(a, b) - math.log(2))


def _stretched(t: FloatArray, df: FloatArray) -> FloatArray:
    """Returns ln(1 + t²/df) without the square, which may overflow."""
    return np.where(t < 1e150, np.log1p((t / df) * np.minimum(t, 1e150)), 2 * np.log(t) - np.log(df))


def normal_from_t(statistic: FloatLike, df: FloatLike) -> FloatArray:
    """Returns the z with P(Z > z) = P(T > statistic).

    >>> float(normal_from_t(2.0, np.inf)), round(float(normal_from_t(-2.228138852, 10)), 6)
    (2.0, -1.959964)
    """
    return _carried(floats(statistic), floats(df), normal_from_near_t, _exact_score)


def t_from_normal(z: FloatLike, df: FloatLike) -> FloatArray:
    """Returns the t with P(T > t) = P(Z > z), for z > 0; inf where no 64-bit number is as large.

    >>> float(t_from_normal(2.0, np.inf)), round(float(t_from_normal(1.959963985, 10)), 6)
    (2.0, 2.228139)
    """
    return _carried(floats(z), floats(df), t_from_near_normal, _exact_quantile)


def _carried(score: FloatArray, df: FloatArray, near: _Carry, exact: _Carry) -> FloatArray:
    """Carries scores over: by expansion where that is exact, otherwise exactly; without a finite df they stay."""
    given, freedom = np.broadcast_arrays(score, df)
    finite = np.isfinite(freedom)
    if not finite.any():
        return given
    by_expansion, found = is_near(given, freedom) & finite, np.array(given)
    found[by_expansion] = near(given[by_expansion], freedom[by_expansion])
    rest = finite & ~by_expansion
    if rest.any():
        found[rest] = exact(given[rest], freedom[rest])
    return floats(found)


def _exact_score(t: FloatArray, df: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        return floats(np.copysign(-special.ndtri_exp(log_t_tail(t, df)), t))


def _exact_quantile(z: FloatArray, df: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        log_tail = special.log_ndtr(-z)
        t = np.array(-special.stdtrit(df, np.exp(log_tail)))
        far = log_tail < _LOG_FAR
        if far.any():
            t[far] = _far_quantile(log_tail[far], z[far], df[far])
    return t


def _far_quantile(log_tail: FloatArray, z: FloatArray, df: FloatArray) -> FloatArray:
    """Returns it by Newton's method on ln t, where the log tail is concave, from Wallace's approximation (1959)."""
    grown = (z * (8 * df + 3) / (8 * df + 1)) ** 2 / df
    log_t = (np.log(df) + grown + np.log(-np.expm1(-grown))) / 2
    for _ in range(_NEWTON_STEPS):
        # Beyond all numbers the log tail is a line, and the last step is exact.
        log_t = np.minimum(log_t, _LOG_LARGE)
        t = np.exp(log_t)
        found = log_t_tail(t, df)
        # d ln P(T > t) / d ln t = -t · density / P(T > t)
        log_density = -(df + 1) / 2 * _stretched(t, df) - np.log(df) / 2 - special.betaln(0.5, df / 2)
        step = (found - log_tail) / np.exp(log_density + log_t - found)
        log_t = log_t + step
        if np.all((np.abs(step) < 1e-13) | (log_t > _LOG_LARGE)):
            break
    return floats(np.exp(log_t))
