"""Exact tests of two proportions, for counts too small for the normal approximation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray
from sortition.stats.samples import Counts

__all__ = ["barnard_exact", "fisher_exact"]

MOST_TABLES = 4_000_000
"""Tables that an exact test goes through; with more of them `two_proportion_z` is exact enough."""
# Tables that are equally probable in truth differ by rounding: R's tolerance.
_TIE = 1e-7
# Barnard's test looks for the worst common rate on a grid, and then around the highest points of it.
_GRID, _GRID_PER_ROOT, _PEAKS, _AROUND, _ZOOMS = 257, 16, 8, 33, 7


def fisher_exact(control: Counts, treatment: Counts) -> FloatArray:
    """Returns the two-sided p-values of Fisher's exact test.

    Source: Fisher, "The Design of Experiments", 1935; two-sided by the tables that are at most as probable.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.

    Returns:
        P-values. NaN where an arm has no trials, all outcomes are the same, or more than MOST_TABLES tables have the
        same margins.

    The lady tasting tea:

    >>> round(float(fisher_exact(Counts.of(1, 4), Counts.of(3, 4))), 6)
    0.485714
    """
    return _each(control, treatment, _fisher)


def barnard_exact(control: Counts, treatment: Counts) -> FloatArray:
    """Returns the two-sided p-values of Barnard's test by the pooled z: more powerful than Fisher's, and exact.

    The probability, at the common rate where it is largest, of tables whose z is at least as far from 0.

    Source: Barnard, "Significance tests for 2 x 2 tables", Biometrika 34, 1947, with the statistic of Suissa, Shuster,
    "Exact unconditional sample sizes for the 2 x 2 binomial trial", JRSS A 148, 1985.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.

    Returns:
        P-values. NaN where an arm has no trials, all outcomes are the same, or there are more than MOST_TABLES tables.

    Crude mortality in two groups of patients (Mehta, Senchaudhuri 2003):

    >>> round(float(barnard_exact(Counts.of(7, 15), Counts.of(12, 15))), 4)
    0.0682
    """
    return _each(control, treatment, _barnard)


def _each(control: Counts, treatment: Counts, test: Callable[[int, int, int, int], float]) -> FloatArray:
    """Returns the test of each pair of arms that has an answer."""
    arrays = np.broadcast_arrays(control.successes, control.trials, treatment.successes, treatment.trials)
    found = np.full(arrays[0].shape, np.nan)
    for at in np.ndindex(found.shape):
        row = [float(array[at]) for array in arrays]
        if not np.all(np.isfinite(row)):
            continue
        won, tried, other_won, other_tried = (int(part) for part in row)
        sound = 0 <= won <= tried and 0 <= other_won <= other_tried and min(tried, other_tried) > 0
        if sound and 0 < won + other_won < tried + other_tried:
            found[at] = test(won, tried, other_won, other_tried)
    return found


def _fisher(won: int, tried: int, other_won: int, other_tried: int) -> float:
    total = won + other_won
    first, last = max(0, total - other_tried), min(total, tried)
    if last - first >= MOST_TABLES:
        return float("nan")
    k = np.arange(first, last, dtype=np.float64)
    # From one table to the next by the quotient of their probabilities: binomials of large counts would cancel.
    steps = np.log(total - k) + np.log(tried - k) - np.log(k + 1) - np.log(other_tried - total + k + 1)
    logarithm = np.concatenate([[0.0], np.cumsum(steps)])
    weight = np.exp(logarithm - logarithm.max())
    extreme = logarithm <= logarithm[won - first] + _TIE
    return float(min(weight[extreme].sum() / weight.sum(), 1.0))


def _barnard(won: int, tried: int, other_won: int, other_tried: int) -> float:
    if (tried + 1) * (other_tried + 1) > MOST_TABLES:
        return float("nan")
    k, m = np.arange(tried + 1.0), np.arange(other_tried + 1.0)
    with np.errstate(all="ignore"):
        pooled = (k[:, None] + m) / (tried + other_tried)
        # z² but for a factor that all tables share.
        square = (m / other_tried - k[:, None] / tried) ** 2 / (pooled * (1 - pooled))
    square = np.where(np.isnan(square), 0.0, square)
    if square[won, other_won] == 0:
        return 1.0
    extreme = square >= square[won, other_won] * (1 - _TIE)
    # z grows with m, so that in each row the extreme tables are the first few and the last few.
    below = m * tried < k[:, None] * other_tried
    few, many = (extreme & below).sum(axis=1), (extreme & ~below).sum(axis=1)

    def probability(angle: FloatArray) -> FloatArray:
        rate, rest = np.sin(angle[:, None]) ** 2, np.cos(angle[:, None]) ** 2
        first = np.exp(_log_choose(tried, k) + special.xlogy(k, rate) + special.xlogy(tried - k, rest))
        second = np.exp(_log_choose(other_tried, m) + special.xlogy(m, rate) + special.xlogy(other_tried - m, rest))
        none = np.zeros((len(angle), 1))
        lowest = np.concatenate([none, np.cumsum(second, axis=1)], axis=1)[:, few]
        highest = np.concatenate([none, np.cumsum(second[:, ::-1], axis=1)], axis=1)[:, many]
        return np.asarray((first * (lowest + highest)).sum(axis=1))

    # On the scale of the angle a binomial has the same spread everywhere, so a grid misses no peak.
    angles = np.linspace(0, np.pi / 2, _GRID + int(_GRID_PER_ROOT * np.sqrt(tried + other_tried)))
    values = probability(angles)
    best, apart = float(values.max()), float(angles[1])
    for center in angles[np.argsort(values)[-_PEAKS:]]:
        at, around = float(center), apart
        for _ in range(_ZOOMS):
            near = np.clip(np.linspace(at - around, at + around, _AROUND), 0, np.pi / 2)
            found = probability(near)
            at, around = float(near[found.argmax()]), around * 2 / (_AROUND - 1)
            best = max(best, float(found.max()))
    return min(best, 1.0)


def _log_choose(n: int, k: FloatArray) -> FloatArray:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))
