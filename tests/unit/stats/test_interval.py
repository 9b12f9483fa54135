"""Intervals of one mean, and caps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.errors import InvalidArgument
from sortition.stats import Moments, confidence_interval, winsorize


def test_nist_heat_flow() -> None:
    """NIST/SEMATECH e-Handbook 1.3.5.2, ZARR13: 9.258242 to 9.264679 at 95 %."""
    found = confidence_interval(Moments.of(195, 9.261460, 0.2278881e-01**2))
    assert float(found.lower) == pytest.approx(9.258242, abs=2e-6)
    assert float(found.upper) == pytest.approx(9.264679, abs=2e-6)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999999])
def test_both_distributions_as_scipy_on_the_rows(confidence: float) -> None:
    rows = np.random.default_rng(1).lognormal(size=17)
    moments = Moments.of(17, rows.mean(), rows.var(ddof=1))
    by_t, by_z = (
        confidence_interval(moments, confidence),
        confidence_interval(moments, confidence, distribution="normal"),
    )
    error = scipy_stats.sem(rows)
    expected = scipy_stats.t.interval(confidence, 16, rows.mean(), error)
    assert [float(by_t.lower), float(by_t.upper)] == pytest.approx(expected, rel=1e-10, abs=0)
    expected = scipy_stats.norm.interval(confidence, rows.mean(), error)
    assert [float(by_z.lower), float(by_z.upper)] == pytest.approx(expected, rel=1e-10, abs=0)
    assert float(by_t.df) == 16
    assert np.isinf(by_z.df)


def test_intervals_that_do_not_exist_say_so() -> None:
    found = confidence_interval(Moments.of([0, 1, 5, 5, 5], [0, 3.0, 3.0, 3.0, 3.0], [0, 0, np.nan, -1.0, 0.0]))
    variance = "the variance is not a finite number >= 0"
    assert found.reason.tolist() == ["fewer than 2 observations", "fewer than 2 observations", variance, variance, ""]
    assert np.isnan(found.lower).tolist() == [True, True, True, True, False]
    assert np.isnan(found.estimate).tolist() == [True, False, False, False, False]
    assert float(found.lower[4]) == float(found.upper[4]) == 3
    with pytest.raises(InvalidArgument, match="distribution: 'z' is unknown; use one of: t, normal"):
        confidence_interval(Moments.of(5, 0, 1), distribution="z")  # type: ignore[arg-type]


def test_caps_move_and_count() -> None:
    values = np.array([[1.0, -5.0, np.nan, 90.0], [2.0, 3.0, 4.0, 5.0]])
    found = winsorize(values, lower=0.0, upper=[80.0, 4.0])
    assert found.values[1].tolist() == [2.0, 3.0, 4.0, 4.0]
    assert found.values[0, [0, 1, 3]].tolist() == [1.0, 0.0, 80.0]
    assert np.isnan(found.values[0, 2])
    assert (found.below.tolist(), found.above.tolist()) == ([1.0, 0.0], [1.0, 1.0])
    assert values[0, 3] == 90.0


def test_caps_as_scipy_on_a_published_example() -> None:
    """SciPy's `mstats.winsorize` of 10 % and 20 % moves to the order statistics; given as caps it is the same."""
    data = np.array([10.0, 4, 9, 8, 5, 3, 7, 2, 1, 6])
    expected = scipy_stats.mstats.winsorize(data, limits=(0.1, 0.2))
    assert winsorize(data, 2.0, 8.0).values.tolist() == np.asarray(expected).tolist()


def test_one_sided_and_no_caps() -> None:
    assert winsorize([1.0, 9.0], upper=5.0).values.tolist() == [1.0, 5.0]
    assert winsorize([1.0, 9.0], lower=5.0).values.tolist() == [5.0, 9.0]
    assert winsorize([1.0, -np.inf]).values.tolist() == [1.0, -np.inf]
    assert winsorize(3.0, upper=2.0).values.tolist() == [2.0]


@pytest.mark.parametrize(("lower", "upper"), [(2.0, 1.0), (np.nan, 1.0), (0.0, np.nan)])
def test_crossed_or_unknown_caps_are_refused(lower: float, upper: float) -> None:
    with pytest.raises(InvalidArgument, match="lower: must not be above the upper cap"):
        winsorize([1.0], lower, upper)
