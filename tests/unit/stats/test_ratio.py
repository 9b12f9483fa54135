"""The delta-method ratio against its formula in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sortition.stats import BucketSums, Moments, ratio, ratio_delta, welch_t


def exact(denominators: list[int], totals: list[Fraction]) -> tuple[Fraction, Fraction, int]:
    """Returns ΣS/ΣD, K/(K-1)·Σ(S - R·D)²/(ΣD)² and K: Deng, Knoblich, Lu 2018, written out."""
    whole = sum(denominators)
    estimate = sum(totals, Fraction(0)) / whole
    kept = [(d, s) for d, s in zip(denominators, totals, strict=True) if d]
    squares = sum(((s - estimate * d) ** 2 for d, s in kept), Fraction(0))
    return estimate, Fraction(len(kept), len(kept) - 1) * squares / whole**2, len(kept)


def test_the_formula_in_exact_fractions() -> None:
    rng = np.random.default_rng(7)
    arms = []
    for _ in range(2):
        denominators = [int(d) for d in rng.integers(0, 9, 128)]
        totals = [Fraction(int(rng.integers(-999, 999)), 8) * (d > 0) for d in denominators]
        arms.append((denominators, totals))
    (c, c_var, c_k), (t, t_var, t_k) = (exact(*arm) for arm in arms)
    control, treatment = (BucketSums.of(d, [float(s) for s in totals]) for d, totals in arms)
    found = ratio_delta(control, treatment)
    assert float(found.difference) == pytest.approx(float(t - c), rel=1e-12, abs=0)
    assert float(found.standard_error) ** 2 == pytest.approx(float(c_var + t_var), rel=1e-12, abs=0)
    df = (c_var + t_var) ** 2 / (c_var**2 / (c_k - 1) + t_var**2 / (t_k - 1))
    assert float(found.df) == pytest.approx(float(df), rel=1e-12, abs=0)


def test_one_observation_per_bucket_is_welch() -> None:
    rng = np.random.default_rng(1)
    control, treatment = rng.normal(5, 1, 100), rng.normal(6, 2, 80)

    def padded(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> BucketSums:
        empty = np.zeros(128 - len(values))
        return BucketSums.of(np.concatenate([np.ones(len(values)), empty]), np.concatenate([values, empty]))

    by_units = ratio_delta(padded(control), padded(treatment))
    first, second = (Moments.of(len(values), values.mean(), values.var(ddof=1)) for values in (control, treatment))
    by_rows = welch_t(first, second)
    assert float(by_units.p_value) == pytest.approx(float(by_rows.p_value), rel=1e-10, abs=0)
    assert float(by_units.lower) == pytest.approx(float(by_rows.lower), rel=1e-10, abs=0)


def test_a_unit_that_repeats_counts_once() -> None:
    """Every observation ten times over, in the same bucket: the error must not shrink."""
    once = BucketSums.of([1.0] * 8, [3.0, 5.0, 4.0, 8.0, 6.0, 2.0, 7.0, 1.0])
    often = BucketSums.of(once.denominator * 10, once.total * 10)
    assert float(ratio(often).error) == pytest.approx(float(ratio(once).error), rel=1e-12, abs=0)


def test_a_mean_of_a_billion_with_a_spread_of_a_thousandth() -> None:
    """Sums of about 1000 observations near 10^9; the fractions are those of the rounded sums themselves."""
    rng = np.random.default_rng(3)
    sizes = [int(size) for size in rng.integers(900, 1100, 128)]
    totals = [float(1e9 * size + x) for size, x in zip(sizes, rng.normal(0, 0.03, 128), strict=True)]
    _, variance, _ = exact(sizes, [Fraction(total) for total in totals])
    found = ratio(BucketSums.of(sizes, totals))
    assert float(found.error) ** 2 == pytest.approx(float(variance), rel=1e-9, abs=0)


def test_rounding_is_not_variance() -> None:
    found = ratio(BucketSums.of([3.0, 5.0, 7.0], [3 * 0.1, 5 * 0.1, 7 * 0.1]))
    assert float(found.error) == 0


def test_degenerate_input_says_so() -> None:
    good = BucketSums.of([1, 1, 1], [1.0, 2.0, 3.0])
    assert ratio_delta(BucketSums.of([0, 0, 0], [0.0, 0.0, 0.0]), good).reason == (
        "the control has outcomes in fewer than 2 groups of units"
    )
    lonely = ratio_delta(good, BucketSums.of([5, 0, 0], [5.0, 0.0, 0.0]))
    assert lonely.reason == "the treatment has outcomes in fewer than 2 groups of units"
    assert float(lonely.difference) == -1
    assert np.isnan(lonely.p_value)
    flat = BucketSums.of([1, 2, 3], [2.0, 4.0, 6.0])
    assert ratio_delta(flat, flat).reason == "the groups of units have no variance"
    assert np.isnan(ratio_delta(flat, flat).p_value)


def test_arms_are_computed_side_by_side() -> None:
    control = BucketSums.of([1, 1, 1], [1.0, 2.0, 3.0])
    many = ratio_delta(control, BucketSums.of([[1, 1, 1], [2, 2, 2]], [[4.0, 5.0, 7.0], [4.0, 5.0, 7.0]]))
    assert many.difference.tolist() == pytest.approx([16 / 3 - 2, 16 / 6 - 2])
