"""Corrections for asking several questions at once."""

from __future__ import annotations

import numpy as np

from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: FloatLike) -> FloatArray:
    """Returns p-values adjusted so that the chance of any false positive stays below the level.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

    Args:
        p_values: Shape (m,). NaN is not a test: it stays NaN and does not count.

    >>> [round(p, 6) for p in holm([0.01, 0.04, 0.03]).tolist()]
    [0.03, 0.06, 0.06]
    """
    p = floats(p_values)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: int(np.count_nonzero(~np.isnan(p)))]
    remaining = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * remaining), 1)
    return adjusted


def benjamini_hochberg(p_values: FloatLike) -> FloatArray:
    """Returns p-values adjusted so that the expected share of false ones among the positives stays below the level.

    Source: Benjamini, Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995.

    Args:
        p_values: Shape (m,). NaN is not a test: it stays NaN and does not count.

    >>> [round(p, 6) for p in benjamini_hochberg([0.01, 0.04, 0.03]).tolist()]
    [0.03, 0.04, 0.04]
    """
    p = floats(p_values)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: int(np.count_nonzero(~np.isnan(p)))]
    count = len(order)
    scaled = p[order] * count / np.arange(1, count + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return adjusted
