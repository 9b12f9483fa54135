"""Exact confidence sequences of proportions against confseq and against exact probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.errors import InvalidArgument
from sortition.stats import Counts, asymptotic_cs, bernoulli_cs, proportion_cs, two_proportion_z
from sortition.stats.sequential.asymptotic import tuned


def as_confseq(t_opt: float, alpha: float) -> float:
    """confseq tunes by an approximation of the optimum; this is our `planned_n` with the same prior."""
    approximate = 2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha))
    return t_opt * tuned(alpha) / approximate


@pytest.mark.parametrize(
    ("successes", "trials", "alpha", "t_opt", "lower", "upper"),
    [
        (12, 100, 0.05, 100, 0.04198376689518227, 0.2382350036466778),
        (0, 100, 0.05, 100, 0.0, 0.03988421552654131),
        (3, 1000, 0.05, 5000, 0.000131757319327761, 0.01369992035201623),
        (500, 1000, 0.01, 1000, 0.4436740344797272, 0.5563259655205002),
        (1000, 1000, 0.05, 200, 0.996709713607288, 1.0),
        (45, 50, 0.1, 400, 0.6885649633215964, 0.9848398522932256),
        (250, 10000, 0.05, 1000, 0.020210635142404954, 0.030362333845227955),
        (1, 2, 0.05, 100, 0.0, 1.0),
    ],
)
def test_confseq_0_0_11(successes: int, trials: int, alpha: float, t_opt: float, lower: float, upper: float) -> None:
    """bernoulli_confidence_interval(successes, trials, alpha, t_opt, alpha)."""
    found = proportion_cs(Counts.of(successes, trials), alpha=alpha, planned_n=as_confseq(t_opt, alpha))
    assert float(found.lower) == pytest.approx(lower, abs=1e-11)
    assert float(found.upper) == pytest.approx(upper, abs=1e-11)


def ever_missed(p: float, alpha: float, planned: float, looks: int) -> float:
    """Returns the exact probability that the sequence ever misses p within so many trials, each of them a look."""
    inside = np.array([1.0])
    missed = 0.0
    for n in range(1, looks + 1):
        inside = np.concatenate([inside * (1 - p), [0.0]]) + np.concatenate([[0.0], inside * p])
        found = proportion_cs(Counts.of(np.arange(n + 1), n), alpha=alpha, planned_n=planned)
        out = (found.lower > p) | (found.upper < p)
        missed += float(inside[out].sum())
        inside[out] = 0
    return missed


@pytest.mark.parametrize(("p", "alpha"), [(0.3, 0.05), (0.05, 0.05), (0.5, 0.2)])
def test_it_misses_at_most_with_probability_alpha_over_150_looks_exactly(p: float, alpha: float) -> None:
    missed = ever_missed(p, alpha, 60, 150)
    assert 0.15 * alpha < missed < alpha


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.9])
def test_the_p_value_of_equal_rates_is_a_fair_bet_at_most(p: float) -> None:
    """Over every pair of counts: P(p <= alpha) is at most alpha, and what the bet pays on average at most its stake."""
    n, m = 25, 40
    first, second = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    found = bernoulli_cs(Counts.of(first, n), Counts.of(second, m), planned_n=80)
    chance = scipy_stats.binom.pmf(first, n, p) * scipy_stats.binom.pmf(second, m, p)
    assert float(chance.sum()) == pytest.approx(1, rel=1e-12)
    for alpha in (0.3, 0.05, 0.001):
        assert float(chance[found.p_value <= alpha].sum()) <= alpha
    # Markov's inequality is all that is used, so the bet itself has to be fair too.
    assert float((chance / found.p_value)[found.p_value < 1].sum()) <= 1


def test_interval_and_p_value_agree_and_are_symmetric() -> None:
    counts = np.array([0, 1, 5, 20, 33, 59, 60])
    first, second = (one.ravel() for one in np.meshgrid(counts, counts))
    found = bernoulli_cs(Counts.of(first, 60), Counts.of(second, 60), planned_n=120)
    np.testing.assert_array_equal((found.lower > 0) | (found.upper < 0), found.p_value < 0.05)
    assert np.all((found.lower <= found.estimate) & (found.estimate <= found.upper))
    assert np.all((found.lower >= -1) & (found.upper <= 1))
    swapped = bernoulli_cs(Counts.of(second, 60), Counts.of(first, 60), planned_n=120)
    np.testing.assert_allclose(swapped.lower, -found.upper, atol=1e-10)
    mirrored = bernoulli_cs(Counts.of(60 - first, 60), Counts.of(60 - second, 60), planned_n=120)
    np.testing.assert_allclose(mirrored.upper, -found.lower, atol=1e-10)
    np.testing.assert_allclose(mirrored.p_value, found.p_value, rtol=1e-8)


def test_it_is_never_wider_than_the_box_of_both_rates_intervals() -> None:
    """A union of two intervals at alpha/2 each holds too, but says less."""
    for first, second, n in ((3, 9, 200), (40, 70, 150), (0, 6, 60), (140, 149, 150)):
        arms = [proportion_cs(Counts.of(one, n), alpha=0.025, planned_n=n) for one in (first, second)]
        box = float(arms[1].lower - arms[0].upper), float(arms[1].upper - arms[0].lower)
        found = bernoulli_cs(Counts.of(first, n), Counts.of(second, n), planned_n=2 * n)
        assert float(found.upper - found.lower) < box[1] - box[0]


def test_with_many_outcomes_it_comes_near_the_asymptotic_sequence() -> None:
    counts = Counts.of(30_000, 100_000), Counts.of(30_900, 100_000)
    exact = bernoulli_cs(*counts, planned_n=200_000)
    usual = two_proportion_z(*counts)
    asymptotic = asymptotic_cs(usual.difference, usual.standard_error, 200_000, planned_n=200_000)
    ratio = float((exact.upper - exact.lower) / (asymptotic.upper - asymptotic.lower))
    # Two mixtures instead of one: √(1 + 4.68) instead of √(1 + 8.21)/√2 errors.
    assert 1.0 < ratio < 1.15


def test_extreme_counts() -> None:
    found = bernoulli_cs(Counts.of([0, 0, 60, 0], 60), Counts.of([0, 60, 60, 1], 60), planned_n=120)
    assert found.p_value[0] == pytest.approx(1, abs=1e-9)
    assert found.p_value[1] < 1e-20
    assert 0.8 < found.lower[1] < 1
    assert found.upper[1] == 1
    assert found.lower[2] == pytest.approx(found.lower[0], abs=1e-10)
    large = bernoulli_cs(Counts.of(50, 1e9), Counts.of(120, 1e9), planned_n=2e9)
    assert 0 < float(large.lower) < 70e-9 < float(large.upper) < 200e-9


def test_what_has_no_answer_says_why() -> None:
    found = bernoulli_cs(Counts.of([0, 5, 11], [0, 10, 10]), Counts.of([1, 0, 1], [10, 0, 10]), planned_n=20)
    assert found.reason.tolist() == [
        "the control has no outcomes",
        "the treatment has no outcomes",
        "the control's successes are not between 0 and its trials",
    ]
    assert np.isnan(found.lower).all()
    assert np.isnan(found.p_value).all()
    nothing = proportion_cs(Counts.of([0, -1], [0, 5]), planned_n=20)
    assert (float(nothing.lower[0]), float(nothing.upper[0])) == (0.0, 1.0)
    assert nothing.reason.tolist() == ["", "the successes are not between 0 and the trials"]
    with pytest.raises(InvalidArgument, match="planned_n: must be a finite number > 0, but is -1"):
        bernoulli_cs(Counts.of(1, 2), Counts.of(1, 2), planned_n=-1)
    with pytest.raises(InvalidArgument, match="alpha: must be between 0 and 1, but is 1"):
        proportion_cs(Counts.of(1, 2), planned_n=1, alpha=1)
