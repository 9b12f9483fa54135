"""Sample ratio mismatch against published cases and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.stats import srm_chi2


def test_kohavi_2020() -> None:
    """Trustworthy Online Controlled Experiments, chapter 21: 821,588 to 815,482 has p = 1.8e-6."""
    assert f"{float(srm_chi2([821588, 815482], [1, 1]).p_value):.1e}" == "1.8e-06"


def test_three_arms_as_scipy() -> None:
    units, weights = [340, 330, 400], [3300, 3300, 3400]
    expected = scipy_stats.chisquare(units, np.array(weights) / 10_000 * sum(units))
    found = srm_chi2(units, weights)
    assert float(found.p_value) == pytest.approx(float(expected.pvalue), rel=1e-12, abs=0)
    assert float(found.df) == 2
    assert float(found.smallest_expected) == pytest.approx(1070 * 0.33)


def test_an_arm_of_weight_zero_is_left_out() -> None:
    with_idle = srm_chi2([500, 17, 520], [50, 0, 50])
    without = srm_chi2([500, 520], [50, 50])
    assert float(with_idle.p_value) == float(without.p_value)
    assert float(with_idle.df) == 1


def test_many_splits_at_once_and_degenerate_ones() -> None:
    found = srm_chi2([[10, 10], [0, 0], [900, 1100]], [1, 1])
    assert found.reason.tolist() == ["", "there are no units", ""]
    assert float(found.p_value[0]) == 1
    assert np.isnan(found.p_value[1])
    assert float(found.p_value[2]) == pytest.approx(float(scipy_stats.chisquare([900, 1100]).pvalue), rel=1e-12, abs=0)
    assert srm_chi2([5, 5], [1, 0]).reason == "fewer than two arms have a weight"


def test_the_far_tail() -> None:
    """chi² = 400 on one degree of freedom is the normal tail at 20: erfc(20/√2) = 5.507e-89."""
    found = srm_chi2([1_010_000, 990_000], [1, 1])
    assert float(found.statistic) == pytest.approx(200)
    assert float(found.p_value) == pytest.approx(float(scipy_stats.norm.sf(200**0.5)) * 2, rel=1e-9, abs=0)
