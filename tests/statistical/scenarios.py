"""What is simulated: one scenario for each kind of data and each way of comparing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from statistical.populations import Assigned, Bernoulli, Clustered, Lognormal, Normal, Population, Returning

__all__ = ["LOOKS", "SCENARIOS", "Kind", "Metric", "Scenario"]

LOOKS = 120
"""How often an experiment that is watched is looked at."""


# What a file's name should not have.
_IN_NAMES = str.maketrans(" ./", "-_-", ",")


class Metric(str, Enum):
    """What is compared."""

    MEAN = "mean"
    RATIO = "ratio"
    CUPED = "cuped"
    MEDIAN = "median"
    P95 = "p95"
    SPLIT = "split"

    @property
    def quantile(self) -> float | None:
        """The quantile that is compared; None where it is none."""
        return {Metric.MEDIAN: 0.5, Metric.P95: 0.95}.get(self)


class Kind(str, Enum):
    """What is counted."""

    ERROR = "error"
    """Differences seen where there is none, at one look."""
    COVERAGE = "coverage"
    """Intervals that hold the true difference, at one look."""
    PEEKING = "peeking"
    """Experiments without a difference in which one is ever seen, at many looks."""
    TRACKING = "tracking"
    """Experiments with a difference whose interval misses it at any of many looks."""


@dataclass(frozen=True)
class Scenario:
    """One kind of data, compared in one way. Its text is its identity: whatever it says decides the results.

    Attributes:
        name: The data, for people.
        kind: What is counted.
        metric: What is compared.
        population: What is drawn.
        control: Observations of the control.
        treatment: Observations of the treatment.
        effect: What the treatment does, as the population takes it.
        planned: For looks: the observations of both arms for which the confidence sequence is made narrowest.
        harsh: Whether the data is few, rare, or skewed in unequal arms.
        promised: Whether the error rate is promised; if not, it is shown where the method's assumptions end.
    """

    name: str
    kind: Kind
    metric: Metric
    population: Population
    control: int
    treatment: int
    effect: float = 0.0
    planned: int = 0
    harsh: bool = False
    promised: bool = True

    @property
    def key(self) -> str:
        """The name of its results, such as "error-mean-normal"."""
        return f"{self.kind.value}-{self.metric.value}-{self.name.translate(_IN_NAMES)}"

    @property
    def bounds(self) -> tuple[float, float]:
        """What a rate has to be between to keep the promise; of quantiles it may be on the safe side of it."""
        safe = self.metric.quantile is not None
        if self.kind is Kind.ERROR:
            return 0.0 if safe else 0.045, 0.055
        if self.kind is Kind.COVERAGE:
            return 0.945, 1.0 if safe else 0.955
        return 0.0, 0.05


@dataclass(frozen=True)
class _Data:
    name: str
    population: Population
    # Observations of an arm for a mean, a ratio or CUPED, and for quantiles, where it has some.
    size: int
    size_ranked: int
    effect: float


# Sizes at which the approximations should hold. What happens below them is shown as well, without a promise.
_DATA = (
    _Data("normal", Normal(), 200, 10_000, 0.2),
    _Data("Bernoulli 0.3", Bernoulli(0.3), 500, 0, 0.05),
    _Data("Bernoulli 0.01", Bernoulli(0.01), 5_000, 0, 0.004),
    _Data("lognormal", Lognormal(), 2_000, 10_000, 0.1),
    _Data("clustered", Clustered(), 1_500, 10_000, 0.2),
    _Data("returning", Returning(), 2_000, 10_000, 0.1),
)
# One bin of a sketch is 1 % wide: a million give or take one would be a single bin.
_NORMAL_RANKED = Normal(100, 10)


def _at_one_look() -> Iterator[Scenario]:
    for kind in (Kind.ERROR, Kind.COVERAGE):
        for data in _DATA:
            effect = data.effect if kind is Kind.COVERAGE else 0.0
            for metric in (Metric.MEAN, Metric.RATIO, Metric.CUPED):
                yield Scenario(data.name, kind, metric, data.population, data.size, data.size, effect)
            if data.size_ranked:
                population = _NORMAL_RANKED if isinstance(data.population, Normal) else data.population
                yield Scenario(data.name, kind, Metric.MEDIAN, population, data.size, data.size, effect)
                yield Scenario(data.name, kind, Metric.P95, population, data.size_ranked, data.size_ranked, effect)


def _at_many_looks() -> Iterator[Scenario]:
    for data in _DATA:
        # A tenth of the plan, the plan, and ten times it: an experiment may run on, or be looked at early.
        size = 10 * LOOKS if data.size < 5_000 else 50 * LOOKS
        for metric in (Metric.MEAN, Metric.RATIO, Metric.CUPED):
            yield Scenario(data.name, Kind.PEEKING, metric, data.population, size, size, planned=2 * size)
        for label, planned in (("late", size // 5), ("early", 20 * size)):
            name = f"{data.name} {label}"
            yield Scenario(name, Kind.PEEKING, Metric.MEAN, data.population, size, size, planned=planned)
        yield Scenario(data.name, Kind.TRACKING, Metric.MEAN, data.population, size, size, data.effect, 2 * size)


def _splits() -> Iterator[Scenario]:
    """Yields experiments whose units are counted while they come, ten at a look."""
    for name, share in (("50/50", 0.5), ("90/10", 0.1)):
        yield Scenario(name, Kind.PEEKING, Metric.SPLIT, Assigned(share), 0, 10 * LOOKS)
    name, lost = "50/50, a quarter of the treatment lost", 0.25
    yield Scenario(name, Kind.PEEKING, Metric.SPLIT, Assigned(0.5), 0, 10 * LOOKS, lost, promised=False)


def _beyond() -> Iterator[Scenario]:
    """Yields what is outside the assumptions: few units, few of them with an outcome, skewed and unequal arms."""
    few = (
        ("normal few", Normal(), 10, 10),
        ("normal pairs", Normal(), 2, 2),
        ("lognormal few", Lognormal(), 30, 30),
        ("lognormal heavy", Lognormal(2), 1_000, 1_000),
        ("lognormal unequal", Lognormal(), 9_000, 1_000),
        ("lognormal heavy unequal", Lognormal(2), 9_000, 1_000),
        ("Bernoulli 0.01 few", Bernoulli(0.01), 200, 200),
        ("Bernoulli 0.01 unequal", Bernoulli(0.01), 9_000, 1_000),
        ("clustered few", Clustered(), 100, 100),
        ("returning few", Returning(), 100, 100),
        ("returning often", Returning(50), 2_000, 2_000),
    )
    for name, population, control, treatment in few:
        yield Scenario(name, Kind.ERROR, Metric.MEAN, population, control, treatment, harsh=True, promised=False)
    for name, population in (("clustered few", Clustered()), ("normal few", Normal())):
        yield Scenario(name, Kind.ERROR, Metric.CUPED, population, 100, 100, harsh=True, promised=False)
    for name, population in (("lognormal few", Lognormal()), ("returning few", Returning())):
        yield Scenario(name, Kind.ERROR, Metric.P95, population, 1_000, 1_000, harsh=True, promised=False)
    watched = (
        ("normal one at a time", Normal(), 1, 1),
        ("lognormal one at a time", Lognormal(), 1, 1),
        ("lognormal unequal", Lognormal(), 90, 10),
        ("lognormal heavy unequal", Lognormal(2), 90, 10),
        ("Bernoulli 0.3 unequal", Bernoulli(0.3), 90, 10),
        ("Bernoulli 0.01 unequal", Bernoulli(0.01), 90, 10),
        ("returning unequal", Returning(), 90, 10),
        ("returning often", Returning(50), 20, 20),
    )
    for name, population, control, treatment in watched:
        control, treatment = control * LOOKS, treatment * LOOKS
        planned = (control + treatment) // 10
        yield Scenario(name, Kind.PEEKING, Metric.MEAN, population, control, treatment, planned=planned, harsh=True)


SCENARIOS = (*_at_one_look(), *_at_many_looks(), *_splits(), *_beyond())
"""All of them, in the order of the tables."""
