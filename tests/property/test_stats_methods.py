"""What holds for every input of posteriors, covariates, exact tests, power, resampling and caps."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sortition.stats import (
    BucketSums,
    Counts,
    CovariateSums,
    Posterior,
    barnard_exact,
    beta_binomial,
    bootstrap,
    cuped,
    fisher_exact,
    mde_mean,
    mde_proportion,
    normal_normal,
    power_mean,
    power_proportion,
    ratio_delta,
    relative_lift,
    sample_size_mean,
    sample_size_proportion,
    two_proportion_z,
    winsorize,
)

VALUES = st.floats(-1e6, 1e6)
ROWS = st.lists(st.tuples(st.integers(0, 9), VALUES, VALUES), min_size=3, max_size=30)
Rows: TypeAlias = list[tuple[int, float, float]]
SHARES = st.floats(0.001, 0.999)


@st.composite
def counts(draw: st.DrawFn, most: int = 10**12) -> Counts:
    trials = draw(st.integers(0, most))
    return Counts.of(draw(st.integers(0, trials)), trials)


def check_posterior(found: Posterior) -> None:
    assert 0 <= float(found.chance_of_practical) <= float(found.chance_to_beat) * (1 + 1e-9) <= 1 + 1e-8
    assert float(found.expected_loss) >= max(0.0, -float(found.expected_lift)) * (1 - 1e-9)
    assert float(found.lower) <= float(found.upper)


@settings(deadline=None, max_examples=60)
@given(counts(), counts(), st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0, 0.5))
def test_posteriors_of_rates_hang_together(
    control: Counts, treatment: Counts, a: float, b: float, practical: float
) -> None:
    found = beta_binomial(control, treatment, (a, b), practical=practical)
    assert found.reason == ""
    check_posterior(found)
    assert -1 <= float(found.lower) <= float(found.upper) <= 1
    # The control against the treatment is the rest of the probability.
    back = beta_binomial(treatment, control, (a, b))
    assert float(found.chance_to_beat) + float(back.chance_to_beat) == pytest.approx(1, abs=1e-9)
    gained, lift = float(back.expected_loss) - float(found.expected_loss), float(found.expected_lift)
    assert gained == pytest.approx(lift, rel=1e-7, abs=1e-15)


@given(VALUES, st.floats(1e-6, 1e6), VALUES, st.floats(1e-6, 1e6), st.floats(0, 1e6), st.booleans())
def test_normal_posteriors_hang_together(
    estimate: float, error: float, mean: float, sd: float, practical: float, maximize: bool
) -> None:
    found = normal_normal(estimate, error, mean, sd, practical=practical, maximize=maximize)
    lift = float(found.expected_lift)
    assert min(estimate, mean) - 1e-9 * abs(mean) - 1e-9 <= lift <= max(estimate, mean) + 1e-9 * abs(mean) + 1e-9
    assert 0 <= float(found.chance_of_practical) <= float(found.chance_to_beat) <= 1
    assert float(found.expected_loss) >= max(0.0, -lift if maximize else lift) * (1 - 1e-9)
    assert float(found.upper - found.lower) <= 2 * 1.96 * min(error, sd) * (1 + 1e-6) + 1e-9 * (abs(lift) + 1)


@given(ROWS, ROWS)
def test_a_covariate_answers_or_says_why(first: Rows, second: Rows) -> None:
    arms = []
    for rows in (first, second):
        d, y, x = np.array(rows).T
        arms.append(CovariateSums.of(d, np.where(d > 0, y, 0), np.where(d > 0, x, 0)))
    found = cuped(arms[0], arms[1])
    if found.difference.reason == "":
        assert 0 <= float(found.difference.p_value) <= 1
        assert float(found.difference.lower) <= float(found.difference.difference) <= float(found.difference.upper)
        assert float(found.variance_reduction) <= 1 + 1e-12
    else:
        assert np.isnan([found.theta, found.difference.p_value, found.difference.lower, found.variance_reduction]).all()


@given(ROWS, ROWS, st.floats(0.1, 100), st.floats(-1e3, 1e3))
def test_the_units_of_a_covariate_do_not_matter(first: Rows, second: Rows, scale: float, shift: float) -> None:
    """Rescaling and shifting the covariate changes neither the difference nor its error."""
    sums = [[np.array(part, dtype=float) for part in zip(*rows, strict=True)] for rows in (first, second)]
    sizes = [np.maximum(part[0], 1) for part in sums]
    plain = cuped(CovariateSums.of(sizes[0], *sums[0][1:]), CovariateSums.of(sizes[1], *sums[1][1:]))
    assume(plain.difference.reason == "" and float(plain.theta) != 0 and 1e-6 < abs(float(plain.theta)) < 1e6)
    moved = cuped(
        CovariateSums.of(sizes[0], sums[0][1], scale * sums[0][2] + shift * sizes[0]),
        CovariateSums.of(sizes[1], sums[1][1], scale * sums[1][2] + shift * sizes[1]),
    )
    size = float(plain.difference.standard_error) + abs(float(plain.difference.difference)) + 1e-6
    assert float(moved.difference.difference) == pytest.approx(float(plain.difference.difference), abs=1e-3 * size)


@given(ROWS, ROWS, st.floats(-1e3, 1e3))
def test_a_covariate_without_variance_is_no_covariate(first: Rows, second: Rows, value: float) -> None:
    sums = [([max(d, 1) for d, _, _ in rows], [y for _, y, _ in rows]) for rows in (first, second)]
    plain = ratio_delta(BucketSums.of(*sums[0]), BucketSums.of(*sums[1]))
    arms = [CovariateSums.of(d, y, value * np.array(d, dtype=float)) for d, y in sums]
    found = cuped(arms[0], arms[1])
    assert str(found.difference.reason) == str(plain.reason)
    if plain.reason == "":
        assert float(found.difference.p_value) == pytest.approx(float(plain.p_value), rel=1e-6, abs=1e-300)


@settings(deadline=None)
@given(counts(most=60), counts(most=60))
def test_exact_tests_answer_where_z_does(control: Counts, treatment: Counts) -> None:
    fisher, barnard = float(fisher_exact(control, treatment)), float(barnard_exact(control, treatment))
    answers = two_proportion_z(control, treatment).reason == ""
    assert math.isnan(fisher) != answers
    assert math.isnan(barnard) != answers
    if answers:
        assert 0 < fisher <= 1
        assert 0 < barnard <= 1
        assert float(barnard_exact(treatment, control)) == pytest.approx(barnard, rel=1e-8)


@settings(deadline=None)
@given(st.floats(1e-4, 100), st.floats(0.01, 100), st.floats(1e-12, 0.5), st.floats(0.5, 0.999), st.floats(0.05, 20))
def test_units_of_means_have_the_power(
    difference: float, sd: float, alpha: float, power: float, allocation: float
) -> None:
    assume(power > 2 * alpha)
    units = sample_size_mean(difference, sd, alpha, power, allocation)
    assume(np.isfinite(units) and float(units) < 1e9)
    assume(float(units) * (1 + allocation) > 3)
    assert float(power_mean(difference, sd, units, alpha, allocation)) >= power - 1e-6
    smallest = float(mde_mean(sd, units, alpha, power, allocation))
    assert smallest <= difference * (1 + 1e-5)
    assert float(power_mean(smallest, sd, units, alpha, allocation)) == pytest.approx(power, abs=1e-5)


@settings(deadline=None)
@given(SHARES, SHARES, st.floats(1e-9, 0.4), st.floats(0.5, 0.999), st.floats(0.05, 20))
def test_units_of_proportions_have_the_power(
    rate: float, other: float, alpha: float, power: float, allocation: float
) -> None:
    assume(abs(rate - other) > 1e-4)
    units = sample_size_proportion(rate, other, alpha, power, allocation)
    assert float(power_proportion(rate, other, units, alpha, allocation)) >= power - 1e-9
    smallest = float(mde_proportion(rate, units, alpha, power, allocation, increase=other > rate))
    assert smallest <= abs(other - rate) * (1 + 1e-7)


@given(VALUES, st.floats(1e-3, 1e3), VALUES, st.floats(1e-3, 1e3), st.sampled_from(["delta", "log", "fieller"]))
@example(1.1e-308, 1.0, 2.0, 1.0, "delta")
def test_lifts_are_inside_their_intervals(
    base: float, base_error: float, value: float, value_error: float, method: str
) -> None:
    found = relative_lift(base, base_error, value, value_error, method=method)  # type: ignore[arg-type]
    if found.reason == "":
        slack = 1e-9 * (1 + abs(float(found.value)))
        assert float(found.lower) - slack <= float(found.value) <= float(found.upper) + slack
    else:
        assert np.isnan([found.lower, found.upper]).all()


@settings(deadline=None, max_examples=30)
@given(st.lists(VALUES, min_size=2, max_size=20), st.sampled_from(["bca", "percentile"]))
def test_a_bootstrapped_mean_stays_among_the_observations(sample: list[float], method: str) -> None:
    found = bootstrap([sample], np.mean, method=method, resamples=200)  # type: ignore[arg-type]
    if found.reason == "":
        slack = 1e-9 * max(map(abs, sample))
        assert min(sample) - slack <= found.lower <= found.upper <= max(sample) + slack


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=30), VALUES, VALUES)
def test_caps_hold_and_count(sample: list[float], one: float, other: float) -> None:
    lower, upper = sorted((one, other))
    found = winsorize(sample, lower, upper)
    assert all(lower <= value <= upper for value in found.values)
    moved = sum(before != after for before, after in zip(sample, found.values, strict=True))
    assert moved == int(found.below + found.above)
    again = winsorize(found.values, lower, upper)
    assert int(again.below + again.above) == 0
