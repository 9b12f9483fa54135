"""Quantiles from binned distributions, and differences of them with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, TextArray, check_share, explain, floats
from sortition.stats.distributions import critical, two_sided_p
from sortition.stats.samples import Bins

__all__ = ["QuantileDifference", "QuantileEstimate", "quantile", "quantile_difference"]

# Halvings of the statistic's range: past a double's 53 bits none changes anything.
_HALVINGS = 60


@dataclass(frozen=True)
class QuantileEstimate:
    """Quantiles of one arm.

    Attributes:
        value: In the metric's unit; NaN without observations.
        rank_error: The standard error of the share of observations below `value`, in [0, 1].
        df: Degrees of freedom of `rank_error`; infinite when observations are independent.
    """

    value: FloatArray
    rank_error: FloatArray
    df: FloatArray


@dataclass(frozen=True)
class QuantileDifference:
    """Quantiles of a treatment compared with those of a control. Every array has the shape of q.

    Attributes:
        control: The control's quantiles, in the metric's unit.
        control_error: Their standard errors: half the width of their own interval over its critical value.
        treatment: The treatment's quantiles.
        treatment_error: Likewise.
        difference: Treatment - control.
        df: Degrees of freedom; infinite when observations are independent.
        statistic: The critical value whose interval just touches 0, with the difference's sign.
        p_value: Two-sided; the level at which the interval just touches 0.
        lower: The interval's lower end.
        upper: The interval's upper end.
        reason: Why figures are NaN; empty where none is.
    """

    control: FloatArray
    control_error: FloatArray
    treatment: FloatArray
    treatment_error: FloatArray
    difference: FloatArray
    df: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    lower: FloatArray
    upper: FloatArray
    reason: TextArray


class _Ranks:
    """The quantile function of one arm: its observations at the middles of equal parts of their bin, linear between."""

    def __init__(self, bins: Bins) -> None:
        held = bins.counts.sum(axis=1)
        kept = held > 0
        self.held, self.edges, self.groups = held[kept], bins.edges[kept], bins.counts[kept]
        self.through = np.cumsum(self.held)
        self.n = float(self.through[-1]) if len(self.through) else 0.0

    def place(self, q: FloatArray) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], FloatArray]:
        """Returns the bin of each rank, and the position in it in [0, 1]."""
        rank = q * (self.n - 1)
        index = np.minimum(np.searchsorted(self.through, rank, side="right"), len(self.through) - 1)
        position = (rank - (self.through[index] - self.held[index]) + 0.5) / self.held[index]
        return index, np.clip(position, 0, 1)

    def value(self, q: FloatArray) -> FloatArray:
        rank = q * (self.n - 1)
        below = np.floor(rank)
        value = self._observation(below)
        return np.asarray(value + (self._observation(below + 1) - value) * (rank - below))

    def _observation(self, rank: FloatArray) -> FloatArray:
        """Returns the observation of a whole rank, counted from 0."""
        index = np.minimum(np.searchsorted(self.through, rank, side="right"), len(self.through) - 1)
        position = (rank - (self.through[index] - self.held[index]) + 0.5) / self.held[index]
        lower, upper = self.edges[index, 0], self.edges[index, 1]
        return np.asarray(lower + (upper - lower) * np.clip(position, 0, 1))

    def error(self, q: FloatArray, clustered: bool) -> tuple[FloatArray, FloatArray]:
        if not clustered:
            return np.sqrt(q * (1 - q) / self.n), np.full(q.shape, np.inf)
        index, position = self.place(q)
        whole = self.groups.sum(axis=0)
        through = np.cumsum(self.groups, axis=0)
        within = self.groups[index]
        below = through[index] - within * (1 - position[:, None])
        share = below.sum(axis=1, keepdims=True) / self.n
        residual = below - share * whole
        groups = float(np.count_nonzero(whole))
        if groups < 2:
            return np.full(q.shape, np.nan), np.full(q.shape, np.nan)
        variance = groups / (groups - 1) * (residual**2).sum(axis=1) / self.n**2
        return np.sqrt(variance), np.full(q.shape, groups - 1)

    @property
    def narrow(self) -> bool:
        """Whether bins cannot tell the observations apart."""
        return len(self.held) < 2


def _checked(q: FloatLike) -> FloatArray:
    wanted = np.atleast_1d(floats(q))
    if wanted.ndim != 1 or not np.all((wanted > 0) & (wanted < 1)):
        text = f"must be numbers between 0 and 1, but is {wanted.tolist()}; write 0.95 for p95"
        raise InvalidArgument.of([("q", text)])
    return wanted


def quantile(bins: Bins, q: FloatLike, *, clustered: bool = False) -> QuantileEstimate:
    """Estimates quantiles, interpolated inside the bin.

    Source: rank errors √(q(1-q)/n) for independent observations (David, Nagaraja, "Order Statistics", 3rd edition,
    2003,
    section 7.1); when `clustered`, the delta-method error of the share below the quantile over groups of units, as in
    `ratio`.

    Args:
        bins: The distribution; groups of units matter only when `clustered`.
        q: Which, in (0, 1), shape (m,).
        clustered: Whether units repeat.

    Returns:
        Estimates of shape (m,).

    Raises:
        InvalidArgument: A `q` is outside (0, 1).

    >>> estimate = quantile(Bins.of([[0, 1], [1, 2]], [50, 50]), [0.25, 0.5])
    >>> estimate.value.round(3).tolist(), estimate.rank_error.round(5).tolist()
    ([0.505, 1.0], [0.0433, 0.05])
    """
    wanted = _checked(q)
    ranks = _Ranks(bins)
    if ranks.n == 0:
        unknown = np.full(wanted.shape, np.nan)
        return QuantileEstimate(unknown, unknown, unknown)
    return QuantileEstimate(ranks.value(wanted), *ranks.error(wanted, clustered))


def quantile_difference(
    control: Bins, treatment: Bins, q: FloatLike, *, clustered: bool = False, confidence: float = 0.95
) -> QuantileDifference:
    """Compares quantiles: each arm's interval at the ranks q ± c·error, the two combined by MOVER.

    c is normal, or t on the sum of both arms' degrees of freedom (2·15 for 16 groups of units) when `clustered`. The
    p-value is the level at which this very interval touches 0, so that the two never disagree; it is not smaller than
    the level at which a rank leaves [0, 1].

    Source: Zou, Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008
    (MOVER);
    Deng, Knoblich, Lu 2018, arXiv 1803.06336, section 4 (ranks of quantiles, repeated units).

    Args:
        control: The control's distribution.
        treatment: The treatment's distribution.
        q: Which, in (0, 1), shape (m,).
        clustered: Whether units repeat.
        confidence: Of the interval, in (0, 1).

    Returns:
        Differences of shape (m,) in the metric's unit. NaN with a reason where an interval would need ranks outside
        [0, 1], or where all of an arm is in one bin.

    Raises:
        InvalidArgument: A `q` or the confidence is outside (0, 1).

    >>> edges = [[0, 1], [1, 2], [2, 3]]
    >>> test = quantile_difference(Bins.of(edges, [400, 200, 400]), Bins.of(edges, [200, 200, 600]), 0.5)
    >>> test.difference.round(3).tolist(), test.lower.round(2).tolist(), test.upper.round(2).tolist()
    ([0.667], [0.5], [0.83])
    """
    check_share("confidence", confidence)
    wanted = _checked(q)
    first, second = _Ranks(control), _Ranks(treatment)
    if first.narrow or second.narrow:
        return _unknown(quantile(control, wanted), quantile(treatment, wanted), first, second)
    base, value = first.value(wanted), second.value(wanted)
    base_error, base_df = first.error(wanted, clustered)
    value_error, value_df = second.error(wanted, clustered)
    df = np.where(np.isinf(base_df), np.inf, base_df + value_df)
    difference = value - base
    needed = critical(confidence, df)

    def reach(c: FloatArray) -> FloatArray:
        """Returns how far 0 would have to be from the difference to be touched by the limits at q - c and q + c."""
        below = value - second.value(np.clip(wanted - c * value_error, 0, 1))
        above = first.value(np.clip(wanted + c * base_error, 0, 1)) - base
        return np.hypot(below, above)

    with np.errstate(all="ignore"):
        lower, upper = difference - reach(needed), difference + reach(-needed)
        ends = np.maximum(base_error, value_error) * needed
        outside = ends > np.minimum(wanted, 1 - wanted)

        # Only the arms' limits that face each other decide whether 0 is inside.
        up = np.where(difference > 0, 1.0, -1.0)
        room_above, room_below = np.where(up > 0, 1 - wanted, wanted), np.where(up > 0, wanted, 1 - wanted)
        high = np.minimum(room_below / value_error, room_above / base_error)
        high = np.where(np.isnan(high) | np.isinf(high), 0, high)
        low = np.zeros_like(high)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            apart = reach(up * middle) < np.abs(difference)
            low, high = np.where(apart, middle, low), np.where(apart, high, middle)

    reason = explain(
        (np.isnan(base_error), "the control has outcomes in fewer than 2 groups of units"),
        (np.isnan(value_error), "the treatment has outcomes in fewer than 2 groups of units"),
        ((base_error == 0) & (value_error == 0), "the groups of units have no variance"),
        (outside, "too few observations for an interval at this quantile"),
    )
    known = reason == ""
    statistic = np.where(known, up * low, np.nan)
    return QuantileDifference(
        control=base,
        control_error=np.where(known, _error(first, wanted, base_error, needed), np.nan),
        treatment=value,
        treatment_error=np.where(known, _error(second, wanted, value_error, needed), np.nan),
        difference=difference,
        df=np.where(known, df, np.nan),
        statistic=statistic,
        p_value=two_sided_p(statistic, df),
        lower=np.where(known, lower, np.nan),
        upper=np.where(known, upper, np.nan),
        reason=reason,
    )


def _error(ranks: _Ranks, q: FloatArray, rank_error: FloatArray, needed: FloatArray) -> FloatArray:
    ends = [ranks.value(np.clip(q + sign * needed * rank_error, 0, 1)) for sign in (-1, 1)]
    return np.asarray((ends[1] - ends[0]) / (2 * needed))


def _unknown(
    control: QuantileEstimate, treatment: QuantileEstimate, first: _Ranks, second: _Ranks
) -> QuantileDifference:
    arm, ranks = ("control", first) if first.narrow else ("treatment", second)
    text = (
        f"all observations of the {arm} are in one bin of its sketch" if ranks.n else f"the {arm} has no observations"
    )
    unknown = np.full(control.value.shape, np.nan)
    return QuantileDifference(
        control=control.value,
        control_error=unknown,
        treatment=treatment.value,
        treatment_error=unknown,
        difference=treatment.value - control.value,
        df=unknown,
        statistic=unknown,
        p_value=unknown,
        lower=unknown,
        upper=unknown,
        reason=np.full(unknown.shape, text),
    )
