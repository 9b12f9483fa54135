"""Proportions against published tables and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from published import thornton
from sortition.stats import Counts, fisher_exact, newcombe, smallest_expected, two_proportion_z, wilson


@pytest.mark.parametrize(
    ("treated", "control", "lower", "upper"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_1998_table_2(treated: tuple[int, int], control: tuple[int, int], lower: float, upper: float) -> None:
    """Method 10 of the paper's table II."""
    found = newcombe(Counts.of(*control), Counts.of(*treated))
    assert (round(float(found.lower), 4), round(float(found.upper), 4)) == (lower, upper)


def test_wilson_as_in_newcombe_1998_table_1() -> None:
    """Two-sided confidence intervals for the single proportion, method 3: 81/263, 15/148, 0/20, 1/29."""
    found = wilson(Counts.of([81, 15, 0, 1], [263, 148, 20, 29]))
    assert found.lower.round(4).tolist() == [0.2553, 0.0624, 0.0, 0.0061]
    assert found.upper.round(4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]


def test_the_hiv_trial() -> None:
    control, treated = thornton()
    first, second = (Counts.of(arm.sum(), len(arm)) for arm in (control, treated))
    found = two_proportion_z(first, second)
    assert (len(control), len(treated)) == (623, 2211)
    assert (round(float(found.treatment), 6), round(float(found.control), 6)) == (0.789236, 0.338684)
    # The pooled z-test is Pearson's chi-square without correction.
    table = [[int(arm.sum()), len(arm) - int(arm.sum())] for arm in (control, treated)]
    expected = scipy_stats.chi2_contingency(np.array(table), correction=False)
    assert float(found.statistic) ** 2 == pytest.approx(float(expected.statistic), rel=1e-12, abs=0)
    assert float(found.p_value) == pytest.approx(float(expected.pvalue), rel=1e-9, abs=0)


def test_the_interval_is_not_pooled() -> None:
    found = two_proportion_z(Counts.of(48, 80), Counts.of(56, 70))
    half = 1.959963984540054 * math.sqrt(0.6 * 0.4 / 80 + 0.8 * 0.2 / 70)
    assert (float(found.lower), float(found.upper)) == pytest.approx((0.2 - half, 0.2 + half), rel=1e-12, abs=0)


def test_rates_next_to_one_at_a_trillion() -> None:
    n = 10**12
    found = two_proportion_z(Counts.of(n - 100, n), Counts.of(n - 200, n))
    # Differences of Poisson counts: z² = (200 - 100)²/(200 + 100).
    assert float(found.statistic) == pytest.approx(-100 / math.sqrt(300), rel=1e-6, abs=0)


def test_fisher() -> None:
    """The lady tasting tea (Fisher 1935): 0.4857; convictions among twins of criminals (Fisher 1962): 0.000537."""
    tea = fisher_exact(Counts.of(1, 4), Counts.of(3, 4))
    twins = fisher_exact(Counts.of(2, 17), Counts.of(10, 13))
    assert float(tea) == pytest.approx(34 / 70)
    assert float(twins) == pytest.approx(0.0005367, abs=5e-8)
    both = fisher_exact(Counts.of([1, 2], [4, 17]), Counts.of([3, 10], [4, 13]))
    assert both.tolist() == [float(tea), float(twins)]


def test_expected_counts() -> None:
    table = np.array([[3, 7], [1, 19]])
    expected = scipy_stats.contingency.expected_freq(table).min()
    assert float(smallest_expected(Counts.of(3, 10), Counts.of(1, 20))) == pytest.approx(float(expected))


def test_degenerate_input_says_so() -> None:
    found = two_proportion_z(Counts.of([0, 0, 10, 0], [10, 10, 10, 0]), Counts.of([0, 5, 10, 5], [10, 10, 10, 10]))
    assert found.reason.tolist() == [
        "all outcomes are the same",
        "",
        "all outcomes are the same",
        "the control has no outcomes",
    ]
    assert np.isnan(found.p_value).tolist() == [True, False, True, True]
    assert two_proportion_z(Counts.of(1, 5), Counts.of(0, 0)).reason == "the treatment has no outcomes"
    assert np.isnan(fisher_exact(Counts.of([0, 1], [10, 5]), Counts.of([0, 0], [10, 0]))).all()
    assert np.isnan(newcombe(Counts.of(1, 5), Counts.of(0, 0)).lower)
