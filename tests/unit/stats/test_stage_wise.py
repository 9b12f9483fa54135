"""Inference after stopping against rpact, an independent integral and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.errors import InvalidArgument
from sortition.stats import GroupSequential, group_sequential, stage_wise


def test_rpact_survival_example() -> None:
    """A log-rank test of 29 events that stops at the third of four looks with z = 2.9: rpact's own test expects this.

    The effect is a log hazard ratio with standard error 2/√29.
    """
    z = np.array([2.4878815, 2.4031352, 2.3549063, 2.2955206])
    spent = np.array([0.0064253267, 0.012720859, 0.01826361, 0.025])
    plan = GroupSequential(np.array([0.2, 0.4, 0.6, 1.0]), spent, z, np.asarray(scipy_stats.norm.sf(z)), 0.025, 1)
    error = 2 / math.sqrt(29)
    found = stage_wise(plan, 2.9 * error, error, look=2)
    assert float(found.p_value) == pytest.approx(0.013371274, rel=5e-7)
    assert math.exp(found.lower) == pytest.approx(1.1294538, rel=5e-7)
    assert math.exp(found.upper) == pytest.approx(5.6956842, rel=5e-7)
    assert math.exp(found.median_unbiased) == pytest.approx(2.632639, rel=5e-7)


def test_scipys_multivariate_normal() -> None:
    """Stopping at the second look with z = 2.9: P(Z1 > z1) + P(|Z1| < z1, Z2 > 2.9), doubled."""
    plan = group_sequential([0.4, 0.7, 1.0], spending="pocock")
    border = float(plan.z[0])
    rho = math.sqrt(0.4 / 0.7)
    joint = scipy_stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]], seed=1)
    second = joint.cdf([border, 40.0], lower_limit=[-border, 2.9])
    exact = 2 * (float(scipy_stats.norm.sf(border)) + float(second))
    found = stage_wise(plan, 2.9, 1.0, look=1)
    assert float(found.p_value) == pytest.approx(exact, rel=1e-6)


def test_a_single_look_is_the_usual_inference() -> None:
    found = stage_wise(group_sequential(1), [1.3, -4.0, 25.0], 0.5)
    np.testing.assert_allclose(found.p_value, 2 * scipy_stats.norm.sf([2.6, 8.0, 50.0]), rtol=1e-10)
    np.testing.assert_allclose(found.median_unbiased, [1.3, -4.0, 25.0], rtol=1e-10)
    half = 0.5 * 1.959963984540054
    np.testing.assert_allclose(found.lower, np.array([1.3, -4.0, 25.0]) - half, rtol=1e-10)
    np.testing.assert_allclose(found.upper, np.array([1.3, -4.0, 25.0]) + half, rtol=1e-10)


def test_interval_and_p_value_agree_and_are_symmetric() -> None:
    plan = group_sequential(4)
    difference = np.array([-6.0, -2.2, -2.0, -0.3, 0.3, 2.0, 2.2, 6.0])
    found = stage_wise(plan, difference, 1.0)
    np.testing.assert_array_equal((found.lower > 0) | (found.upper < 0), found.p_value < 0.05)
    np.testing.assert_allclose(found.lower, -found.upper[::-1], atol=1e-9)
    np.testing.assert_allclose(found.p_value, found.p_value[::-1], rtol=1e-9)
    assert np.all((found.lower < found.median_unbiased) & (found.median_unbiased < found.upper))
    # At the last look the whole alpha is spent: its boundary is where p is 0.05.
    border = stage_wise(plan, plan.z[-1], 1.0)
    assert float(border.p_value) == pytest.approx(0.05, rel=1e-9)
    assert float(border.lower) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("drift", [0.0, 2.5])
def test_over_many_stopped_experiments_it_covers_and_is_unbiased_in_the_median(drift: float) -> None:
    rng = np.random.default_rng(8)
    plan = group_sequential([0.3, 0.6, 1.0], spending="pocock")
    runs = 4_000
    steps = np.diff(plan.information, prepend=0.0)
    score = (rng.normal(size=(runs, 3)) * np.sqrt(steps) + drift * steps).cumsum(axis=1)
    z = score / np.sqrt(plan.information)
    crossed = np.abs(z) >= plan.z
    stop = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 2)
    covered, above, small, usual = 0, 0, 0, 0
    for look in range(3):
        here = stop == look
        error = 1 / math.sqrt(plan.information[look])
        estimate = z[here, look] * error
        found = stage_wise(plan, estimate, error, look=look)
        covered += int(((found.lower <= drift) & (drift <= found.upper)).sum())
        above += int((found.median_unbiased > drift).sum())
        small += int((found.p_value <= 0.05).sum())
        usual += int((np.abs(estimate - drift) <= 1.959963984540054 * error).sum())
    # Five standard errors of 4,000 runs: 0.017 at 95 %, 0.04 at one half.
    assert covered / runs == pytest.approx(0.95, abs=0.017)
    assert above / runs == pytest.approx(0.5, abs=0.04)
    if drift == 0:
        assert small / runs == pytest.approx(0.05, abs=0.017)
        assert usual / runs < 0.94


def test_few_degrees_of_freedom_are_carried_over() -> None:
    plan = group_sequential(1)
    found = stage_wise(plan, 2.228138852, 1.0, df=10)
    assert float(found.p_value) == pytest.approx(0.05, abs=1e-8)
    assert float(found.lower) == pytest.approx(0, abs=1e-7)
    assert float(stage_wise(plan, 0.0, 1.0, df=10).median_unbiased) == pytest.approx(0, abs=1e-12)


def test_far_out() -> None:
    plan = group_sequential(5)
    found = stage_wise(plan, [8.0, 30.0, -30.0], 1.0, look=0)
    np.testing.assert_allclose(found.p_value, 2 * scipy_stats.norm.sf([8.0, 30.0, 30.0]), rtol=1e-9)
    later = stage_wise(plan, [30.0, 1000.0], 1.0, look=3)
    assert not np.isnan(later.lower).any()
    # However far out it is now, it did not leave before: no p-value is below what earlier looks have spent.
    assert later.p_value[1] == pytest.approx(float(plan.spent[2]), rel=1e-9)


def test_what_has_no_answer_says_why() -> None:
    found = stage_wise(group_sequential(3), [np.nan, 1.0, np.inf, 1.0], [1.0, 0.0, 1.0, 1.0], df=[9, 9, 9, 0])
    assert found.reason.tolist() == [
        "the estimate or its standard error is unknown",
        "the observations have no variance",
        "the estimate or its standard error is not a finite number",
        "the standard error has no degrees of freedom",
    ]
    assert np.isnan(found.p_value).all()
    with pytest.raises(InvalidArgument, match="look: must be from 0 to 2, but is 3"):
        stage_wise(group_sequential(3), 1.0, 1.0, look=3)
    with pytest.raises(InvalidArgument, match="confidence: must be between 0 and 1"):
        stage_wise(group_sequential(3), 1.0, 1.0, confidence=95)
