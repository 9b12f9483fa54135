"""Differences of two independent beta variables, by quadrature that stays accurate in the far tails.

A rate's posterior is a beta distribution, so all of Beta–Binomial is here except its words. Probabilities are integrals
of one variable's density times the other's distribution function. The variable is carried from the interval where both
matter to the whole line by the double-exponential map of Takahasi and Mori 1974, under which the trapezoidal rule
converges exponentially, whatever the exponents at the ends. The integrand has one peak; it is found by zooming in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from sortition.stats.arrays import BoolArray, FloatArray, floats
from sortition.stats.roots import find_roots

__all__ = ["Beta", "exceeds", "excess", "lower_quantile"]

# x = 1/(1 + exp(-pi·sinh t)) reaches 1e-304 from either end at this t.
_REACH = 6.1
# Nodes of a pass that looks for the peak, and of the first one that integrates, about half the peak's deviation apart.
_COARSE, _FINE = 17, 49
# Halving the trapezoidal rule's step squares its error: where the last halving changed less than this, nothing is left
# of it. One halving is usual; heavy ends, from priors far below 1, take two or three.
_SAME, _MOST_HALVINGS = 1e-7, 5
# Below exp(-40) of its peak an integrand adds nothing to 64 bits.
_DROP = 40.0
# A pass narrows by up to 8, until the peak is resolved; 1e12 observations need about eight.
_MOST_ZOOMS = 40
# Stirling's series has 64 bits from here on.
_STIRLING_FROM = 16.0
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
# From here on SciPy's incomplete beta function is slow, and wrong in the fifth digit at 1e12; and the distribution is
# so nearly normal that its density is integrated with these nodes to the last digit.
_HUGE = 1e7
_TAIL_NODES, _TAIL_WEIGHTS = np.polynomial.legendre.leggauss(40)
# Newton's method on the normal score converges in about three steps; a step this small, in deviations, leaves an error
# of its square. Where heavy ends keep it from converging, a method that cannot fail takes over.
_MOST_STEPS = 8
_SETTLED, _CLOSE = 1e-8, 1e-5
# A step of more deviations moves the peak out of the window that was found for it.
_SAME_WINDOW = 0.01
_HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))


class Beta(NamedTuple):
    """Beta distributions, of one shape.

    Attributes:
        a: The exponent at 0, plus 1; > 0.
        b: The exponent at 1, plus 1; > 0.
    """

    a: FloatArray
    b: FloatArray

    @property
    def mean(self) -> FloatArray:
        """The mean."""
        return np.asarray(self.a / (self.a + self.b))

    @property
    def deviation(self) -> FloatArray:
        """The standard deviation."""
        n = self.a + self.b
        return np.asarray(np.sqrt(self.a / n * (self.b / n) / (n + 1)))

    @property
    def third(self) -> FloatArray:
        """The third central moment."""
        n = self.a + self.b
        return np.asarray(2 * (self.b - self.a) / n * (self.a / n) * (self.b / n) / ((n + 1) * (n + 2)))

    @property
    def mirrored(self) -> Beta:
        """The distributions of 1 - X."""
        return Beta(self.b, self.a)

    def columns(self) -> Beta:
        """Returns them with an axis for nodes."""
        return Beta(self.a[..., None], self.b[..., None])

    def where(self, condition: BoolArray, other: Beta) -> Beta:
        """Returns these where the condition holds, and the others elsewhere."""
        return Beta(np.where(condition, self.a, other.a), np.where(condition, self.b, other.b))

    def log_density(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Returns log(x·y·density) at x = 1 - y, accurate also where a and b are huge (Loader 2000).

        >>> half = np.float64(0.5)
        >>> round(float(np.exp(Beta(np.float64(2), np.float64(1)).log_density(half, half))), 12)
        0.25
        """
        a, b = self
        n = a + b
        apart = self._apart(x, y)
        exponent = a * _log_ratio(x, a / n, apart) + b * _log_ratio(y, b / n, -apart)
        correction = _stirling(a) + _stirling(b) - _stirling(n)
        return np.asarray(exponent + 0.5 * (np.log(a) + np.log(b / n)) - _HALF_LOG_2PI - correction)

    def cdf(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Returns P(X <= x) at x = 1 - y, from whichever of the two is small."""
        huge = np.minimum(self.a, self.b) > _HUGE
        one = np.where(huge, 1.0, self.a)
        other = np.where(huge, 1.0, self.b)
        found = np.where(
            x < y,
            special.betainc(one, other, np.minimum(x, 0.5)),
            special.betaincc(other, one, np.minimum(y, 0.5)),
        )
        return np.where(huge, self._tail(x, y), found) if huge.any() else found

    def _tail(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Integrates the density of a nearly normal variable from x outwards, where SciPy's function fails."""
        deviation = self.deviation
        z = self._apart(x, y) / deviation
        # Where the normal density has fallen by exp(-40), in deviations from x.
        reach = np.sqrt(z**2 + 2 * _DROP) - np.abs(z)
        steps = (_TAIL_NODES + 1) / 2 * (reach * deviation)[..., None] * np.where(z < 0, -1.0, 1.0)[..., None]
        outer, rest = x[..., None] + steps, y[..., None] - steps
        inside = (outer > 0) & (rest > 0)
        logarithm = self.columns().log_density(outer, rest) - np.log(outer) - np.log(rest)
        mean = (np.where(inside, np.exp(logarithm), 0.0) * (_TAIL_WEIGHTS / 2)).sum(axis=-1)
        tail = floats(mean * reach * deviation)
        return np.where(z < 0, tail, 1 - tail)

    def _apart(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Returns x - the mean, from the end that is near: rounding must not reach the difference."""
        n = self.a + self.b
        return np.where(self.a < self.b, x - self.a / n, self.b / n - y)

    def below(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Returns E max(x - X, 0) = (x - mean)·P(X <= x) + x·y·density/(a + b)."""
        value = self._apart(x, y) * self.cdf(x, y) + np.exp(self.log_density(x, y)) / (self.a + self.b)
        return np.asarray(np.maximum(value, 0))


def exceeds(first: Beta, second: Beta, shift: FloatArray) -> FloatArray:
    """Returns P(X - Y > shift) of independent X and Y, to about 1e-11 of itself down to 1e-300.

    Of two uniform variables, by geometry:

    >>> one = np.ones(1)
    >>> round(float(exceeds(Beta(one, one), Beta(one, one), 0.5 * one)[0]), 12)
    0.125
    """
    with np.errstate(all="ignore"):
        overlap = _Overlap.of(first, second, shift)
        return overlap.probability(overlap.window())


def excess(first: Beta, second: Beta) -> FloatArray:
    """Returns E max(X - Y, 0) of independent X and Y.

    >>> one = np.ones(1)
    >>> round(float(excess(Beta(one, one), Beta(one, one))[0]) * 6, 12)
    1.0
    """
    # The smaller of E(X - Y)+ and E(Y - X)+ is integrated, and the other one is their known difference more.
    swapped = first.mean > second.mean
    lower, higher = second.where(swapped, first), first.where(swapped, second)
    with np.errstate(all="ignore"):
        overlap = _Overlap.of(lower, higher, np.zeros(first.a.shape))
        small = overlap.excess(overlap.window())
    return np.where(swapped, first.mean - second.mean + small, small)


def lower_quantile(first: Beta, second: Beta, tail: float) -> FloatArray:
    """Returns the d with P(X - Y < d) = tail of independent X and Y.

    >>> one = np.ones(1)
    >>> round(float(lower_quantile(Beta(one, one), Beta(one, one), 0.02)[0]), 12)
    -0.8
    """
    with np.errstate(all="ignore"):
        mean = second.mean - first.mean
        deviation = np.hypot(first.deviation, second.deviation)
        score = -float(special.ndtri(tail))
        skew = (second.third - first.third) / deviation**3
        # P(Y - X > s) = tail is solved for s, from Cornish and Fisher's start.
        s = mean + deviation * (score + skew * (score**2 - 1) / 6)
        low, high = np.full(mean.shape, -1.0), np.full(mean.shape, 1.0)
        s = np.where((s > low) & (s < high), s, mean)
        overlap = _Overlap.of(second, first, s)
        window = overlap.window()
        for _ in range(_MOST_STEPS):
            probability = overlap.probability(window)
            low, high = np.where(probability > tail, s, low), np.where(probability > tail, high, s)
            at = -special.ndtri(probability)
            step = (score - at) * np.exp(-(at**2) / 2 - _HALF_LOG_2PI) / overlap.density(window)
            inside = np.isfinite(step) & (s + step >= low) & (s + step <= high)
            step = np.where(inside, step, (low + high) / 2 - s)
            s = s + step
            moved = np.abs(step) / deviation
            # Beside an infinite density a step says nothing.
            left = (moved > _SETTLED) | (np.abs(score - at) > _CLOSE)
            if not left.any():
                break
            overlap = _Overlap.of(second, first, s)
            if np.any(moved > _SAME_WINDOW):
                window = overlap.window()
    if left.any():
        two, one = Beta(second.a[left], second.b[left]), Beta(first.a[left], first.b[left])
        s[left] = find_roots(lambda shift: exceeds(two, one, shift) - tail, low[left], high[left])
    return np.asarray(-s)


class _Window(NamedTuple):
    """Where an integrand is more than nothing, in t."""

    low: FloatArray
    high: FloatArray

    def nodes(self, count: int) -> FloatArray:
        return np.asarray(self.low[..., None] + (self.high - self.low)[..., None] * np.linspace(0, 1, count))


class _Nodes(NamedTuple):
    """Points of the narrow variable's axis: log(density·dx/dt) there, and the wide variable's x and 1 - x."""

    logarithm: FloatArray
    x: FloatArray
    y: FloatArray


class _Overlap(NamedTuple):
    """X - Y > shift, with the narrower of the two variables first; the parameters have an axis for nodes."""

    narrow: Beta
    wide: Beta
    shift: FloatArray

    @classmethod
    def of(cls, first: Beta, second: Beta, shift: FloatArray) -> _Overlap:
        # Where Y is the narrower one: X - Y = (1 - Y) - (1 - X).
        keep = first.deviation <= second.deviation
        narrow, wide = first.where(keep, second.mirrored), second.where(keep, first.mirrored)
        return cls(narrow.columns(), wide.columns(), shift[..., None])

    def probability(self, window: _Window) -> FloatArray:
        inside = _integral(window, lambda t: self._log_probability(self._nodes(t)))
        # Beyond 1 + shift the narrow variable is more than any wide one.
        beyond = np.where(self.shift < 0, self.narrow.mirrored.cdf(-self.shift, 1 + self.shift), 0.0)[..., 0]
        return np.clip(inside + beyond, 0.0, 1.0)

    def density(self, window: _Window) -> FloatArray:
        def logarithm(t: FloatArray) -> FloatArray:
            nodes = self._nodes(t)
            return nodes.logarithm + self.wide.log_density(nodes.x, nodes.y) - np.log(nodes.x) - np.log(nodes.y)

        return _integral(window, logarithm)

    def excess(self, window: _Window) -> FloatArray:
        def logarithm(t: FloatArray) -> FloatArray:
            nodes = self._nodes(t)
            return np.asarray(nodes.logarithm + np.log(self.wide.below(nodes.x, nodes.y)))

        return _integral(window, logarithm)

    def window(self) -> _Window:
        """Zooms in on the one peak of the narrow density times the wide distribution function."""
        shape = self.shift.shape[:-1]
        found = _Window(np.full(shape, -_REACH), np.full(shape, _REACH))
        for _ in range(_MOST_ZOOMS):
            t = found.nodes(_COARSE)
            value = _defined(self._log_probability(self._nodes(t)))
            above = value >= value.max(axis=-1, keepdims=True) - _DROP
            first = np.maximum(above.argmax(axis=-1) - 1, 0)
            last = np.minimum(_COARSE - above[..., ::-1].argmax(axis=-1), _COARSE - 1)
            found = _Window(*(np.take_along_axis(t, end[..., None], axis=-1)[..., 0] for end in (first, last)))
            if np.all(last - first > _COARSE // 2):
                break
        return found

    def _nodes(self, t: FloatArray) -> _Nodes:
        start, end = np.maximum(self.shift, 0), np.minimum(self.shift, 0)  # x goes from `start` to 1 + `end`
        width = np.maximum(1 + end - start, 0)
        v = np.pi * np.sinh(t)
        log_p, log_q = -np.logaddexp(0, -v), -np.logaddexp(0, v)
        p, q = width * np.exp(log_p), width * np.exp(log_q)
        x, y = start + p, q - end
        logarithm = self.narrow.log_density(x, y) - np.log(x) - np.log(y)
        logarithm += np.log(width * np.pi * np.cosh(t)) + log_p + log_q
        return _Nodes(logarithm, p - end, q + start)

    def _log_probability(self, nodes: _Nodes) -> FloatArray:
        return np.asarray(nodes.logarithm + np.log(self.wide.cdf(nodes.x, nodes.y)))


def _integral(window: _Window, logarithm: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Returns the integral of exp(logarithm(t)) over the window, where it is nothing at both ends."""

    def total(t: FloatArray) -> FloatArray:
        return floats(np.exp(_defined(logarithm(t))).sum(axis=-1))

    step = (window.high - window.low) / (_FINE - 1)
    value = total(window.nodes(_FINE)) * step
    count = _FINE - 1
    for _ in range(_MOST_HALVINGS):
        between = window.low[..., None] + step[..., None] * (np.arange(count) + 0.5)
        finer = (value + total(between) * step) / 2
        settled = np.abs(finer - value) <= _SAME * finer
        value, step, count = finer, step / 2, count * 2
        if settled.all():
            break
    return value


def _defined(logarithm: FloatArray) -> FloatArray:
    return np.where(np.isnan(logarithm), -np.inf, logarithm)


def _log_ratio(x: FloatArray, mean: FloatArray, apart: FloatArray) -> FloatArray:
    """Returns log(x/mean), from the distance where the two are near."""
    relative = apart / mean
    return np.where(np.abs(relative) < 0.5, np.log1p(relative), np.log(x / mean))


def _stirling(n: FloatArray) -> FloatArray:
    """Returns log Γ(n) - ((n - 1/2)·log n - n + log(2π)/2)."""
    large = np.maximum(n, _STIRLING_FROM)
    series = np.zeros_like(large)
    for term in reversed(_STIRLING):
        series = series / large**2 + term
    small = np.minimum(n, _STIRLING_FROM)
    exact = special.gammaln(small) - ((small - 0.5) * np.log(small) - small + _HALF_LOG_2PI)
    return np.where(n < _STIRLING_FROM, exact, series / large)
