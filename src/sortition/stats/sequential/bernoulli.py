"""Exact confidence sequences of proportions and of their differences, whatever the counts.

A mixture over alternatives to a rate p is a test martingale M(p): where p is true its mean is 1 at every look, so that
it ever reaches 1/alpha with a probability of at most alpha (Ville 1939). The rates it has not rejected are the
confidence sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from sortition.stats.arrays import BoolArray, FloatArray, FloatLike, check_share, explain, floats
from sortition.stats.roots import find_roots
from sortition.stats.samples import Counts
from sortition.stats.sequential.asymptotic import positive, tuned
from sortition.stats.sequential.sequence import ConfidenceSequence

__all__ = ["bernoulli_cs", "proportion_cs"]

_EDGE = 1e-15
"""Rates nearer to 0 or 1 are not told apart from them."""
_LARGEST = 1 - 4 * _EDGE
"""The largest difference: both rates are still off their ends."""
_FEWEST_PRIOR = 1e-3
"""A prior that weighs less would bet on 0 and 1 alone."""


@dataclass(frozen=True)
class _Arm:
    """M(p) = B(S + mp, F + mq) / (B(mp, mq) · p^S · q^F): the beta prior of weight m is centered on the p under test.

    ln M is a sum over j of ln(m + j/p) and ln(m + j/q), hence convex in p: what it does not reject is an interval.
    """

    successes: FloatArray
    failures: FloatArray
    weight: FloatArray

    def log_martingale(self, p: FloatArray) -> FloatArray:
        s, f, m = self.successes, self.failures, self.weight
        q = 1 - p
        prior = special.gammaln(m * p) + special.gammaln(m * q) - special.gammaln(m)
        posterior = special.gammaln(s + m * p) + special.gammaln(f + m * q) - special.gammaln(s + f + m)
        return floats(posterior - prior - special.xlogy(s, p) - special.xlogy(f, q))

    def slope(self, p: FloatArray) -> FloatArray:
        s, f, m = self.successes, self.failures, self.weight
        q = 1 - p
        up = m * (special.psi(s + m * p) - special.psi(m * p)) - s / p
        down = m * (special.psi(f + m * q) - special.psi(m * q)) - f / q
        return floats(up - down)


def _arm(counts: Counts, planned: FloatArray, alpha: float) -> _Arm:
    """Weighs the prior so that the interval is shortest at the planned trials."""
    weight = np.maximum(planned / tuned(alpha) - 1, _FEWEST_PRIOR)
    held = counts.trials > 0
    return _Arm(
        np.where(held, counts.successes, 0.0),
        np.where(held, counts.trials - counts.successes, 0.0),
        np.broadcast_to(weight, counts.trials.shape),
    )


def _no_counts(counts: Counts) -> BoolArray:
    return np.asarray(~((counts.successes >= 0) & (counts.successes <= counts.trials)))


def _rate(counts: Counts) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.where(counts.trials > 0, counts.successes / counts.trials, np.nan)


def proportion_cs(counts: Counts, *, alpha: float = 0.05, planned_n: FloatLike) -> ConfidenceSequence:
    """Bounds a proportion at every look, exactly: valid for any counts, also for none.

    Source: Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals
    of Statistics 49, 2021, proposition 7 (beta-binomial mixture).

    Args:
        counts: Independent outcomes of one arm.
        alpha: The probability that the interval ever misses, in (0, 1).
        planned_n: The trials at which the interval shall be shortest, > 0; fixed before the outcomes are seen.

    Returns:
        Sequences of the counts' shape, in [0, 1]; without trials [0, 1] itself. The p-value is NaN: no rate is a
        hypothesis.

    Raises:
        InvalidArgument: Alpha is outside (0, 1), or `planned_n` is not > 0.

    >>> look = proportion_cs(Counts.of(12, 100), planned_n=100)
    >>> round(float(look.lower), 4), round(float(look.upper), 4)
    (0.0419, 0.2382)
    """
    check_share("alpha", alpha)
    arm = _arm(counts, positive("planned_n", planned_n), alpha)
    reason = explain((_no_counts(counts), "the successes are not between 0 and the trials"))
    rate = np.where(counts.trials > 0, _rate(counts), 0.5)
    border = -np.log(alpha)

    def above(p: FloatArray) -> FloatArray:
        return np.asarray(arm.log_martingale(p) - border)

    with np.errstate(all="ignore"):
        inside = np.clip(np.where(reason == "", rate, 0.5), _EDGE, 1 - _EDGE)
        lower, upper = (
            np.where(above(np.full_like(inside, end)) > 0, find_roots(above, end, inside), limit)
            for end, limit in ((_EDGE, 0.0), (1 - _EDGE, 1.0))
        )
    known = reason == ""
    return ConfidenceSequence(
        estimate=_rate(counts),
        lower=np.where(known, lower, np.nan),
        upper=np.where(known, upper, np.nan),
        p_value=np.full(rate.shape, np.nan),
        reason=reason,
    )


def bernoulli_cs(
    control: Counts, treatment: Counts, *, alpha: float = 0.05, planned_n: FloatLike
) -> ConfidenceSequence:
    """Bounds the difference of two proportions at every look, exactly: valid for any counts.

    The product of both arms' martingales is one too. A difference is rejected when the product has reached 1/alpha for
    every pair of rates that differ by it, which is never less than what the rates' own two intervals would reject
    together at alpha/2 each. The p-value is the product's smallest reciprocal over equal rates.

    Source: as for `proportion_cs`; the least of martingales over a composite hypothesis is an e-process (Ramdas, Ruf,
    Larsson, Koolen, "Admissible anytime-valid sequential inference must rely on nonnegative martingales", 2020, arXiv
    2009.03167).

    Args:
        control: The controls: independent outcomes.
        treatment: The treatments; broadcasts against the controls.
        alpha: The probability that the interval ever misses, in (0, 1).
        planned_n: The trials of both arms together at which the interval shall be shortest, > 0; fixed before the
            outcomes are seen.

    Returns:
        Sequences of differences of rates, in [-1, 1]. NaN with a reason without trials in an arm.

    Raises:
        InvalidArgument: Alpha is outside (0, 1), or `planned_n` is not > 0.

    >>> look = bernoulli_cs(Counts.of(2, 60), Counts.of(17, 60), planned_n=120)
    >>> round(float(look.lower), 4), round(float(look.upper), 4), round(float(look.p_value), 4)
    (0.0414, 0.4897, 0.0087)
    """
    check_share("alpha", alpha)
    planned = positive("planned_n", planned_n) / 2
    shape = np.broadcast_shapes(control.trials.shape, treatment.trials.shape)
    # Two martingales pay for two mixtures: each is tuned as if it were alone at √alpha.
    arms = [
        _arm(Counts.of(np.broadcast_to(one.successes, shape), one.trials), planned, alpha**0.5)
        for one in (control, treatment)
    ]
    reason = explain(
        (control.trials < 1, "the control has no outcomes"),
        (treatment.trials < 1, "the treatment has no outcomes"),
        (_no_counts(control), "the control's successes are not between 0 and its trials"),
        (_no_counts(treatment), "the treatment's successes are not between 0 and its trials"),
    )
    known = reason == ""
    with np.errstate(all="ignore"):
        difference = np.where(known, np.clip(_rate(treatment) - _rate(control), -_LARGEST, _LARGEST), 0.0)
        border = -np.log(alpha)

        def above(delta: FloatArray) -> FloatArray:
            return np.asarray(_least(arms[0], arms[1], delta) - border)

        lower, upper = (
            np.where(above(np.full(shape, end)) > 0, find_roots(above, end, difference, tolerance=1e-12), limit)
            for end, limit in ((-_LARGEST, -1.0), (_LARGEST, 1.0))
        )
        p = np.minimum(1, np.exp(-_least(arms[0], arms[1], np.zeros(shape))))
    return ConfidenceSequence(
        estimate=_rate(treatment) - _rate(control),
        lower=np.where(known, lower, np.nan),
        upper=np.where(known, upper, np.nan),
        p_value=np.where(known, p, np.nan),
        reason=reason,
    )


def _least(control: _Arm, treatment: _Arm, delta: FloatArray) -> FloatArray:
    """Returns the smallest ln of the product over all pairs of rates that differ by delta; convex in delta."""
    low, high = np.maximum(0, -delta) + _EDGE, np.minimum(1, 1 - delta) - _EDGE

    def slope(p: FloatArray) -> FloatArray:
        # Bounded instead of infinite at the ends, with the same sign.
        flat = control.slope(p) + treatment.slope(p + delta)
        return np.asarray(flat / (1 + np.abs(flat)))

    p = find_roots(slope, low, high, tolerance=1e-10)
    return np.asarray(control.log_martingale(p) + treatment.log_martingale(p + delta))
