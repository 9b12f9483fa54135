"""Analyzing 100 experiments of 30 comparisons each, beside what SciPy alone takes for the same t-tests one by one."""

from __future__ import annotations

import time

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import stats

from analyzer_samples import NOW, Outcomes, make_record, unit_names
from sortition.analyzer.analyze import analyze
from sortition.store.records import ExperimentData, ExperimentRecord
from table import Table

EXPERIMENTS = 100
METRICS = 10
VARIANTS = 4
UNITS = 100
ROUNDS = 3


def experiment(seed: int) -> tuple[ExperimentRecord, ExperimentData]:
    chance = np.random.default_rng(seed)
    metrics = [
        {
            "name": f"metric-{index}",
            "kind": "continuous",
            "goal": "minimize",
            "role": "secondary" if index else "primary",
        }
        for index in range(METRICS)
    ]
    record = make_record(metrics, dict.fromkeys(("control", "a", "b", "c"), 25))
    outcomes = Outcomes(record)
    for variant in record.spec.variants:
        units = unit_names(variant.name, UNITS)
        for metric in record.spec.metrics:
            outcomes.add(variant.name, metric.name, units, chance.normal(10, 2, UNITS).tolist())
    return record, outcomes.data()


def test_analyze(benchmark: BenchmarkFixture, table: Table) -> None:
    experiments = [experiment(seed) for seed in range(EXPERIMENTS)]
    comparisons = EXPERIMENTS * METRICS * (VARIANTS - 1)
    ours: list[float] = []
    one_by_one: list[float] = []

    def one_round() -> None:
        begin = time.perf_counter()
        found = sum(len(analyze(record, data, NOW).comparisons) for record, data in experiments)
        ours.append((time.perf_counter() - begin) * 1000)
        assert found == comparisons
        begin = time.perf_counter()
        for _ in range(comparisons):
            stats.ttest_ind_from_stats(10.0, 2.0, UNITS, 10.5, 2.1, UNITS, equal_var=False)
        one_by_one.append((time.perf_counter() - begin) * 1000)

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    table.add(
        f"analysis of {EXPERIMENTS} experiments, {comparisons:,} comparisons",
        ours,
        "SciPy, only the t-tests, one by one",
        one_by_one,
        unit="ms",
        target="-",
    )
