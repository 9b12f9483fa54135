"""Experiments that are analyzed once: by the analyzer's methods, and by what else their data would allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyzer_samples import NOW, TODAY, make_record
from sortition.analyzer.analyze import analyze
from sortition.analyzer.result import Comparison
from sortition.analyzer.sample import Sample
from sortition.core import Cell
from sortition.stats import (
    BucketSums,
    Counts,
    CovariateSums,
    Difference,
    Moments,
    cuped,
    quantile_difference,
    ratio,
    ratio_delta,
    welch_t,
)
from sortition.stats.difference import compare
from sortition.store.records import ExperimentData, ExperimentRecord
from statistical.answers import DECIDES, Answers, Found, chosen, of_difference, proportions
from statistical.populations import Bernoulli
from statistical.recording import DAYS, Held, Lists, cells_of, distinct, hold, lists, rows
from statistical.scenarios import Metric, Scenario

__all__ = ["answer", "record_of"]

# In how many experiments of a batch the analyzer itself is asked, and has to say the same.
_ASKED = 2
_SAME = 1e-9

Runs = NDArray[np.int64]


def record_of(scenario: Scenario, policy: str, min_samples: int = 2) -> ExperimentRecord:
    """Returns the experiment as it would be declared."""
    metric: dict[str, object] = {"name": "y", "kind": _kind(scenario), "goal": "maximize", "role": "primary"}
    if scenario.metric.quantile:
        metric["quantiles"] = [scenario.metric.quantile]
    if scenario.metric is Metric.CUPED:
        metric["covariate"] = "what was known before"
    whole = scenario.control + scenario.treatment
    weights = {"a": 100 * scenario.control / whole, "b": 100 * scenario.treatment / whole}
    return make_record([metric], weights, policy=policy, min_samples=min_samples)


def _kind(scenario: Scenario) -> str:
    if scenario.metric is Metric.RATIO:
        return "ratio"
    if scenario.metric.quantile:
        return "duration" if scenario.population.quantile(0.001, 0.0) > 0 else "continuous"
    return "binary" if isinstance(scenario.population, Bernoulli) else "continuous"


def answer(scenario: Scenario, rng: np.random.Generator, runs: int, prefix: str) -> Found:
    """Draws, records and analyzes `runs` experiments; their identities begin with `prefix`."""
    arms = [
        scenario.population.draw(rng, runs, size, effect, scenario.metric is Metric.RATIO)
        for size, effect in ((scenario.control, 0.0), (scenario.treatment, scenario.effect))
    ]
    units = np.stack([distinct(arm) for arm in arms], axis=1)
    observed = [list(lists(arm, place, scenario.metric is Metric.CUPED)) for place, arm in enumerate(arms)]
    batch = _Batch(scenario, units, prefix)
    for run in range(runs):
        batch.add(run, [observed[place][run] for place in range(2)])
    return batch.answers()


class _Batch:
    """Experiments alike, and what their cells hold."""

    def __init__(self, scenario: Scenario, units: Runs, prefix: str) -> None:
        self.scenario, self.units, self.prefix = scenario, units, prefix
        self.record = record_of(scenario, "fixed_horizon")
        self.quantile = scenario.metric.quantile
        self.sketched = self.quantile is not None
        self.whole: list[Held] = [hold((len(units),)) for _ in range(2)]
        self.days: list[Held] = [hold((len(units), DAYS)) for _ in range(2)]
        self.quantiles: dict[str, list[tuple[float, float, float]]] = {}
        self.asked: list[Comparison] = []

    def add(self, run: int, observed: Sequence[Lists]) -> None:
        """Records one experiment. Cells are not kept: each holds kilobytes."""
        # The units' buckets are salted by the experiment, so the one that the analyzer knows has to be named.
        cells: dict[tuple[int, int], Cell] = {}
        daily: dict[tuple[int, int, int], Cell] = {}
        for place, of_arm in enumerate(observed):
            days, cells[place, 0] = cells_of(f"{self.prefix}/{run}", of_arm, self.sketched)
            daily.update({(place, 0, TODAY + day): cell for day, cell in enumerate(days)})
            if not self.sketched:
                rows(self.whole[place], (run,), cells[place, 0])
                for day, cell in enumerate(days):
                    rows(self.days[place], (run, day), cell)
        if self.quantile is not None:
            self._compare_quantiles(run, [cells[place, 0] for place in range(2)], self.quantile)
        if run < _ASKED:
            held = self.units[run]
            result = analyze(self.record, ExperimentData(held, {TODAY: held}, cells, daily), NOW)
            self.asked += [one for one in result.comparisons if one.quantile == self.quantile]

    def _compare_quantiles(self, run: int, cells: Sequence[Cell], q: float) -> None:
        metric = self.record.spec.metrics[0]
        bins = [
            Sample(name, metric, int(held), cell).bins
            for name, held, cell in zip("ab", self.units[run], cells, strict=True)
        ]
        repeat = any(cell.n != held for cell, held in zip(cells, self.units[run], strict=True))
        found = {}
        for name, clustered in (("independent ranks", False), ("groups of units", True)):
            compared = quantile_difference(bins[0], bins[1], q, clustered=clustered)
            found[name] = float(compared.p_value[0]), float(compared.lower[0]), float(compared.upper[0])
        found[DECIDES] = found["groups of units" if repeat else "independent ranks"]
        for name, answers in found.items():
            self.quantiles.setdefault(name, []).append(answers)

    def answers(self) -> Found:
        """Returns what every method says."""
        found = self._quantiles() if self.sketched else self._means()
        self._check(found[DECIDES])
        return found

    def _quantiles(self) -> dict[str, Answers]:
        return {name: Answers(*np.array(found).T) for name, found in self.quantiles.items()}

    def _means(self) -> dict[str, Answers]:
        sums = [BucketSums.of(held.sums[..., 0], held.sums[..., 1]) for held in self.whole]
        by_units = ratio_delta(sums[0], sums[1])
        by_days = _daily(self.days[0], self.days[1])
        if self.scenario.metric is Metric.CUPED:
            known = [CovariateSums.of(held.sums[..., 0], held.sums[..., 1], held.sums[..., 2]) for held in self.whole]
            adjusted = cuped(known[0], known[1])
            return {DECIDES: of_difference(adjusted.difference), "unadjusted": of_difference(by_units)}
        if self.scenario.metric is Metric.RATIO:
            return {DECIDES: of_difference(by_units), "days as independent": of_difference(by_days)}
        moments = [Moments.of(held.n, held.mean, held.m2 / (held.n - 1)) for held in self.whole]
        welch = welch_t(moments[0], moments[1])
        once = np.all([held.n == units for held, units in zip(self.whole, self.units.T, strict=True)], axis=0)
        single = self._proportions() if _kind(self.scenario) == "binary" else welch
        return {
            DECIDES: of_difference(chosen(once, single, by_units)),
            "observations": of_difference(welch),
            "groups of units": of_difference(by_units),
            "days as independent": of_difference(by_days),
        }

    def _proportions(self) -> Difference:
        counts = [Counts.of(np.round(held.n * held.mean), held.n) for held in self.whole]
        return proportions(counts[0], counts[1])

    def _check(self, found: Answers) -> None:
        """Demands that the analyzer, which chooses its method itself, says the same."""
        for run, asked in enumerate(self.asked):
            expected = asked.p_value, asked.interval.lower, asked.interval.upper
            seen = found.p[run], found.lower[run], found.upper[run]
            if not np.allclose(seen, expected, rtol=_SAME, atol=0, equal_nan=True):
                text = f"{self.scenario.key}: {asked.method} says {expected}, and here it is {seen} ({asked.reason})"
                raise AssertionError(text)


def _daily(control: Held, treatment: Held) -> Difference:
    """Compares as if each day's observations were independent of every other day's."""
    arms = []
    for held in (control, treatment):
        daily = ratio(BucketSums.of(held.sums[..., 0], held.sums[..., 1]))
        share = held.sums[..., 0].sum(axis=-1)
        share = share / share.sum(axis=-1, keepdims=True)
        arms.append(((share * daily.value).sum(axis=-1), np.sqrt(((share * daily.error) ** 2).sum(axis=-1))))
    (base, base_error), (value, value_error) = arms
    many = np.full(base.shape, np.inf)
    return compare(base, base_error, value, value_error, many, 0.95, np.full(base.shape, ""))
