"""Welch's t against scipy on the raw rows, NIST, and closed forms."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from published import nsw
from sortition.errors import InvalidArgument
from sortition.stats import Moments, welch_t


def moments(values: NDArray[np.float64]) -> Moments:
    return Moments.of(len(values), values.mean(), values.var(ddof=1))


def test_the_national_supported_work_trial_as_scipy_on_the_raw_rows() -> None:
    control, treated = nsw()
    assert (len(control), len(treated)) == (260, 185)
    expected = scipy_stats.ttest_ind(treated, control, equal_var=False)
    interval = expected.confidence_interval(0.95)
    found = welch_t(moments(control), moments(treated))
    assert round(float(found.difference), 2) == 1794.34
    assert float(found.p_value) == pytest.approx(expected.pvalue, rel=1e-12, abs=0)
    assert float(found.df) == pytest.approx(expected.df, rel=1e-12, abs=0)
    assert (float(found.lower), float(found.upper)) == pytest.approx((interval.low, interval.high), rel=1e-12, abs=0)
    assert found.reason == ""


def test_nist_cars() -> None:
    """NIST/SEMATECH e-Handbook 1.3.5.3, AUTO83B: American minus Japanese, variances not assumed equal."""
    found = welch_t(Moments.of(79, 30.48101, 6.10771**2), Moments.of(249, 20.14458, 6.41470**2))
    assert float(found.statistic) == pytest.approx(-12.94627, abs=2e-4)
    assert float(found.df) == pytest.approx(136.8750, abs=2e-3)


def test_comparisons_are_computed_side_by_side() -> None:
    control = Moments.of(50, 1.0, 2.0)
    many = welch_t(control, Moments.of([40, 60, 1], [1.5, 0.5, 3.0], [1.0, 4.0, 0.0]))
    for index, (n, mean, variance) in enumerate([(40, 1.5, 1.0), (60, 0.5, 4.0)]):
        one = welch_t(control, Moments.of(n, mean, variance))
        assert float(many.p_value[index]) == float(one.p_value)
        assert float(many.lower[index]) == float(one.lower)
    assert many.reason.tolist() == ["", "", "the treatment has fewer than 2 observations"]
    assert many.control.shape == many.upper.shape == (3,)


def test_far_tail_at_a_trillion_observations() -> None:
    """With 10^12 observations t is normal: 2·(1 - Φ(30)) = 9.81342785429749e-198 (erfc, and mathematical tables)."""
    n, sd = 10**12, 1.0
    shift = 30 * np.sqrt(2 / n)
    found = welch_t(Moments.of(n, 0.0, sd), Moments.of(n, shift, sd))
    assert float(found.p_value) == pytest.approx(9.81342785429749e-198, rel=1e-6, abs=0)


def test_a_large_mean_and_a_small_spread() -> None:
    control = [Fraction(10**9) + Fraction(k, 1000) for k in (0, 1, 2, 3)]
    treated = [value + Fraction(2, 1000) for value in control]

    def exact(values: list[Fraction]) -> tuple[Fraction, Fraction]:
        mean = sum(values, Fraction(0)) / len(values)
        return mean, sum(((value - mean) ** 2 for value in values), Fraction(0)) / (len(values) - 1)

    (c_mean, c_var), (t_mean, t_var) = exact(control), exact(treated)
    expected = float((t_mean - c_mean) ** 2 / (c_var / 4 + t_var / 4)) ** 0.5
    found = welch_t(Moments.of(4, float(c_mean), float(c_var)), Moments.of(4, float(t_mean), float(t_var)))
    # A double near 10^9 is exact to 1.2e-7, which bounds how well 0.002 can be known.
    assert float(found.statistic) == pytest.approx(expected, rel=1e-4, abs=0)
    assert float(found.df) == pytest.approx(6.0, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("control", "treatment", "reason"),
    [
        ((0, 0.0, 0.0), (5, 1.0, 1.0), "the control has fewer than 2 observations"),
        ((1, 0.0, 0.0), (5, 1.0, 1.0), "the control has fewer than 2 observations"),
        ((5, 0.0, 1.0), (1, 1.0, 0.0), "the treatment has fewer than 2 observations"),
        ((5, 0.0, 0.0), (5, 1.0, 0.0), "the observations have no variance"),
        ((5, 0.0, float("inf")), (5, 1.0, 1.0), "a variance is not a finite number"),
    ],
)
def test_degenerate_input_says_so(
    control: tuple[int, float, float], treatment: tuple[int, float, float], reason: str
) -> None:
    found = welch_t(Moments.of(*control), Moments.of(*treatment))
    assert found.reason == reason
    for figure in (found.p_value, found.lower, found.upper, found.statistic, found.df, found.standard_error):
        assert np.isnan(figure)


def test_one_arm_without_variance_is_no_obstacle() -> None:
    found = welch_t(Moments.of(10, 5.0, 0.0), Moments.of(10, 6.0, 4.0))
    assert found.reason == ""
    assert float(found.df) == pytest.approx(9.0)


def test_variances_at_the_edge_of_double_precision_keep_their_degrees_of_freedom() -> None:
    found = welch_t(Moments.of(10, 0.0, 1e-300), Moments.of(10, 1e-150, 1e-300))
    assert float(found.df) == pytest.approx(18.0)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, float("nan")])
def test_a_confidence_outside_its_range_is_refused(confidence: float) -> None:
    with pytest.raises(InvalidArgument, match=r"confidence: must be between 0 and 1"):
        welch_t(Moments.of(2, 0, 1), Moments.of(2, 0, 1), confidence)
