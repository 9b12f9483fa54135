"""Exact tests against exact fractions, published tables, and limits."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.stats import Counts, barnard_exact, fisher_exact, two_proportion_z


def exact_fisher(won: int, tried: int, other_won: int, other_tried: int) -> Fraction:
    total = won + other_won

    def ways(k: int) -> int:
        return math.comb(tried, k) * math.comb(other_tried, total - k)

    all_ways = [ways(k) for k in range(max(0, total - other_tried), min(total, tried) + 1)]
    return Fraction(sum(count for count in all_ways if count <= ways(won)), sum(all_ways))


def exact_barnard(won: int, tried: int, other_won: int, other_tried: int, steps: int) -> float:
    """The largest probability on an even grid of rates, all tables counted out."""

    def square(k: int, m: int) -> Fraction:
        pooled = Fraction(k + m, tried + other_tried)
        if pooled in (0, 1):
            return Fraction(0)
        return (Fraction(k, tried) - Fraction(m, other_tried)) ** 2 / (pooled * (1 - pooled))

    seen = square(won, other_won)
    extreme = [(k, m) for k in range(tried + 1) for m in range(other_tried + 1) if square(k, m) >= seen]
    rates = np.arange(1, steps) / steps
    first = np.asarray(scipy_stats.binom.pmf(np.arange(tried + 1), tried, rates[:, None]))
    second = np.asarray(scipy_stats.binom.pmf(np.arange(other_tried + 1), other_tried, rates[:, None]))
    return float(np.sum([first[:, k] * second[:, m] for k, m in extreme], axis=0).max())


TABLES = [(7, 15, 12, 15), (8, 9, 2, 7), (0, 9, 5, 8), (3, 18, 7, 11), (1, 31, 40, 100), (5, 5, 0, 4), (2, 4, 2, 4)]


@pytest.mark.parametrize("table", TABLES)
def test_fisher_in_exact_fractions(table: tuple[int, int, int, int]) -> None:
    won, tried, other_won, other_tried = table
    found = fisher_exact(Counts.of(won, tried), Counts.of(other_won, other_tried))
    assert float(found) == pytest.approx(float(exact_fisher(*table)), rel=1e-12, abs=0)


@pytest.mark.parametrize("table", TABLES)
def test_barnard_by_counting_out_all_tables(table: tuple[int, int, int, int]) -> None:
    won, tried, other_won, other_tried = table
    found = float(barnard_exact(Counts.of(won, tried), Counts.of(other_won, other_tried)))
    expected = exact_barnard(*table, steps=4000)
    # The grid of the test may miss the top by a little, and the top is never below the grid.
    assert expected * (1 - 1e-10) <= found <= expected * (1 + 1e-4)


def test_barnard_as_published() -> None:
    """Barnard, "A new test for 2 x 2 tables", Nature 156, 1945: 3 of 3 against 0 of 3; 1/64 in each direction."""
    assert float(barnard_exact(Counts.of(0, 3), Counts.of(3, 3))) == pytest.approx(1 / 32, rel=1e-9, abs=0)


def test_swapping_arms_or_outcomes_changes_nothing() -> None:
    for test in (fisher_exact, barnard_exact):
        there = float(test(Counts.of(3, 18), Counts.of(7, 11)))
        assert float(test(Counts.of(7, 11), Counts.of(3, 18))) == pytest.approx(there, rel=1e-10, abs=0)
        assert float(test(Counts.of(15, 18), Counts.of(4, 11))) == pytest.approx(there, rel=1e-10, abs=0)


def test_few_successes_among_a_trillion() -> None:
    """Of 15 successes in two equally large arms each falls anywhere: the binomial with 15 and 1/2."""
    found = fisher_exact(Counts.of(3, 10**12), Counts.of(12, 10**12))
    expected = Fraction(2 * sum(math.comb(15, k) for k in range(4)), 2**15)
    assert float(found) == pytest.approx(float(expected), rel=1e-9, abs=0)


def test_the_far_tail_of_fisher() -> None:
    """500 of 500 against none of 500: two of C(1000, 500) tables."""
    found = fisher_exact(Counts.of(500, 500), Counts.of(0, 500))
    assert float(found) == pytest.approx(2 / math.comb(1000, 500), rel=1e-10, abs=0)


def test_large_counts_agree_with_z() -> None:
    control, treatment = Counts.of(10**6, 2 * 10**6), Counts.of(10**6 + 3000, 2 * 10**6)
    z = float(two_proportion_z(control, treatment).p_value)
    assert float(fisher_exact(control, treatment)) == pytest.approx(z, rel=0.01)
    control, treatment = Counts.of(400, 1000), Counts.of(450, 1000)
    z = float(two_proportion_z(control, treatment).p_value)
    assert float(barnard_exact(control, treatment)) == pytest.approx(z, rel=0.05)


def test_what_has_no_answer_is_nan() -> None:
    for test in (fisher_exact, barnard_exact):
        found = test(Counts.of([0, 0, 5, 6, np.nan, 1], [0, 5, 5, 5, 5, 5]), Counts.of([1, 0, 5, 1, 1, 2], 5))
        assert np.isnan(found).tolist() == [True, True, True, True, True, False]
    assert np.isnan(fisher_exact(Counts.of(10**7, 10**8), Counts.of(10**7, 10**8)))
    assert np.isnan(barnard_exact(Counts.of(5, 3000), Counts.of(5, 3000)))


def test_comparisons_keep_their_shape() -> None:
    found = fisher_exact(Counts.of(1, 4), Counts.of([[3, 1], [4, 0]], 4))
    assert found.shape == (2, 2)
    assert found[0, 0] == pytest.approx(34 / 70)
    assert found[0, 1] == 1
