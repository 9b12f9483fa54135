"""Priors, covariates and corrections reach the figures they are declared for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analyzer_samples import NOW, Outcomes, make_record, unit_names
from sortition.analyzer.analyze import analyze
from sortition.analyzer.result import AnalysisResult, Comparison
from sortition.core import Cell

HALVES = {"a": 50, "b": 50}
FOUND = {"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"}
TIME = {"name": "time", "kind": "continuous", "goal": "minimize", "role": "primary"}


def only(result: AnalysisResult) -> Comparison:
    return next(one for one in result.comparisons if one.quantile is None)


def rates(prior: dict[str, float] | None = None, **decision: Any) -> AnalysisResult:
    """40 of 100 against 50 of 100."""
    found = Outcomes(make_record([{**FOUND, "prior": prior}], HALVES, **decision))
    found.add("a", "found", unit_names("a", 100), [1.0] * 40 + [0.0] * 60)
    found.add("b", "found", unit_names("b", 100), [1.0] * 50 + [0.0] * 50)
    return analyze(found.record, found.data(), NOW)


def better(one: tuple[float, float], other: tuple[float, float]) -> float:
    """P(other > one) for two Beta distributions, by a sum over a fine grid."""
    grid = (np.arange(200_000) + 0.5) / 200_000
    return float(np.mean(scipy_stats.beta.pdf(grid, *other) * scipy_stats.beta.cdf(grid, *one)))


@pytest.mark.parametrize(
    ("prior", "first", "second", "words"),
    [
        (None, (41, 61), (51, 51), "uniform rates"),
        ({"successes": 30, "failures": 30}, (70, 90), (80, 80), "rates Beta(30, 30)"),
    ],
)
def test_rates_have_beta_priors(
    prior: dict[str, float] | None, first: tuple[float, float], second: tuple[float, float], words: str
) -> None:
    belief = only(rates(prior)).posterior
    assert belief is not None
    assert belief.prior == words
    assert belief.chance_to_beat == pytest.approx(better(first, second), abs=1e-6)
    means = [a / (a + b) for a, b in (first, second)]
    assert belief.expected_lift == pytest.approx(means[1] - means[0], abs=1e-9)
    assert only(rates(prior)).chance_to_beat == belief.chance_to_beat


def times(prior: dict[str, float] | None) -> AnalysisResult:
    """Means 10 and 9 with a standard error of 0.2 together."""
    found = Outcomes(make_record([{**TIME, "prior": prior}], HALVES, mde=0.02))
    raw = scipy_stats.norm.ppf((np.arange(200) + 0.5) / 200)
    raw = 2 * raw / raw.std(ddof=1)
    for name, mean in (("a", 10.0), ("b", 9.0)):
        found.add(name, "time", unit_names(name, 200), list(mean + raw))
    return analyze(found.record, found.data(), NOW)


def test_the_declared_prior_is_relative_to_the_control() -> None:
    """Conjugate normal distributions: prior N(0.5, 0.4²) in seconds, outcomes N(-1, 0.2²)."""
    belief = only(times({"mean": 0.05, "sd": 0.04})).posterior
    assert belief is not None
    weight = 0.4**2 / (0.4**2 + 0.2**2)
    mean, sd = weight * -1 + (1 - weight) * 0.5, (1 / 0.4**2 + 1 / 0.2**2) ** -0.5
    assert belief.prior == "relative difference N(0.05, 0.04)"
    assert belief.expected_lift == pytest.approx(mean)
    assert (belief.interval.upper - belief.interval.lower) / 2 == pytest.approx(1.959964 * sd, rel=1e-6)
    # Smaller is better: worth it from 2 % below, 0.2 s.
    assert belief.chance_of_practical == pytest.approx(scipy_stats.norm.cdf((-0.2 - mean) / sd))


def test_without_a_prior_the_belief_is_what_the_outcomes_say() -> None:
    belief, flat = only(times(None)), only(times(None)).posterior
    assert flat is not None
    assert flat.prior == "flat"
    assert flat.expected_lift == pytest.approx(belief.difference)
    assert flat.chance_to_beat == pytest.approx(scipy_stats.norm.cdf(5.0))


def test_a_control_of_nothing_has_no_relative_prior() -> None:
    found = Outcomes(make_record([{**TIME, "prior": {"sd": 0.1}}], HALVES))
    found.add("a", "time", unit_names("a", 4), [-1.0, 1.0, -2.0, 2.0])
    found.add("b", "time", unit_names("b", 4), [1.0, 2.0, 3.0, 5.0])
    assert only(analyze(found.record, found.data(), NOW)).posterior is None


def test_a_covariate_takes_away_what_it_explains() -> None:
    """y = x + noise with var(x) = 16 and var(noise) = 1: 16/17 of the variance goes, and the imbalance of x with it."""
    record = make_record([{**TIME, "covariate": "time before"}], HALVES, policy="sequential")
    rng = np.random.default_rng(5)
    found, raw = Outcomes(record), {}
    for place, (name, effect) in enumerate((("a", 0.0), ("b", -0.5))):
        units = unit_names(name, 4000)
        before = rng.normal(20, 4, 4000) + (0.3 if name == "b" else 0)
        after = before + rng.normal(0, 1, 4000) + effect
        raw[name] = (before, after)
        cell = Cell(covariate=True)
        for unit, x, y in zip(units, before, after, strict=True):
            cell.add(record.id, unit, float(y), covariate=float(x))
        found.daily[place, 0, 20_514] = cell
        found.expose(name, units)
    comparison = only(analyze(record, found.data(), NOW))
    assert comparison.method == "cuped, asymptotic_cs"
    assert comparison.variance_reduction == pytest.approx(16 / 17, abs=0.02)
    # Ordinary least squares on every unit, which the sums over 128 buckets only approach.
    (x0, y0), (x1, y1) = raw["a"], raw["b"]
    design = np.column_stack([np.ones(8000), np.r_[np.zeros(4000), np.ones(4000)], np.r_[x0, x1]])
    effect = np.linalg.lstsq(design, np.r_[y0, y1], rcond=None)[0][1]
    assert comparison.difference == pytest.approx(effect, abs=0.03)
    assert abs(comparison.difference - (y1.mean() - y0.mean())) > 0.15
    # The arms' own means keep their own errors.
    described = analyze(record, found.data(), NOW).metrics[0]
    assert described.se == pytest.approx(y0.std(ddof=1) / np.sqrt(4000), rel=0.2)


@pytest.mark.parametrize(
    ("correction", "factors"), [("holm", (2, 1)), ("benjamini_hochberg", (2, 1)), ("none", (1, 1))]
)
def test_the_declared_correction_is_used(correction: str, factors: tuple[int, int]) -> None:
    record = make_record([TIME], {"a": 33, "b": 33, "c": 34}, correction=correction)
    found = Outcomes(record)
    raw = scipy_stats.norm.ppf((np.arange(100) + 0.5) / 100)
    for name, mean in (("a", 10.0), ("b", 9.65), ("c", 9.85)):
        found.add(name, "time", unit_names(name, 100), list(mean + raw))
    b, c = analyze(record, found.data(), NOW).comparisons
    assert b.p_value < c.p_value
    assert b.p_adjusted == pytest.approx(factors[0] * b.p_value)
    assert c.p_adjusted == pytest.approx(factors[1] * c.p_value)
