"""Margins against the contrast written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.stats import non_inferiority


def test_the_contrast_written_out() -> None:
    """Of larger-is-better: treatment - 0.95·control, with the variance se_t² + 0.95²·se_c²."""
    reserve = 0.85 - 0.95 * 0.9
    error = math.sqrt(0.02**2 + (0.95 * 0.01) ** 2)
    found = non_inferiority(0.9, 0.01, 0.85, 0.02, 40, 0.05)
    assert float(found.reserve) == pytest.approx(reserve)
    assert float(found.p_broken) == pytest.approx(float(scipy_stats.t.cdf(reserve / error, 40)), rel=1e-9, abs=0)
    assert float(found.p_broken + found.p_kept) == pytest.approx(1)


def test_smaller_is_better() -> None:
    """Latency 100 to 107 with 5 % tolerated: 2 beyond the margin; the other way round there is room."""
    worse = non_inferiority(100.0, 1.0, 107.0, 1.0, np.inf, 0.05, maximize=False)
    better = non_inferiority(107.0, 1.0, 100.0, 1.0, np.inf, 0.05, maximize=False)
    assert float(worse.reserve) == pytest.approx(-2)
    assert float(worse.error) == pytest.approx(math.hypot(1, 1.05))
    assert float(better.p_kept) < 1e-6


def test_a_negative_control_tolerates_in_the_same_direction() -> None:
    found = non_inferiority(-100.0, 1.0, -104.0, 1.0, np.inf, 0.05)
    assert float(found.reserve) == pytest.approx(1)
    assert float(found.error) == pytest.approx(math.hypot(1, 1.05))


def test_no_margin_is_the_one_sided_test() -> None:
    found = non_inferiority(0.0, 1.0, -2.0, 1.0, np.inf, 0.0)
    assert float(found.p_broken) == pytest.approx(float(scipy_stats.norm.cdf(-math.sqrt(2))), rel=1e-9, abs=0)


def test_degenerate_input_says_so() -> None:
    assert non_inferiority(1.0, 0.0, 0.5, 0.0, np.inf, 0.0).reason == "no variance"
    unknown = non_inferiority(1.0, np.nan, 0.5, 0.1, np.inf, 0.0)
    assert unknown.reason == "an estimate or its error is unknown"
    assert np.isnan(unknown.p_broken)
