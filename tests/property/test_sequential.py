"""What holds for sequential methods whatever is put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortition.stats import (
    Counts,
    asymptotic_cs,
    bernoulli_cs,
    crossing_probability,
    group_sequential,
    proportion_cs,
    srm_sequential,
    stage_wise,
)

ALPHAS = st.floats(1e-6, 0.4)
STANDARDIZED = st.floats(-50, 50)
SCALES = st.floats(1e-12, 1e12)
FREEDOM = st.one_of(st.just(np.inf), st.floats(1, 1e6))
PLANNED = st.floats(1, 1e9)
SIDES = st.sampled_from(["both", "lower", "upper"])


@given(z=STANDARDIZED, scale=SCALES, n=st.floats(1, 1e9), planned=PLANNED, alpha=ALPHAS, df=FREEDOM, side=SIDES)
def test_interval_and_p_value_of_asymptotic_cs_say_the_same(
    z: float, scale: float, n: float, planned: float, alpha: float, df: float, side: str
) -> None:
    found = asymptotic_cs(z * scale, scale, n, planned_n=planned, alpha=alpha, df=df, side=side)  # type: ignore[arg-type]
    assert found.reason == ""
    assert 0 <= found.p_value <= 1
    assert found.lower <= found.estimate <= found.upper
    if abs(found.p_value / alpha - 1) > 1e-6:
        assert ((found.lower > 0) or (found.upper < 0)) == (found.p_value < alpha)


@given(z=STANDARDIZED, n=st.floats(1, 1e6), rho=st.floats(1e-4, 1), df=FREEDOM, alphas=st.tuples(ALPHAS, ALPHAS))
def test_a_smaller_alpha_never_says_more(
    z: float, n: float, rho: float, df: float, alphas: tuple[float, float]
) -> None:
    strict, lax = (asymptotic_cs(z, 1.0, n, rho=rho, df=df, alpha=alpha) for alpha in sorted(alphas))
    assert strict.lower <= lax.lower
    assert strict.upper >= lax.upper


@given(z=STANDARDIZED, scale=SCALES, n=st.floats(1, 1e9), planned=PLANNED, df=FREEDOM)
def test_asymptotic_cs_knows_neither_units_nor_directions(
    z: float, scale: float, n: float, planned: float, df: float
) -> None:
    one = asymptotic_cs(z, 1.0, n, planned_n=planned, df=df)
    other = asymptotic_cs(-z * scale, scale, n * 3, planned_n=planned * 3, df=df)
    if np.isfinite(one.upper):
        assert float(other.lower) == pytest.approx(-float(one.upper) * scale, rel=1e-9, abs=1e-9 * scale)
    assert float(other.p_value) == pytest.approx(float(one.p_value), rel=1e-6, abs=1e-300)


@st.composite
def arms(draw: st.DrawFn) -> Counts:
    trials = draw(st.integers(1, 10_000))
    return Counts.of(draw(st.integers(0, trials)), trials)


@settings(deadline=None)
@given(control=arms(), treatment=arms(), planned=st.floats(1, 1e6), alpha=st.floats(1e-4, 0.4))
def test_interval_and_p_value_of_bernoulli_cs_say_the_same(
    control: Counts, treatment: Counts, planned: float, alpha: float
) -> None:
    found = bernoulli_cs(control, treatment, planned_n=planned, alpha=alpha)
    assert found.reason == ""
    assert -1 <= found.lower <= found.estimate <= found.upper <= 1
    assert 0 <= found.p_value <= 1
    if abs(found.p_value / alpha - 1) > 1e-6:
        assert ((found.lower > 0) or (found.upper < 0)) == (found.p_value < alpha)
    # Further off is rejected more: the exact test of the estimate itself never is.
    arm = proportion_cs(control, planned_n=planned, alpha=alpha)
    assert 0 <= arm.lower <= arm.estimate <= arm.upper <= 1


@st.composite
def informations(draw: st.DrawFn) -> list[float]:
    steps = draw(st.lists(st.integers(1, 200), min_size=1, max_size=6))
    whole = max(sum(steps), draw(st.integers(10, 1000)))
    return [float(step) / whole for step in np.cumsum(steps)]


@settings(deadline=None)
@given(
    information=informations(),
    alpha=st.floats(1e-5, 0.3),
    spending=st.sampled_from(["obrien_fleming", "pocock", "kim_demets", "hwang_shih_decani"]),
    sides=st.sampled_from([1, 2]),
)
def test_looks_spend_what_they_may(information: list[float], alpha: float, spending: str, sides: int) -> None:
    plan = group_sequential(information, alpha=alpha, spending=spending, sides=sides)
    crossed = crossing_probability(information, plan.z, sides=sides).cumsum()
    np.testing.assert_allclose(crossed, plan.spent, rtol=1e-8, atol=1e-290)
    assert np.all(plan.nominal_p <= alpha * (1 + 1e-12))
    assert plan.spent[-1] <= alpha * (1 + 1e-12)


@settings(deadline=None)
@given(information=informations(), z=st.floats(-8, 8))
def test_stage_wise_inference_agrees_with_itself(information: list[float], z: float) -> None:
    plan = group_sequential(information)
    found, mirrored = stage_wise(plan, z, 1.0), stage_wise(plan, -z, 1.0)
    assert found.lower <= found.median_unbiased <= found.upper
    assert float(found.p_value) == pytest.approx(float(mirrored.p_value), rel=1e-9)
    assert float(found.lower) == pytest.approx(-float(mirrored.upper), rel=1e-7, abs=1e-7)
    if abs(found.p_value / 0.05 - 1) > 1e-6:
        assert ((found.lower > 0) or (found.upper < 0)) == (found.p_value < 0.05)


@given(
    units=st.lists(st.integers(0, 10**9), min_size=2, max_size=5).filter(any),
    weights=st.lists(st.floats(0.01, 1), min_size=5, max_size=5),
    concentration=st.floats(0.1, 1e6),
)
def test_srm_sequential_takes_any_counts(units: list[int], weights: list[float], concentration: float) -> None:
    shares = weights[: len(units)]
    found = srm_sequential(units, shares, concentration=concentration)
    assert 0 <= found.p_value <= 1
    assert not np.isnan(found.log_e)
    shuffled = srm_sequential(units[::-1], shares[::-1], concentration=concentration)
    rounding = 1e-6 + 1e-13 * sum(units) * np.log(sum(units) + 2)
    assert float(shuffled.log_e) == pytest.approx(float(found.log_e), rel=1e-9, abs=rounding)
