"""The bootstrap against a published worked example, SciPy, and closed forms."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.errors import InvalidArgument
from sortition.stats import FloatArray, bootstrap
from sortition.stats.resampling import MOST_JACKKNIFED

# Efron, Tibshirani 1993, table 14.1: the spatial test of 26 neurologically impaired children, test A.
SPATIAL = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]


def variance(sample: FloatArray, axis: int) -> FloatArray:
    return np.asarray(sample.var(axis=axis))


def mean(sample: FloatArray, axis: int) -> FloatArray:
    return np.asarray(sample.mean(axis=axis))


def difference(first: FloatArray, second: FloatArray, axis: int) -> FloatArray:
    return np.asarray(second.mean(axis=axis) - first.mean(axis=axis))


def test_the_spatial_data_of_efron_and_tibshirani() -> None:
    """Section 14.2: the variance is 171.5; of 90 % the percentile interval is (100.8, 233.9), BCa (115.8, 259.6)."""
    percentile = bootstrap([SPATIAL], variance, method="percentile", confidence=0.9, resamples=50_000)
    corrected = bootstrap([SPATIAL], variance, confidence=0.9, resamples=50_000)
    assert percentile.value == pytest.approx(171.5, abs=0.05)
    # The book took 2,000 resamples: its ends have a standard error of about 2.
    assert [percentile.lower, percentile.upper] == pytest.approx([100.8, 233.9], abs=4)
    assert [corrected.lower, corrected.upper] == pytest.approx([115.8, 259.6], abs=6)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_two_samples_as_scipy(method: Literal["percentile", "bca"]) -> None:
    chance = np.random.default_rng(9)
    first, second = chance.exponential(1, 30), chance.exponential(2, 45)
    expected = scipy_stats.bootstrap(
        (first, second),
        lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis),
        n_resamples=40_000,
        method="BCa" if method == "bca" else "percentile",
        vectorized=True,
        rng=np.random.default_rng(3),
    )
    found = bootstrap([first, second], difference, method=method, resamples=40_000)
    # Two runs of 40,000 resamples differ by some hundredths of the standard error.
    near = 0.05 * found.standard_error
    assert found.lower == pytest.approx(expected.confidence_interval.low, abs=near)
    assert found.upper == pytest.approx(expected.confidence_interval.high, abs=near)


def test_the_error_of_a_mean_in_closed_form() -> None:
    """Resampled means have the variance Σ(x - mean)²/n², and no bias."""
    found = bootstrap([SPATIAL], mean, resamples=100_000)
    exact = np.std(SPATIAL) / np.sqrt(len(SPATIAL))
    assert found.standard_error == pytest.approx(exact, rel=0.02)
    assert abs(found.bias) < 5 * exact / np.sqrt(100_000)


def test_a_symmetric_sample_needs_no_correction() -> None:
    sample = np.concatenate([np.arange(1.0, 21), -np.arange(1.0, 21)])
    plain = bootstrap([sample], mean, method="percentile", resamples=20_000)
    corrected = bootstrap([sample], mean, resamples=20_000)
    assert corrected.lower == pytest.approx(plain.lower, abs=0.1 * plain.standard_error)


def test_values_whose_squares_underflow() -> None:
    tiny, plain = (bootstrap([np.array([0.0, 3.0, 4.0, 9.0]) * scale], mean, resamples=200) for scale in (1e-200, 1.0))
    assert tiny.lower == pytest.approx(plain.lower * 1e-200, rel=1e-9, abs=0)


def test_the_seed_decides() -> None:
    one, same, other = (bootstrap([SPATIAL], mean, resamples=500, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.lower != other.lower


def test_many_observations_are_resampled_in_batches() -> None:
    """5,000 times 10,000 values would be 400 MB at once."""
    sample = np.random.default_rng(2).normal(size=5_000)
    found = bootstrap([sample], mean, resamples=2_000)
    assert found.standard_error == pytest.approx(sample.std() / np.sqrt(5_000), rel=0.1)


def test_statistics_without_an_interval_say_so() -> None:
    constant = bootstrap([[2.0, 2.0, 2.0]], mean, resamples=100)
    assert (constant.value, constant.reason) == (2.0, "the statistic does not vary")
    assert np.isnan([constant.lower, constant.upper, constant.standard_error]).all()

    def undefined(sample: FloatArray, axis: int) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.asarray(1 / sample.min(axis=axis))

    assert (
        bootstrap([[0.0, 1.0]], undefined, resamples=100).reason == "the statistic of a resample is not a finite number"
    )


def test_arguments_outside_their_range_are_refused_together() -> None:
    with pytest.raises(InvalidArgument, match=r"samples\[1\]: must be 2 or more finite numbers") as caught:
        bootstrap([[1.0, 2.0], [1.0]], difference, resamples=10, method="t")  # type: ignore[arg-type]
    assert "method: 't' is unknown" in str(caught.value)
    assert "resamples: must be between 100 and" in str(caught.value)
    with pytest.raises(InvalidArgument, match="samples: must be one or more"):
        bootstrap([], mean)
    with pytest.raises(InvalidArgument, match="use percentile"):
        bootstrap([np.arange(MOST_JACKKNIFED + 1.0)], mean)
    with pytest.raises(InvalidArgument, match="finite numbers"):
        bootstrap([[1.0, np.nan]], mean)
