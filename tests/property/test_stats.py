"""What holds for every input of the methods."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortition.stats import (
    Bins,
    BucketSums,
    Counts,
    Moments,
    benjamini_hochberg,
    holm,
    newcombe,
    quantile,
    quantile_difference,
    ratio_delta,
    relative_lift,
    srm_chi2,
    two_proportion_z,
    welch_t,
    wilson,
)

MEANS = st.floats(-1e9, 1e9)
VARIANCES = st.floats(0, 1e12)
SIZES = st.integers(0, 10**12)
MOMENTS = st.builds(Moments.of, SIZES, MEANS, VARIANCES)
SAMPLES = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=40)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@st.composite
def counts(draw: st.DrawFn, most: int = 10**12) -> Counts:
    trials = draw(st.integers(0, most))
    return Counts.of(draw(st.integers(0, trials)), trials)


@st.composite
def buckets(draw: st.DrawFn) -> BucketSums:
    pairs = draw(st.lists(st.tuples(st.integers(0, 50), st.floats(-1e6, 1e6)), min_size=1, max_size=30))
    return BucketSums.of([d for d, _ in pairs], [s if d else 0.0 for d, s in pairs])


@st.composite
def bins(draw: st.DrawFn) -> Bins:
    held = draw(st.lists(st.lists(st.integers(0, 200), min_size=4, max_size=4), min_size=2, max_size=12))
    edges = [[1.02**k, 1.02 ** (k + 1)] for k in range(len(held))]
    return Bins.of(edges, held)


@given(MOMENTS, MOMENTS)
def test_welch_answers_or_says_why(control: Moments, treatment: Moments) -> None:
    found = welch_t(control, treatment)
    if found.reason == "":
        assert 0 <= float(found.p_value) <= 1
        assert float(found.lower) <= float(found.difference) <= float(found.upper)
        # The interval excludes 0 exactly when p is below its level, up to rounding at the border.
        if abs(float(found.p_value) - 0.05) > 1e-6:
            excluded = float(found.lower) > 0 or float(found.upper) < 0
            assert excluded == (float(found.p_value) < 0.05)
    else:
        assert math.isnan(float(found.p_value))
        assert math.isnan(float(found.lower))


@given(MOMENTS, MOMENTS)
def test_exchanging_the_arms_changes_the_sign_alone(control: Moments, treatment: Moments) -> None:
    there, back = welch_t(control, treatment), welch_t(treatment, control)
    assert np.array_equal(there.difference, -back.difference, equal_nan=True)
    assert np.array_equal(there.p_value, back.p_value, equal_nan=True)
    assert float(there.lower) == pytest.approx(-float(back.upper), nan_ok=True)


@given(SAMPLES, SAMPLES, st.floats(-1e5, 1e5), st.floats(0.01, 100))
def test_the_scale_of_measurement_does_not_matter(a: list[float], b: list[float], shift: float, scale: float) -> None:
    def p_value(change: bool) -> float:
        arms = [np.array(values) * scale + shift if change else np.array(values) for values in (a, b)]
        control, treatment = (Moments.of(len(arm), arm.mean(), arm.var(ddof=1)) for arm in arms)
        return float(welch_t(control, treatment).p_value)

    if min(np.ptp(a), np.ptp(b)) > 1:
        assert p_value(True) == pytest.approx(p_value(False), rel=1e-4, abs=1e-12)


@given(buckets(), buckets(), st.integers(1, 5))
def test_repeating_every_observation_tells_nothing_new(a: BucketSums, b: BucketSums, times: int) -> None:
    once = ratio_delta(a, b)
    first, second = (BucketSums.of(arm.denominator * times, arm.total * times) for arm in (a, b))
    often = ratio_delta(first, second)
    assert once.reason == often.reason
    assert float(often.p_value) == pytest.approx(float(once.p_value), rel=1e-6, nan_ok=True)


@given(buckets(), buckets())
def test_the_order_of_buckets_does_not_matter(a: BucketSums, b: BucketSums) -> None:
    order = np.random.default_rng(len(a.total)).permutation(len(a.total))
    shuffled = BucketSums.of(a.denominator[order], a.total[order])
    there, back = ratio_delta(a, b), ratio_delta(shuffled, b)
    assert float(there.standard_error) == pytest.approx(float(back.standard_error), rel=1e-9, nan_ok=True)


@given(counts(), counts())
def test_proportions_answer_or_say_why(control: Counts, treatment: Counts) -> None:
    found = two_proportion_z(control, treatment)
    assert (found.reason == "") == (not math.isnan(float(found.p_value)))
    if control.trials > 0 and treatment.trials > 0:
        score = newcombe(control, treatment)
        assert -1 - 1e-9 <= float(score.lower) <= float(found.difference) + 1e-12
        assert float(found.difference) - 1e-12 <= float(score.upper) <= 1 + 1e-9


@given(counts())
def test_a_score_interval_holds_the_rate_and_stays_in_bounds(one: Counts) -> None:
    found = wilson(one)
    if one.trials > 0:
        rate = float(one.successes / one.trials)
        assert 0 <= float(found.lower) <= rate + 1e-12
        assert rate - 1e-12 <= float(found.upper) <= 1


@given(P_VALUES)
def test_holm_is_closed_testing(p_values: list[float]) -> None:
    """The definition: a hypothesis falls when Bonferroni rejects every set of hypotheses that holds it."""
    p = np.array(p_values)
    places = range(len(p))
    subsets = [subset for size in range(1, len(p) + 1) for subset in itertools.combinations(places, size)]
    expected = [max(min(1.0, len(s) * min(p[list(s)])) for s in subsets if place in s) for place in places]
    assert holm(p).tolist() == pytest.approx(expected)


@given(P_VALUES, st.floats(0.001, 0.999))
def test_benjamini_hochberg_is_its_step_up_rule(p_values: list[float], level: float) -> None:
    p = np.sort(p_values)
    below = [k for k in range(1, len(p) + 1) if p[k - 1] * len(p) / k < level]
    assert int((benjamini_hochberg(p) < level).sum()) == (max(below) if below else 0)


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=6))
def test_a_split_is_judged_or_says_why(units: list[int]) -> None:
    found = srm_chi2(units, [1] * len(units))
    assert (found.reason == "") == (sum(units) > 0)
    if found.reason == "":
        assert 0 <= float(found.p_value) <= 1


@given(st.floats(0.1, 1e6), st.floats(1e-6, 1e-3), MEANS, st.floats(1e-6, 1e-3))
def test_a_sharp_baseline_needs_no_fieller(base: float, base_error: float, value: float, value_error: float) -> None:
    """With a relative error of 1 ‰ at most, delta and Fieller agree to a hundredth of their width."""
    arguments = (base, base_error * base, value, value_error * base)
    delta, exact = relative_lift(*arguments), relative_lift(*arguments, method="fieller")
    width = float(delta.upper - delta.lower)
    assert float(exact.lower) == pytest.approx(float(delta.lower), abs=0.01 * width)
    assert float(exact.upper) == pytest.approx(float(delta.upper), abs=0.01 * width)


@given(bins(), st.lists(st.floats(0.01, 0.99), min_size=2, max_size=5))
def test_quantiles_ascend_and_stay_between_the_observations_beside_them(one: Bins, wanted: list[float]) -> None:
    values = quantile(one, sorted(wanted)).value
    held = one.counts.sum(axis=1)
    if held.sum() == 0:
        assert np.isnan(values).all()
        return
    assert np.all(np.diff(values) >= -1e-12)
    sample = np.repeat(np.arange(len(held)), held.astype(int))
    for q, value in zip(sorted(wanted), values, strict=True):
        rank = q * (len(sample) - 1)
        below, above = sample[math.floor(rank)], sample[math.ceil(rank)]
        assert one.edges[below, 0] <= value <= one.edges[above, 1]


@settings(deadline=None)
@given(bins(), bins(), st.sampled_from([0.1, 0.5, 0.9]), st.booleans())
def test_quantile_differences_answer_or_say_why(a: Bins, b: Bins, q: float, clustered: bool) -> None:
    found = quantile_difference(a, b, q, clustered=clustered)
    back = quantile_difference(b, a, q, clustered=clustered)
    if found.reason[0] == "":
        assert found.lower[0] <= found.difference[0] <= found.upper[0]
        assert float(found.p_value[0]) == pytest.approx(float(back.p_value[0]), rel=1e-6, abs=1e-300)
        if abs(float(found.p_value[0]) - 0.05) > 1e-6:
            assert (found.lower[0] > 0 or found.upper[0] < 0) == (found.p_value[0] < 0.05)
    else:
        assert math.isnan(float(found.p_value[0]))
        assert math.isnan(float(found.upper[0]))
