"""Roots of many functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = ["find_roots"]

_MOST_STEPS = 120
"""Twice what halving alone would take from 1 to the resolution of 64-bit numbers."""


def find_roots(
    function: Callable[[FloatArray], FloatArray], low: FloatLike, high: FloatLike, *, tolerance: float = 1e-15
) -> FloatArray:
    """Returns where elementwise functions are 0, by Chandrupatla's method: as safe as halving, three times as fast.

    Source: Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function
    without using derivatives", Advances in Engineering Software 28, 1997.

    Args:
        function: Continuous in each element; takes and returns arrays of the brackets' common shape.
        low: One end of each bracket.
        high: The other end. Where the function has the same sign at both, the end where it is nearer to 0 is returned.
        tolerance: Of the root, beside the larger of 1e-300 and its size.

    >>> find_roots(lambda x: x**2 - np.array([2.0, 9.0]), [0, 0], [2, 10]).round(12).tolist()
    [1.414213562373, 3.0]
    """
    first, second = np.broadcast_arrays(floats(low), floats(high))
    a, b = np.array(second), np.array(first)
    fa, fb = function(a), function(b)
    c, fc = a, fa
    share = np.full(a.shape, 0.5)
    apart = np.sign(fa) * np.sign(fb) < 0
    with np.errstate(all="ignore"):
        for _ in range(_MOST_STEPS):
            x = a + share * (b - a)
            fx = function(x)
            same = np.sign(fx) == np.sign(fa)
            c, fc = np.where(same, a, b), np.where(same, fa, fb)
            b, fb = np.where(same, b, a), np.where(same, fb, fa)
            a, fa = x, fx
            best = np.where(np.abs(fa) < np.abs(fb), a, b)
            width = np.abs(b - a)
            closest = (2 * tolerance * np.abs(best) + 1e-300) / width
            if np.all((closest > 1) | (fa == 0) | ~apart):
                break
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            quadratic = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
            inverse = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
            share = np.where(quadratic & np.isfinite(inverse), inverse, 0.5)
            share = np.clip(share, np.minimum(closest, 0.5), np.maximum(1 - closest, 0.5))
        ends = np.where(np.abs(function(np.array(first))) <= np.abs(function(np.array(second))), first, second)
    return floats(np.where(apart, np.where(np.abs(fa) < np.abs(fb), a, b), ends))
