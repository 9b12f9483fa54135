"""What units do: kinds of data of which the true means and quantiles are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sortition.core import allocate, bucket

__all__ = ["Arm", "Assigned", "Bernoulli", "Clustered", "Lognormal", "Normal", "Population", "Returning"]

Floats = NDArray[np.float64]

# The share of an observation's spread that its covariate explains, as a correlation: 0.8² = 64 % of the variance.
_KNOWN, _NEW = 0.8, 0.6
# What the denominators of a ratio add to 1: a Poisson number with this mean.
_MORE = 2.0
_CLUSTER = 5


@dataclass(frozen=True)
class Arm:
    """One arm of many experiments alike; every array has the shape (experiments, observations).

    Attributes:
        values: The observations; for a ratio its numerators.
        covariates: What was known of each before.
        units: Whose they are, counted from 0; None where every observation is of a unit of its own.
        weights: The denominators of a ratio; None for a mean.
    """

    values: Floats
    covariates: Floats
    units: NDArray[np.intp] | None = None
    weights: Floats | None = None


class Population(Protocol):
    """A kind of data. An effect is 0 where the treatment does nothing."""

    def draw(self, rng: np.random.Generator, runs: int, size: int, effect: float, ratio: bool) -> Arm:
        """Draws `size` observations for each of `runs` experiments."""

    def mean(self, effect: float) -> float:
        """Returns the true mean, which is the true ratio as well: denominators say nothing about it."""

    def quantile(self, q: float, effect: float) -> float:
        """Returns the true quantile of the observations."""


def _denominators(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.asarray(1.0 + rng.poisson(_MORE, shape), dtype=np.float64)


def _weighted(rng: np.random.Generator, arm: Arm, ratio: bool) -> Arm:
    if not ratio:
        return arm
    weights = _denominators(rng, (arm.values.shape[0], arm.values.shape[1]))
    return Arm(arm.values * weights, arm.covariates, arm.units, weights)


@dataclass(frozen=True)
class Normal:
    """Normal observations, one of each unit. An effect is in standard deviations."""

    center: float = 1e6
    spread: float = 1.0

    def draw(self, rng: np.random.Generator, runs: int, size: int, effect: float, ratio: bool) -> Arm:
        known, new = rng.standard_normal((2, runs, size))
        values = self.center + self.spread * (_KNOWN * known + _NEW * new + effect)
        return _weighted(rng, Arm(values, known), ratio)

    def mean(self, effect: float) -> float:
        return self.center + self.spread * effect

    def quantile(self, q: float, effect: float) -> float:
        return self.mean(effect) + self.spread * float(special.ndtri(q))


@dataclass(frozen=True)
class Bernoulli:
    """Outcomes of 0 or 1, one of each unit. An effect is added to the rate."""

    rate: float

    def draw(self, rng: np.random.Generator, runs: int, size: int, effect: float, ratio: bool) -> Arm:
        known = rng.standard_normal((runs, size))
        limit = float(special.ndtri(self.rate + effect))
        if ratio:
            weights = _denominators(rng, (runs, size))
            rates = special.ndtr((limit - _KNOWN * known) / _NEW)
            return Arm(rng.binomial(weights.astype(np.int64), rates).astype(np.float64), known, None, weights)
        hidden = _KNOWN * known + _NEW * rng.standard_normal((runs, size))
        return Arm((hidden < limit).astype(np.float64), known)

    def mean(self, effect: float) -> float:
        return self.rate + effect

    def quantile(self, q: float, effect: float) -> float:
        return math.nan


@dataclass(frozen=True)
class Lognormal:
    """Skewed observations, one of each unit. An effect is added to the logarithm.

    Attributes:
        spread: The standard deviation of the logarithm: the skewness is 6.2 for 1, 414 for 2.
    """

    spread: float = 1.0

    def draw(self, rng: np.random.Generator, runs: int, size: int, effect: float, ratio: bool) -> Arm:
        known, new = rng.standard_normal((2, runs, size))
        values = np.exp(self.spread * (_KNOWN * known + _NEW * new) + effect)
        return _weighted(rng, Arm(values, np.exp(known / 2)), ratio)

    def mean(self, effect: float) -> float:
        return math.exp(self.spread**2 / 2 + effect)

    def quantile(self, q: float, effect: float) -> float:
        return math.exp(self.spread * float(special.ndtri(q)) + effect)


@dataclass(frozen=True)
class Clustered:
    """Units give one to many observations at once, five on average, that are alike. An effect is added to all."""

    def draw(self, rng: np.random.Generator, runs: int, size: int, effect: float, ratio: bool) -> Arm:
        units = np.cumsum(rng.random((runs, size)) < 1 / _CLUSTER, axis=1, dtype=np.intp)
        traits = np.take_along_axis(rng.standard_normal((runs, size + 1)), units, axis=1)
        values = traits + rng.standard_normal((runs, size)) + effect
        return _weighted(rng, Arm(values, traits + rng.standard_normal((runs, size)) / 2, units), ratio)

    def mean(self, effect: float) -> float:
        return effect

    def quantile(self, q: float, effect: float) -> float:
        return effect + math.sqrt(2) * float(special.ndtri(q))


@dataclass(frozen=True)
class Returning:
    """Units come back over all days, to either sidecar; who comes often also differs in what it does.

    Observations are lognormal. An effect is added to the logarithm.

    Attributes:
        visits: Observations per unit, on average.
        activity: The standard deviation of the logarithm of how often a unit comes.
        alike: The correlation of that with what it does.
    """

    visits: float = 5.0
    activity: float = 0.5
    alike: float = 0.5

    def draw(self, rng: np.random.Generator, runs: int, size: int, effect: float, ratio: bool) -> Arm:
        users = max(2, round(size / self.visits))
        traits, other = rng.standard_normal((2, runs, users))
        often = np.exp(self.activity * (self.alike * traits + math.sqrt(1 - self.alike**2) * other))
        share = np.cumsum(often, axis=1)
        share /= share[:, -1:]
        # One search for all experiments: each has its own stretch of the line.
        places = np.arange(runs)[:, None]
        found = np.searchsorted((share + places).ravel(), (rng.random((runs, size)) + places).ravel(), side="right")
        units = np.minimum(found.reshape(runs, size) - places * users, users - 1)
        known = np.take_along_axis(traits, units, axis=1)
        values = np.exp((known + rng.standard_normal((runs, size))) / 2 + effect)
        return _weighted(rng, Arm(values, known, units), ratio)

    def mean(self, effect: float) -> float:
        return math.exp(self._tilt() / 2 + 1 / 4 + effect)

    def quantile(self, q: float, effect: float) -> float:
        return math.exp((self._tilt() + math.sqrt(2) * float(special.ndtri(q))) / 2 + effect)

    def _tilt(self) -> float:
        """Returns the mean trait of an observation: those who come often count more often."""
        return self.activity * self.alike


@dataclass(frozen=True)
class Assigned:
    """Units as the core assigns them: 1 for the treatment. An effect is the share of its units that get lost."""

    share: float

    def draw(self, rng: np.random.Generator, runs: int, size: int, effect: float, ratio: bool) -> Arm:
        weights = [10_000 - round(10_000 * self.share), round(10_000 * self.share)]
        treated = np.array([allocate(weights, place) for place in range(10_000)], dtype=np.float64)
        salts = rng.integers(2**63, size=runs).tolist()
        places = [[bucket(f"{salt:x}", f"u{unit}") for unit in range(size)] for salt in salts]
        values = treated[np.array(places)]
        lost = (values == 1) & (rng.random((runs, size)) < effect)
        return Arm(np.where(lost, np.nan, values), np.zeros((runs, size)))

    def mean(self, effect: float) -> float:
        return self.share * (1 - effect) / (1 - self.share * effect)

    def quantile(self, q: float, effect: float) -> float:
        return math.nan
