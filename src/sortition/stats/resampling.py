"""Intervals of any statistic, by resampling what was observed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, check_share, floats

__all__ = ["BootstrapInterval", "Statistic", "bootstrap"]

MOST_RESAMPLES = 1_000_000
"""More do not change an interval."""
MOST_JACKKNIFED = 20_000
"""Observations in all samples together for which BCa is computed: it leaves out each one once, in quadratic time."""
# Values held at a time: 32 MiB of 64-bit numbers.
_HELD = 1 << 22


Statistic: TypeAlias = Callable[..., FloatLike]
"""What is estimated, called as NumPy's functions are: statistic(*samples, axis=-1) reduces the samples' last axis."""


@dataclass(frozen=True)
class BootstrapInterval:
    """A statistic with its bootstrap interval.

    Attributes:
        value: Of the samples themselves.
        standard_error: The standard deviation of the resampled values.
        bias: The mean of the resampled values - `value`.
        lower: The interval's lower end.
        upper: Its upper end.
        reason: Why figures are NaN; empty when none is.
    """

    value: float
    standard_error: float
    bias: float
    lower: float
    upper: float
    reason: str


def bootstrap(
    samples: Sequence[FloatLike],
    statistic: Statistic,
    *,
    method: Literal["bca", "percentile"] = "bca",
    confidence: float = 0.95,
    resamples: int = 9_999,
    seed: int = 0,
) -> BootstrapInterval:
    """Returns the bootstrap interval of a statistic of one or more independent samples.

    Each sample is resampled by itself, with replacement, to its own size. Where units repeat, an observation has to be
    a unit. The same seed gives the same interval.

    Source: Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 (percentile) and 14 (BCa).

    Args:
        samples: One array of shape (n,) for each sample, n at least 2.
        statistic: Called as statistic(*samples, axis=-1) with samples of shape (..., n).
        method: "bca", second-order accurate (the default), or "percentile".
        confidence: Of the interval, in (0, 1); 0.95.
        resamples: How often to resample, in [100, MOST_RESAMPLES]; 9,999.
        seed: Of the random numbers; 0.

    Returns:
        The interval. NaN with a reason where the statistic does not vary, or is not a finite number.

    Raises:
        InvalidArgument: An argument is outside its range; BCa of more than MOST_JACKKNIFED observations.

    >>> def ratio(first, second, axis):
    ...     return second.mean(axis=axis) / first.mean(axis=axis)
    >>> found = bootstrap([[1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 9.0]], ratio)
    >>> found.value, bool(found.lower < 2.1 < found.upper)
    (2.1, True)
    """
    data = [floats(sample) for sample in samples]
    _check(data, method, confidence, resamples)
    value = float(floats(statistic(*data, axis=-1)))
    values = _resampled(data, statistic, resamples, np.random.default_rng(seed))
    reason = ""
    if not (np.isfinite(value) and np.all(np.isfinite(values))):
        reason = "the statistic of a resample is not a finite number"
    elif float(np.ptp(values)) == 0:
        reason = "the statistic does not vary"
    if reason:
        return BootstrapInterval(value, np.nan, np.nan, np.nan, np.nan, reason)
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "bca":
        tails = _corrected(tails, data, statistic, value, values)
    lower, upper = (float(end) for end in np.quantile(values, tails))
    return BootstrapInterval(value, float(values.std(ddof=1)), float(values.mean() - value), lower, upper, "")


def _check(data: list[FloatArray], method: str, confidence: float, resamples: int) -> None:
    check_share("confidence", confidence)
    violations = [] if data else [("samples", "must be one or more, but there is none")]
    for index, sample in enumerate(data):
        if sample.ndim != 1 or len(sample) < 2 or not np.all(np.isfinite(sample)):
            text = f"must be 2 or more finite numbers of shape (n,), but has the shape {sample.shape}"
            violations.append((f"samples[{index}]", text))
    if method not in ("bca", "percentile"):
        violations.append(("method", f"{method!r} is unknown; use one of: bca, percentile"))
    if not 100 <= resamples <= MOST_RESAMPLES:
        violations.append(("resamples", f"must be between 100 and {MOST_RESAMPLES}, but is {resamples}"))
    total = sum(sample.size for sample in data)
    if method == "bca" and total > MOST_JACKKNIFED:
        text = f"bca takes at most {MOST_JACKKNIFED} observations, but there are {total}; use percentile"
        violations.append(("method", text))
    if violations:
        raise InvalidArgument.of(violations)


def _resampled(data: list[FloatArray], statistic: Statistic, resamples: int, chance: np.random.Generator) -> FloatArray:
    batch = max(1, _HELD // sum(sample.size for sample in data))
    parts = []
    for start in range(0, resamples, batch):
        count = min(batch, resamples - start)
        drawn = [sample[chance.integers(0, len(sample), (count, len(sample)))] for sample in data]
        parts.append(np.broadcast_to(floats(statistic(*drawn, axis=-1)), (count,)))
    return np.concatenate(parts)


def _corrected(
    tails: FloatArray, data: list[FloatArray], statistic: Statistic, value: float, values: FloatArray
) -> FloatArray:
    """Returns the tails of Efron and Tibshirani's equation 14.10."""
    # Ties count half, as for statistics of few different values.
    share = (np.count_nonzero(values < value) + np.count_nonzero(values <= value)) / (2 * len(values))
    bias = special.ndtri(np.clip(share, 0.5 / len(values), 1 - 0.5 / len(values)))
    influence = _influence(data, statistic)
    # Of size 1, so that squares neither underflow nor overflow.
    influence = influence / (float(np.abs(influence).max()) or 1.0)
    square = float((influence**2).sum())
    acceleration = float((influence**3).sum()) / (6 * square**1.5) if square > 0 else 0.0
    moved = bias + special.ndtri(tails)
    return floats(special.ndtr(bias + moved / (1 - acceleration * moved)))


def _influence(data: list[FloatArray], statistic: Statistic) -> FloatArray:
    """Returns how each observation moves the statistic: the jackknife's, each sample by itself (section 14.3)."""
    parts = []
    for index, sample in enumerate(data):
        n = len(sample)
        batch = max(1, _HELD // n)
        left_out = []
        for start in range(0, n, batch):
            rows = np.arange(start, min(start + batch, n))
            kept = np.arange(n - 1) + (np.arange(n - 1) >= rows[:, None])
            others: list[FloatArray] = [
                np.broadcast_to(other, (len(rows), len(other))) if at != index else sample[kept]
                for at, other in enumerate(data)
            ]
            left_out.append(np.broadcast_to(floats(statistic(*others, axis=-1)), (len(rows),)))
        values = np.concatenate(left_out)
        parts.append((values.mean() - values) * (n - 1) / n)
    return np.concatenate(parts)
