"""Harm: shown early where it is large, and hardly ever where the treatment is within the limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from analyzer_samples import NOW, make_record
from sortition.analyzer.harm import FEWEST, Harm, harms
from sortition.core import Cell
from sortition.stats import FloatArray
from sortition.store.records import ExperimentData, ExperimentRecord

TIME = {"name": "time", "kind": "continuous", "goal": "minimize", "role": "primary"}
RATE = {"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"}
KEPT = {"name": "kept", "kind": "binary", "goal": "maximize", "role": "guardrail", "margin": 0.3}
HALVES = {"old": 50.0, "new": 50.0}


def record_of(*metrics: dict[str, Any], variants: dict[str, float] | None = None, **decision: Any) -> ExperimentRecord:
    return make_record(metrics, variants or HALVES, policy="sequential", **{"min_samples": 1000, **decision})


def data_of(record: ExperimentRecord, *arms: Any) -> ExperimentData:
    """Makes data of outcomes by (variant, metric), one from each unit."""
    cells = {}
    units = np.zeros(len(record.spec.variants), dtype=np.int64)
    for variant, metrics in enumerate(arms):
        for metric, values in enumerate(metrics):
            cell = Cell()
            names = [f"{variant}-{number}" for number in range(len(values))]
            cell.add_many(record.id, names, [float(value) for value in values])
            cells[variant, metric] = cell
            units[variant] = len(values)
    return ExperimentData(units=units, units_by_day={}, cells=cells, daily={})


def _floats(values: Any) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def share(rate: float, n: int) -> list[float]:
    return [1.0] * round(rate * n) + [0.0] * (n - round(rate * n))


def test_a_harm_says_by_how_much_at_least() -> None:
    record = record_of(RATE)
    (found,) = harms(record, data_of(record, [share(0.9, 400)], [share(0.5, 400)]), NOW)
    assert (found.variant, found.metric, found.limit) == ("new", "found", 0.1)
    assert found.level == pytest.approx(0.05)
    assert found.relative == pytest.approx(-4 / 9)
    # What a single look would show bounds it from above; the bound of every look is wider.
    once = 1 - (0.5 / 0.9) * np.exp(stats.norm.ppf(0.95) * np.sqrt(0.5 / (0.5 * 400) + 0.1 / (0.9 * 400)))
    assert 0.1 < found.at_least < once
    assert str(found).startswith("new: found −44.4 %, worse by ")


def test_the_bound_is_the_mixture_of_the_paper() -> None:
    """Computed here from the formula: exp(-x²/2·r)·√(1+s)/(2Φ(x√r)) with s the spread and r = s/(1+s)."""
    rng = np.random.default_rng(1)
    control, treatment = rng.normal(10, 2, 500), rng.normal(12, 2, 500)
    record = record_of(TIME)
    (found,) = harms(record, data_of(record, [control], [treatment]), NOW)
    level = 0.05
    # ρ² that makes the sequence narrowest at 1,000 units, two-sided at twice the level (theorem's own optimum).
    tuned = -special.lambertw(-np.exp(-1) * (2 * level) ** 2, -1).real - 1
    w = 1 + found.at_least
    error = np.hypot(treatment.std(ddof=1) / np.sqrt(500), w * control.std(ddof=1) / np.sqrt(500))
    z = (treatment.mean() - w * control.mean()) / error
    u = z * np.sqrt(tuned / (1 + tuned))
    p = np.sqrt(1 + tuned) * np.exp(-(u**2) / 2) / (2 * stats.norm.cdf(u))
    assert p == pytest.approx(level, rel=0.1), "the grid of worsenings is 0.4 % wide"


@pytest.mark.parametrize(
    ("control", "treatment"),
    [(0.9, 0.85), (0.5, 0.9), (0.5, 0.5)],
)
def test_a_loss_within_the_limit_is_none(control: float, treatment: float) -> None:
    record = record_of(RATE)
    assert harms(record, data_of(record, [share(control, 3000)], [share(treatment, 3000)]), NOW) == ()


def test_a_guardrail_has_its_own_margin_where_that_is_wider() -> None:
    record = record_of(RATE, KEPT)
    fine = share(0.5, 2000)
    within = data_of(record, [fine, share(0.9, 2000)], [fine, share(0.7, 2000)])
    beyond = data_of(record, [fine, share(0.9, 2000)], [fine, share(0.3, 2000)])
    assert harms(record, within, NOW) == ()
    (found,) = harms(record, beyond, NOW)
    assert (found.metric, found.limit) == ("kept", 0.3)
    assert found.level == pytest.approx(0.025)


def test_the_level_is_shared_by_all_questions() -> None:
    record = record_of(RATE, KEPT, variants={"old": 40.0, "new": 30.0, "newer": 30.0})
    fine, broken = share(0.9, 900), share(0.2, 900)
    found = harms(record, data_of(record, [fine, fine], [broken, fine], [fine, broken]), NOW)
    assert [(one.variant, one.metric) for one in found] == [("new", "found"), ("newer", "kept")]
    assert [one.level for one in found] == pytest.approx([0.05 / 4] * 2)


def test_a_handful_of_outcomes_shows_harm_only_by_exact_bounds() -> None:
    few = FEWEST - 1
    record = record_of(TIME)
    rng = np.random.default_rng(2)
    arms = [[rng.normal(1, 0.1, few)], [rng.normal(5, 0.1, few)]]
    assert harms(record, data_of(record, *arms), NOW) == ()
    rate = record_of(RATE, max_regression=0.5)
    (found,) = harms(rate, data_of(rate, [share(1.0, 40)], [share(0.0, 40)]), NOW)
    assert found.at_least > 0.5


def test_without_variance_nothing_is_shown() -> None:
    record = record_of(TIME)
    assert harms(record, data_of(record, [[1.0] * 500], [[2.0] * 500]), NOW) == ()


@pytest.mark.parametrize("kind", ["skewed", "rates"])
def test_at_the_very_limit_it_is_hardly_ever_shown_however_often_one_looks(kind: str) -> None:
    """Experiments whose treatment is worse by exactly the limit, looked at fourteen times each."""
    rng = np.random.default_rng(7)
    record = record_of(TIME if kind == "skewed" else RATE)
    looks = np.unique(np.geomspace(FEWEST, 1500, 14).astype(int))
    wrong, experiments = 0, 60
    for _ in range(experiments):
        if kind == "skewed":
            control, treatment = rng.lognormal(0, 1, 1500), 1.1 * rng.lognormal(0, 1, 1500)
        else:
            control, treatment = _floats(rng.binomial(1, 0.4, 1500)), _floats(rng.binomial(1, 0.36, 1500))
        wrong += any(harms(record, data_of(record, [control[:n]], [treatment[:n]]), NOW) for n in looks)
    # So many or more would be seen once in a thousand times at the promised level.
    assert wrong < stats.binom.isf(0.001, experiments, 0.05)


def test_it_reads_well() -> None:
    shown = str(Harm("new", "time", 0.312, 0.1234, 0.1, 0.0125))
    assert shown == "new: time +31.2 %, worse by 12.3 % at least (limit 10 %, at every look, level 0.0125)"
