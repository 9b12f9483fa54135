"""Distributions say what raw outcomes would have said."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer_samples import TODAY, Outcomes, make_record, unit_names
from sortition.analyzer.distribution import MAX_BINS, distribution, distributions
from sortition.analyzer.plots import Distribution
from sortition.store.records import ExperimentRecord

TIME = {"name": "time", "kind": "duration", "unit": "s", "goal": "minimize", "role": "primary"}
FOUND = {"name": "found", "kind": "binary", "goal": "maximize"}
VARIANTS = {"old": 50, "new": 50}


def recorded(*arms: NDArray[np.float64]) -> tuple[ExperimentRecord, Distribution]:
    record = make_record([TIME, FOUND], VARIANTS)
    outcomes = Outcomes(record)
    for variant, values in zip(VARIANTS, arms, strict=False):
        half = len(values) // 2
        # Over two days, which are merged.
        outcomes.add(variant, "time", unit_names(variant, half), values[:half].tolist(), day=TODAY - 1)
        names = unit_names(variant, len(values))[half:]
        outcomes.add(variant, "time", names, values[half:].tolist())
    return record, distribution(record, outcomes.data(), record.spec.primary)


def test_shares_are_those_of_the_raw_outcomes() -> None:
    random = np.random.default_rng(1)
    old, new = random.normal(2.0, 0.4, 4000), random.normal(1.5, 0.3, 3000)
    _, found = recorded(old, new)
    edges = np.array(found.edges)
    assert len(edges) == MAX_BINS + 1
    assert not found.logarithmic
    assert np.allclose(np.diff(edges), edges[1] - edges[0])
    for arm, raw in zip(found.variants, (old, new), strict=True):
        assert arm.n == len(raw)
        assert arm.below + sum(arm.shares) + arm.above == pytest.approx(1)
        # A sketch knows outcomes to 1 %, so some of a bin's may be counted as its neighbour's.
        through = np.cumsum([arm.below, *arm.shares])
        known = [(raw < edge * 1.01).mean() for edge in edges], [(raw < edge * 0.99).mean() for edge in edges]
        assert (through <= np.array(known[0]) + 1e-9).all()
        assert (through >= np.array(known[1]) - 1e-9).all()
        histogram = np.histogram(raw, edges)[0] / len(raw)
        assert np.abs(np.array(arm.shares) - histogram).max() < 0.015


def test_the_axis_holds_all_but_the_outermost_of_every_arm() -> None:
    random = np.random.default_rng(2)
    _, found = recorded(random.normal(10, 1, 2000), random.normal(20, 1, 200))
    assert found.edges[0] < 8
    assert found.edges[-1] > 22
    assert all(max(arm.below, arm.above) < 0.02 for arm in found.variants)


def test_outcomes_far_apart_are_on_a_logarithmic_axis() -> None:
    random = np.random.default_rng(3)
    raw = random.lognormal(0, 2, 4000)
    _, found = recorded(raw, raw[:100])
    assert found.logarithmic
    ratios = np.array(found.edges[1:]) / np.array(found.edges[:-1])
    assert np.allclose(ratios, ratios[0])
    histogram = np.histogram(raw, found.edges)[0] / len(raw)
    assert np.abs(np.array(found.variants[0].shares) - histogram).max() < 0.02
    _, mixed = recorded(raw - 5, raw)
    assert not mixed.logarithmic, "there is no logarithm of what is negative"


def test_few_outcomes_have_few_bins() -> None:
    random = np.random.default_rng(4)
    _, found = recorded(random.normal(5, 1, 400), random.normal(5, 1, 400))
    assert len(found.edges) == 21
    _, found = recorded(random.normal(5, 1, 400), random.normal(5, 1, 10))
    assert len(found.edges) == 9


def test_outcomes_at_a_cap_are_in_the_last_bin() -> None:
    raw = np.concatenate([np.linspace(1, 9, 500), np.full(500, 10.0)])
    _, found = recorded(raw, raw)
    assert found.edges[-1] == pytest.approx(10.0, rel=0.01)
    assert found.variants[0].shares[-1] >= 0.5
    assert found.variants[0].above == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-9, 1e9])
def test_one_value_is_one_bin(value: float) -> None:
    _, found = recorded(np.full(20, value), np.full(30, value))
    assert len(found.edges) == 2
    assert found.edges[0] < value < found.edges[1]
    assert [arm.shares for arm in found.variants] == [(1.0,), (1.0,)]


def test_an_arm_without_outcomes_has_no_shares() -> None:
    _, found = recorded(np.linspace(1, 2, 100))
    assert [(arm.variant, arm.n, len(arm.shares)) for arm in found.variants] == [("old", 100, 10), ("new", 0, 0)]


def test_why_there_is_none() -> None:
    record = make_record([TIME, FOUND], VARIANTS)
    data = Outcomes(record).data()
    assert distribution(record, data, record.spec.metrics[0]) == Distribution(
        "time", reason="there are no outcomes yet"
    )
    reason = distribution(record, data, record.spec.metrics[1]).reason
    assert reason == "the metric keeps no distribution; it does with quantiles declared"
    assert [each.metric for each in distributions(record, data)] == ["time"]
