"""How often the analysis sees a difference where there is none: experiments in which both arms are drawn alike.

Everything is as in production: real cells, filled by two sidecars over several days and merged, analyzed as a whole, so
that the choice of the method is under test too. SORTITION_STATISTICAL_RUNS sets how many experiments each case is made
of. A few hundred are enough to catch a wrong variance (observation-level errors of users who return reject 30 % and
more); 20,000 show the error rate itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from analyzer_samples import NOW, TODAY, make_record
from sortition.analyzer.analyze import analyze
from sortition.core import Cell
from sortition.store.records import ExperimentData

RUNS = int(os.environ.get("SORTITION_STATISTICAL_RUNS", "400"))
CAMPAIGN = 20_000
ALPHA = 0.05
# A true rate in this range is what the methods promise.
PROMISED = (0.045, 0.055)
# Ranks far from the middle are not symmetric around their value; with a few thousand observations that errs on the safe
# side (0.041 at 2,000 an arm, 0.0455 at 10,000).
PROMISED_IN_THE_TAIL = (0.035, 0.055)
# The chance that a case fails although its true rate is in that range; seeds are fixed, so it is drawn once and for
# all.
FALSE_ALARM = 1e-7
DAYS = 5
SIDECARS = 2

Arm = Callable[[np.random.Generator], tuple[NDArray[np.intp], NDArray[np.float64]]]


def once_each(draw: Callable[[np.random.Generator], NDArray[np.float64]]) -> Arm:
    """Every unit gives one observation."""

    def arm(rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        values = draw(rng)
        return np.arange(len(values)), values

    return arm


def returning(users: int, draw: Callable[[np.random.Generator, NDArray[np.float64]], NDArray[np.float64]]) -> Arm:
    """Users come back one to nine times; what they do depends on who they are."""

    def arm(rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        visits = 1 + rng.binomial(8, 0.5, users)
        traits = np.repeat(rng.normal(0, 1, users), visits)
        return np.repeat(np.arange(users), visits), draw(rng, traits)

    return arm


@dataclass(frozen=True)
class Case:
    """One kind of data, and the comparison of it that is watched."""

    name: str
    arm: Arm
    method: str
    kind: str = "continuous"
    quantile: float | None = None


CASES = (
    Case("normal", once_each(lambda rng: rng.normal(1e6, 1, 100)), "welch_t"),
    Case("lognormal", once_each(lambda rng: rng.lognormal(0, 1, 300)), "welch_t"),
    Case("binary", once_each(lambda rng: rng.binomial(1, 0.3, 500).astype(float)), "two_proportion_z", "binary"),
    Case("returning", returning(300, lambda rng, t: t + rng.normal(0, 1, len(t))), "ratio_delta"),
    Case("returning-skewed", returning(300, lambda rng, t: np.exp(t / 2 + rng.normal(0, 0.5, len(t)))), "ratio_delta"),
    Case(
        "returning-binary",
        returning(400, lambda rng, t: rng.binomial(1, 1 / (1 + np.exp(1 - 2 * t))).astype(float)),
        "ratio_delta",
        "binary",
    ),
    Case("median", once_each(lambda rng: rng.lognormal(0, 1, 1000)), "quantile_difference", "duration", 0.5),
    Case("p95", once_each(lambda rng: rng.lognormal(0, 1, 2000)), "quantile_difference", "duration", 0.95),
    Case(
        "returning-median",
        returning(400, lambda rng, t: np.exp(t + rng.normal(0, 0.5, len(t)))),
        "quantile_difference",
        "duration",
        0.5,
    ),
    Case(
        "returning-p95",
        returning(600, lambda rng, t: np.exp(t + rng.normal(0, 0.5, len(t)))),
        "quantile_difference",
        "duration",
        0.95,
    ),
)


def recorded(rng: np.random.Generator, case: Case, experiment: str, run: int) -> ExperimentData:
    """Returns one experiment as the store would: each sidecar's cells of each day, merged in any order."""
    cells: dict[tuple[int, int], Cell] = {}
    daily: dict[tuple[int, int, int], Cell] = {}
    held = np.zeros(2, dtype=np.int64)
    for variant in range(2):
        units, values = case.arm(rng)
        held[variant] = len(np.unique(units))
        names = np.char.add(f"{run}/{variant}/", units.astype(str))
        where = rng.integers(0, DAYS * SIDECARS, len(units))
        parts = []
        for place in range(DAYS * SIDECARS):
            chosen = where == place
            cell = Cell(quantiles=case.quantile is not None)
            cell.add_many(experiment, names[chosen].tolist(), values[chosen].tolist())
            parts.append((place // SIDECARS, cell))
        for place in rng.permutation(len(parts)):
            day, cell = parts[place]
            key = (variant, 0, TODAY + day)
            daily[key] = daily[key].merge(cell) if key in daily else cell
            cells[variant, 0] = cells[variant, 0].merge(cell) if (variant, 0) in cells else cell
    return ExperimentData(held, {TODAY: held}, cells, daily)


def p_values(case: Case) -> NDArray[np.float64]:
    quantiles = [case.quantile] if case.quantile is not None else []
    metric = {"name": "y", "kind": case.kind, "goal": "maximize", "role": "primary", "quantiles": quantiles}
    record = make_record([metric], {"a": 50, "b": 50})
    rng = np.random.default_rng([20_240_101, CASES.index(case)])
    found = np.empty(RUNS)
    for run in range(RUNS):
        result = analyze(record, recorded(rng, case, record.id, run), NOW)
        (comparison,) = [one for one in result.comparisons if one.quantile == case.quantile]
        assert comparison.method == case.method
        assert comparison.reason == ""
        excluded = comparison.interval.lower > 0 or comparison.interval.upper < 0
        if case.method != "two_proportion_z":
            assert excluded == (comparison.p_value < ALPHA)
        found[run] = comparison.p_value
    return found


def bounds(promised: tuple[float, float]) -> tuple[float, float]:
    """Returns the rejections between which a true rate as promised stays, but for the chance of a false alarm."""
    if RUNS >= CAMPAIGN:
        # Long enough to be held to the promise itself.
        return promised[0] * RUNS, promised[1] * RUNS
    lower = float(scipy_stats.binom.ppf(FALSE_ALARM / 2, RUNS, promised[0]))
    return lower, float(scipy_stats.binom.isf(FALSE_ALARM / 2, RUNS, promised[1]))


@pytest.mark.timeout(max(120, RUNS))
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_no_difference_is_seen_where_there_is_none(case: Case) -> None:
    p = p_values(case)
    rejected = int((p < ALPHA).sum())
    lower, upper = bounds(PROMISED_IN_THE_TAIL if case.quantile == 0.95 else PROMISED)
    print(f"{case.name}: {rejected / RUNS:.4f} of {RUNS}")
    assert lower <= rejected <= upper, f"{rejected} of {RUNS} rejected; between {lower:g} and {upper:g} are promised"
    if case.kind == "continuous":
        assert float(scipy_stats.kstest(p, "uniform").pvalue) > FALSE_ALARM


def test_the_bounds_tell_a_wrong_variance_from_a_right_one() -> None:
    """A rate of 25 %, less than any wrong variance makes, falls outside but once in a million."""
    _, upper = bounds(PROMISED)
    assert float(scipy_stats.binom.cdf(upper, RUNS, 0.25)) < 1e-6
