"""Weeks of experiments in which nothing differs, looked at by all rules of alerts: how often anybody is told anything.

    python -m statistical.false_alerts --runs 2000

Every look counts, without the time that a rule waits before it tells: what is reported here is an upper bound.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from scipy import special, stats

from analyzer_samples import make_record
from sortition.analyzer.alerts import Reading, read_rules
from sortition.analyzer.alerts.read import READERS, Reader
from sortition.core import Cell
from sortition.model.alert import FALSE_ALERTS, Trigger, usual_rules
from sortition.store.records import ExperimentData, ExperimentRecord
from statistical.tally import error_bar

__all__ = ["SCENARIOS", "Count", "Scenario", "kept", "main", "watch", "week"]

DAYS = 7
CAMPAIGN = 2_000
"""Experiments from which on a rate is held to the promise itself; fewer only rule out what is far from it."""
FALSE_ALARM = 1e-5
"""The chance that a small run fails although the promise is kept. Seeds are fixed, so it is drawn once and for all."""
START = datetime(2026, 3, 2, tzinfo=timezone.utc)
FIRST_DAY = int(START.timestamp() // 86_400)

METRICS: tuple[Mapping[str, Any], ...] = (
    {"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"},
    {"name": "latency", "kind": "duration", "goal": "minimize", "role": "guardrail", "margin": 0.05},
    {"name": "errors", "kind": "binary", "goal": "minimize", "role": "guardrail", "margin": 0.05},
    {"name": "user_satisfaction", "kind": "continuous", "goal": "maximize", "min": 1.0, "max": 5.0},
)


@dataclass(frozen=True)
class Scenario:
    """A kind of week.

    Attributes:
        name: What it is called.
        sessions: Sessions from one look to the next.
        weights: The variants' weights in percent, the control's first.
        new: The share of sessions whose unit was not there before.
        failing: The rate of errors.
        spread: The standard deviation of the logarithm of the latency.
        silent: The share of units that never tell how it went.
        satisfaction: The true mean, on a scale of 1 to 5 whose middle is 3.
    """

    name: str
    sessions: int = 120
    weights: tuple[float, ...] = (50, 50)
    new: float = 1.0
    failing: float = 0.05
    spread: float = 0.8
    silent: float = 0.0
    satisfaction: float = 3.0


SCENARIOS = (
    Scenario("plain"),
    Scenario("returning units, three variants", sessions=180, weights=(34, 33, 33), new=0.4),
    Scenario("few sessions, rare errors, missing outcomes", sessions=25, failing=0.01, silent=0.08),
    Scenario("uneven weights, heavy tails", sessions=150, weights=(80, 20), spread=1.3),
)


@dataclass
class Week:
    """One experiment while it runs: its units, and what a store would hold of them."""

    record: ExperimentRecord
    scenario: Scenario
    rng: np.random.Generator
    variant: list[int] = field(default_factory=list)
    trait: list[float] = field(default_factory=list)
    quiet: list[bool] = field(default_factory=list)
    by_day: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = field(default_factory=dict)
    outcomes: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = field(default_factory=dict)
    whole: dict[tuple[int, int], Cell] = field(default_factory=dict)
    daily: dict[tuple[int, int, int], Cell] = field(default_factory=dict)

    def serve(self, day: int) -> None:
        """Serves the sessions of a while."""
        arms = len(self.scenario.weights)
        here = self._units(day)
        told = [unit for unit in here if not self.quiet[unit]]
        trait = np.array([self.trait[unit] for unit in told])
        place = np.array([self.variant[unit] for unit in told])
        one, rng = self.scenario, self.rng
        values = (
            (rng.random(len(told)) < special.ndtr(0.5 + 0.6 * trait)).astype(float),
            np.exp(one.spread * (0.6 * trait + 0.8 * rng.standard_normal(len(told)))),
            (rng.random(len(told)) < one.failing).astype(float),
            np.clip(one.satisfaction + 0.5 * trait + 0.8 * rng.standard_normal(len(told)), 1, 5),
        )
        for arm in range(arms):
            chosen = np.flatnonzero(place == arm)
            names = [f"u{told[index]}" for index in chosen]
            for metric, drawn in enumerate(values):
                self._add(arm, metric, day, names, drawn[chosen].tolist())
            self.outcomes.setdefault(day, np.zeros(arms, dtype=np.int64))[arm] += len(names)

    def data(self) -> ExperimentData:
        """Returns what the store would."""
        units = np.sum(list(self.by_day.values()), axis=0)
        return ExperimentData(
            np.asarray(units),
            {day: held.copy() for day, held in self.by_day.items()},
            dict(self.whole),
            dict(self.daily),
            outcomes_by_day=dict(self.outcomes),
        )

    def _units(self, day: int) -> list[int]:
        """Returns the units of the sessions of a while; new ones are made, and exposed."""
        size, rng, known = self.scenario.sessions, self.rng, len(self.variant)
        fresh = (rng.random(size) < self.scenario.new) | (known == 0)
        number = int(fresh.sum())
        edges = np.cumsum(self.scenario.weights)
        arms = np.searchsorted(edges / edges[-1], rng.random(number), side="right")
        self.variant += arms.tolist()
        self.trait += rng.standard_normal(number).tolist()
        self.quiet += (rng.random(number) < self.scenario.silent).tolist()
        exposed = self.by_day.setdefault(day, np.zeros(len(edges), dtype=np.int64))
        exposed += np.bincount(arms, minlength=len(edges))
        units = rng.integers(max(known, 1), size=size)
        units[fresh] = known + np.arange(number)
        return [int(unit) for unit in units]

    def _add(self, arm: int, metric: int, day: int, names: list[str], values: list[float]) -> None:
        quantiles = METRICS[metric]["kind"] == "duration"
        for cell in (
            self.whole.setdefault((arm, metric), Cell(quantiles=quantiles)),
            self.daily.setdefault((arm, metric, day), Cell(quantiles=quantiles)),
        ):
            cell.add_many(self.record.id, names, values)


def week(
    scenario: Scenario, seed: int, looks: int, readers: Mapping[Trigger, Reader] = READERS
) -> dict[tuple[str, str, str], Reading]:
    """Runs one experiment for a week; returns the first time that each question fired.

    Args:
        scenario: The kind of week.
        seed: Everything that is drawn follows from it.
        looks: Looks a day.
        readers: Who reads each trigger.
    """
    names = ["control", *(f"same{place}" for place in range(1, len(scenario.weights)))]
    record = make_record(
        METRICS, dict(zip(names, scenario.weights, strict=True)), policy="sequential", min_samples=20_000, max_days=14
    )
    object.__setattr__(record, "started_at", START)
    rules, rng = (
        usual_rules(),
        np.random.default_rng([seed, SCENARIOS.index(scenario) if scenario in SCENARIOS else 99]),
    )
    running, found = Week(record, scenario, rng), dict[tuple[str, str, str], Reading]()
    for day in range(DAYS):
        for look in range(looks):
            running.serve(FIRST_DAY + day)
            now = START + timedelta(days=day, hours=2 + 21 * look / looks)
            for reading in read_rules(rules, record, running.data(), now, readers):
                if reading.firing:
                    found.setdefault(reading.question, reading)
    return found


@dataclass
class Count:
    """What was seen in many weeks.

    Attributes:
        runs: Experiments.
        told: Those about which anybody was told anything.
        rules: The same, by rule.
    """

    runs: int = 0
    told: int = 0
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, found: Mapping[tuple[str, str, str], Reading]) -> None:
        """Counts one experiment."""
        self.runs += 1
        self.told += bool(found)
        self.rules.update({rule for rule, _, _ in found})

    def merge(self, other: Count) -> None:
        """Adds other experiments."""
        self.runs += other.runs
        self.told += other.told
        self.rules.update(other.rules)


def watch(scenario: Scenario, seeds: range, looks: int, readers: Mapping[Trigger, Reader] = READERS) -> Count:
    """Runs an experiment for each seed."""
    count = Count()
    for seed in seeds:
        count.add(week(scenario, seed, looks, readers))
    return count


def kept(count: Count) -> str:
    """Returns what is wrong with a count; empty where the promise is kept, as far as it can tell."""
    rate = count.told / count.runs
    if count.runs >= CAMPAIGN:
        return "" if rate <= FALSE_ALERTS else f"{count.told} of {count.runs} is more than {FALSE_ALERTS:.0%}"
    p = float(stats.binom.sf(count.told - 1, count.runs, FALSE_ALERTS))
    return (
        "" if p >= FALSE_ALARM else f"{count.told} of {count.runs} does not happen at {FALSE_ALERTS:.0%} (p = {p:.1e})"
    )


def main() -> int:
    """Runs all scenarios, and prints a table; returns 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=CAMPAIGN, help="experiments of each scenario")
    parser.add_argument("--looks", type=int, default=12, help="looks a day")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    part, broken = 20, 0
    print(f"{'a week in which nothing differs':<46}{'experiments':>12}{'alerted':>9}{'rate':>8}   95 % interval")
    with ProcessPoolExecutor(given.jobs) as pool:
        for scenario in SCENARIOS:
            if given.only not in scenario.name:
                continue
            ranges = [range(start, min(start + part, given.runs)) for start in range(0, given.runs, part)]
            count = Count()
            for one in pool.map(watch, [scenario] * len(ranges), ranges, [given.looks] * len(ranges)):
                count.merge(one)
            low, high = error_bar(count.told, count.runs)
            wrong = kept(count)
            broken += bool(wrong)
            by_rule = ", ".join(f"{rule} {number}" for rule, number in sorted(count.rules.items()))
            print(
                f"{scenario.name:<46}{count.runs:>12,}{count.told:>9,}{count.told / count.runs:>8.2%}"
                f"   [{low:.2%}, {high:.2%}]   {by_rule}{f'   BROKEN: {wrong}' if wrong else ''}",
                flush=True,
            )
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
