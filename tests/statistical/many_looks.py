"""Experiments that are looked at while they run: by confidence sequences, at planned looks, and by impatience."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from analyzer_samples import NOW, TODAY
from sortition.analyzer.analyze import analyze
from sortition.analyzer.result import Comparison
from sortition.core import Cell
from sortition.stats import (
    BucketSums,
    ConfidenceSequence,
    Counts,
    CovariateSums,
    Difference,
    GroupSequential,
    Moments,
    asymptotic_cs,
    bernoulli_cs,
    cuped,
    group_sequential,
    guarded_error,
    ratio_delta,
    repeated_interval,
    smallest_expected,
    welch_t,
)
from sortition.store.records import ExperimentData
from statistical.answers import DECIDES, SMALL_COUNT, Answers, Found, chosen, of_difference, proportions
from statistical.one_look import record_of
from statistical.populations import Arm, Bernoulli
from statistical.recording import DAYS, Held, Lists, distinct, empty, hold, lists, rows
from statistical.scenarios import LOOKS, Metric, Scenario

__all__ = ["PLANNED_LOOKS", "ends", "watch"]

PLANNED_LOOKS = 5
"""Looks of a group-sequential design."""
_ALPHA = 0.05
# The looks at which the analyzer itself is asked, of the first experiment of a batch; it has to say the same.
_ASKED = (0, 1, LOOKS // 2, LOOKS - 1)
_SAME = 1e-9

Floats = NDArray[np.float64]


def watch(scenario: Scenario, rng: np.random.Generator, runs: int, prefix: str) -> Found:
    """Draws, records and watches `runs` experiments; their identities begin with `prefix`."""
    arms = [
        scenario.population.draw(rng, runs, size, effect, scenario.metric is Metric.RATIO)
        for size, effect in ((scenario.control, 0.0), (scenario.treatment, scenario.effect))
    ]
    units = [_seen(arm) for arm in arms]
    held = [hold((runs, LOOKS)) for _ in arms]
    asked: dict[int, list[Cell]] = {look: [] for look in _ASKED}
    for place, arm in enumerate(arms):
        for run, observed in enumerate(lists(arm, place, scenario.metric is Metric.CUPED)):
            for look, cell in enumerate(_looks(f"{prefix}/{run}", observed)):
                rows(held[place], (run, look), cell)
                if run == 0 and look in asked:
                    asked[look].append(cell)
    found = _answers(scenario, held, units)
    for look, cells in asked.items():
        _check(scenario, look, cells, [int(one[0, look]) for one in units], found[DECIDES])
    return found


def ends(size: int) -> list[int]:
    """Returns how many of an arm's observations there are at each look."""
    return [size * look // LOOKS for look in range(1, LOOKS + 1)]


def _seen(arm: Arm) -> NDArray[np.int64]:
    """Returns the distinct units at each look, of shape (experiments, looks)."""
    runs, size = arm.values.shape
    through = ends(size)
    if arm.units is None:
        return np.broadcast_to(np.array(through, dtype=np.int64), (runs, LOOKS))
    order = np.argsort(arm.units, axis=1, kind="stable")
    ordered = np.take_along_axis(arm.units, order, axis=1)
    first = np.ones((runs, size), dtype=np.int64)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    new = np.zeros((runs, size), dtype=np.int64)
    np.put_along_axis(new, order, first, axis=1)
    assert np.array_equal(new.sum(axis=1), distinct(arm))
    return np.asarray(np.cumsum(new, axis=1)[:, [end - 1 for end in through]])


def _looks(experiment: str, observed: Lists) -> list[Cell]:
    """Returns what the store holds at each look: closed days, and the day of both sidecars that is under way."""
    closed = empty(observed, quantiles=False)
    found: list[Cell] = []
    start = 0
    for look, end in enumerate(ends(len(observed.names))):
        if look % (LOOKS // DAYS) == 0:
            closed = found[-1] if found else closed
            today = [empty(observed, quantiles=False) for _ in range(2)]
        half = (start + end) // 2 if look % 2 else (start + end + 1) // 2
        for cell, part in zip(today, (observed.part(start, half), observed.part(half, end)), strict=True):
            part.put(cell, experiment)
        found.append(closed.merge(today[0].merge(today[1])))
        start = end
    return found


def _answers(scenario: Scenario, held: list[Held], units: list[NDArray[np.int64]]) -> Found:
    sums = [BucketSums.of(one.sums[..., 0], one.sums[..., 1]) for one in held]
    by_units = ratio_delta(sums[0], sums[1])
    with np.errstate(all="ignore"):
        moments = [Moments.of(one.n, one.mean, one.m2 / (one.n - 1)) for one in held]
    by_observations = welch_t(moments[0], moments[1])
    told = sum((np.minimum(seen, one.n) for one, seen in zip(held, units, strict=True)), np.zeros(units[0].shape))
    progress = told / scenario.planned
    single = by_units
    beside = {"groups of units": _sequence(by_units, progress, held)}
    sequence = beside["groups of units"]
    if scenario.metric is Metric.CUPED:
        known = [CovariateSums.of(one.sums[..., 0], one.sums[..., 1], one.sums[..., 2]) for one in held]
        single = cuped(known[0], known[1]).difference
        sequence = _sequence(single, progress, held)
    elif scenario.metric is Metric.MEAN:
        beside["observations"] = _sequence(by_observations, progress, held)
        once = np.all([one.n == seen for one, seen in zip(held, units, strict=True)], axis=0)
        if once.any():
            single = chosen(once, by_observations, by_units)
            if isinstance(scenario.population, Bernoulli):
                counts = [Counts.of(np.round(one.n * one.mean), one.n) for one in held]
                single = proportions(counts[0], counts[1])
                sequence = _exact_where_few(single, _sequence(single, progress, held), counts, scenario.planned)
            else:
                sequence = _sequence(single, progress, held)
    return {
        DECIDES: sequence,
        **beside,
        "planned looks": _planned(single),
        "peeking": of_difference(single),
        "last look": Answers(*(one[:, -1] for one in (single.p_value, single.lower, single.upper))),
    }


def _sequence(found: Difference, progress: Floats, held: list[Held]) -> Answers:
    df = np.where(np.isnan(found.df), np.inf, found.df)
    observations = [one.sums[..., 0].sum(axis=-1) for one in held]
    error = guarded_error(found.control_error, observations[0], found.treatment_error, observations[1])
    usual = np.where(found.reason == "", found.standard_error, np.nan)
    error = np.where(error > usual, error, usual)
    return _of(asymptotic_cs(found.difference, error, progress, planned_n=1.0, alpha=_ALPHA, df=df))


def _of(found: ConfidenceSequence) -> Answers:
    return Answers(found.p_value, found.lower, found.upper)


def _exact_where_few(found: Difference, sequence: Answers, counts: list[Counts], planned: int) -> Answers:
    few = (smallest_expected(counts[0], counts[1]) < SMALL_COUNT) | (found.standard_error == 0)
    few &= found.reason == ""
    if not few.any():
        return sequence
    small = [np.stack([one.successes[few], one.trials[few]]) for one in counts]
    # Many of the tables are the same one.
    tables, place = np.unique(np.concatenate(small), axis=1, return_inverse=True)
    exact = bernoulli_cs(
        Counts.of(tables[0], tables[1]), Counts.of(tables[2], tables[3]), alpha=_ALPHA, planned_n=planned
    )
    sequence = replace(sequence, p=sequence.p.copy(), lower=sequence.lower.copy(), upper=sequence.upper.copy())
    for ours, theirs in ((sequence.p, exact.p_value), (sequence.lower, exact.lower), (sequence.upper, exact.upper)):
        ours[few] = theirs[place.ravel()]
    return sequence


@cache
def _plan() -> GroupSequential:
    return group_sequential(PLANNED_LOOKS, alpha=_ALPHA, spending="obrien_fleming")


def _planned(found: Difference) -> Answers:
    """Returns the answers at five planned looks, with p-values scaled to the level that a look spends."""
    nominal = _plan().nominal_p
    at = [LOOKS * (look + 1) // PLANNED_LOOKS - 1 for look in range(PLANNED_LOOKS)]
    df = np.where(np.isnan(found.df), np.inf, found.df)[:, at]
    interval = repeated_interval(found.difference[:, at], found.standard_error[:, at], nominal, df=df)
    return Answers(found.p_value[:, at] * (_ALPHA / nominal), interval.lower, interval.upper)


def _check(scenario: Scenario, look: int, cells: list[Cell], units: list[int], found: Answers) -> None:
    """Demands that the analyzer, which chooses its method itself, says the same."""
    held = np.array(units, dtype=np.int64)
    record = record_of(scenario, "sequential", min_samples=scenario.planned)
    data = ExperimentData(
        held,
        {TODAY: held},
        {(place, 0): cell for place, cell in enumerate(cells)},
        {(place, 0, TODAY): cell for place, cell in enumerate(cells)},
    )
    (asked,) = (one for one in analyze(record, data, NOW).comparisons if one.quantile is None)
    expected = _figures(asked)
    seen = [float(one[0, look]) for one in (found.p, found.lower, found.upper)]
    if not np.allclose(seen, expected, rtol=_SAME, atol=0, equal_nan=True):
        said = f"{scenario.key}, look {look}: {asked.method} says {expected}, and here it is {seen} ({asked.reason})"
        raise AssertionError(said)


def _figures(asked: Comparison) -> list[float]:
    if asked.always_valid is None:
        return [np.nan] * 3
    return [asked.always_valid.p_value, asked.always_valid.interval.lower, asked.always_valid.interval.upper]
