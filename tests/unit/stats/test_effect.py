"""Effect sizes and relative lifts against their definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
from scipy import optimize

from sortition.errors import InvalidArgument
from sortition.stats import EffectSize, Moments, chance_to_beat, cohens_d, hedges_g, relative_lift


def test_cohens_d_in_exact_fractions() -> None:
    control, treatment = [Fraction(k) for k in (1, 2, 3, 4)], [Fraction(k) for k in (3, 5, 9)]

    def parts(values: list[Fraction]) -> tuple[Fraction, Fraction]:
        mean = sum(values, Fraction(0)) / len(values)
        return mean, sum(((value - mean) ** 2 for value in values), Fraction(0))

    (c, c_squares), (t, t_squares) = parts(control), parts(treatment)
    pooled = (c_squares + t_squares) / 5
    first, second = Moments.of(4, float(c), float(c_squares / 3)), Moments.of(3, float(t), float(t_squares / 2))
    d, g = float(cohens_d(first, second).value), float(hedges_g(first, second).value)
    assert d == pytest.approx(float(t - c) / math.sqrt(pooled), rel=1e-12, abs=0)
    # The exact correction of Hedges 1981 for 5 degrees of freedom: Γ(5/2) / (√(5/2)·Γ(2)).
    assert g / d == pytest.approx(math.gamma(2.5) / math.sqrt(2.5), rel=1e-12, abs=0)


def test_the_correction_vanishes_in_large_samples() -> None:
    found = hedges_g(Moments.of(10**12, 0.0, 1.0), Moments.of(10**12, 0.5, 1.0))
    assert float(found.value) == pytest.approx(0.5, rel=1e-11, abs=0)


def test_two_observations_an_arm_have_a_correction() -> None:
    """Γ(1) / (√1·Γ(1/2)) = 1/√π, by hand."""
    found = hedges_g(Moments.of(2, 0.0, 1.0), Moments.of(2, 1.0, 1.0))
    assert float(found.value) == pytest.approx(1 / math.sqrt(math.pi), rel=1e-12, abs=0)


@pytest.mark.parametrize("effect", [cohens_d, hedges_g])
def test_degenerate_effects_say_so(effect: Callable[[Moments, Moments], EffectSize]) -> None:
    variances = [0.0, 0.0, np.inf, 1.0]
    found = effect(Moments.of([1, 5, 5, 5], 0.0, variances), Moments.of(5, 1.0, [1.0, 0.0, 1.0, 1.0]))
    assert found.reason.tolist() == [
        "an arm has fewer than 2 observations",
        "the observations have no variance",
        "a variance is not a finite number",
        "",
    ]
    assert np.isnan(found.value).tolist() == [True, True, True, False]


def test_a_negative_baseline_keeps_the_sign_of_the_difference() -> None:
    found = relative_lift([-10.0, 10.0], 1.0, [-8.0, 8.0], 1.0)
    assert found.value.tolist() == pytest.approx([0.2, -0.2])


def test_the_delta_interval_is_the_gradient() -> None:
    """Var f = (∂f/∂t)²·se_t² + (∂f/∂c)²·se_c² for f = t/c - 1, by numerical differentiation."""
    c, c_error, t, t_error, step = 8.0, 0.5, 11.0, 0.7, 1e-6

    def lift(control: float, treatment: float) -> float:
        return (treatment - control) / abs(control)

    by_t = (lift(c, t + step) - lift(c, t - step)) / (2 * step)
    by_c = (lift(c + step, t) - lift(c - step, t)) / (2 * step)
    half = 1.959963984540054 * math.hypot(by_t * t_error, by_c * c_error)
    found = relative_lift(c, c_error, t, t_error)
    assert float(found.upper - found.lower) == pytest.approx(2 * half, rel=1e-6, abs=0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_fieller_is_where_the_contrast_touches_zero(sign: float) -> None:
    c, c_error, t, t_error, z = 8.0 * sign, 0.5, 11.0, 0.7, 1.959963984540054

    def contrast(ratio: float) -> float:
        return (t - ratio * c) ** 2 - z**2 * (t_error**2 + ratio**2 * c_error**2)

    center = t / c
    roots = [optimize.brentq(contrast, center, center + side) for side in (-1, 1)]
    expected = sorted((root - 1) * sign for root in roots)
    found = relative_lift(c, c_error, t, t_error, method="fieller")
    assert [float(found.lower), float(found.upper)] == pytest.approx(expected, rel=1e-9, abs=0)
    assert float(found.lower) < float(found.value) < float(found.upper)


def test_katz_1978_on_the_log_scale() -> None:
    found = relative_lift(10.0, 0.3, 12.0, 0.4, method="log")
    half = 1.959963984540054 * math.sqrt(0.03**2 + (0.4 / 12) ** 2)
    assert [float(found.lower), float(found.upper)] == pytest.approx(
        [1.2 / math.exp(half) - 1, 1.2 * math.exp(half) - 1]
    )


def test_a_baseline_of_zero_says_so() -> None:
    methods: tuple[Literal["delta", "fieller"], ...] = ("delta", "fieller")
    for method in methods:
        found = relative_lift(0.0, 1.0, 2.0, 1.0, method=method)
        assert found.reason == "the control is 0, so no change is relative to it"
        assert np.isnan([found.value, found.lower, found.upper]).all()
    noisy = relative_lift(1.0, 1.0, 2.0, 1.0, method="fieller")
    assert noisy.reason == "the control cannot be told from 0, so the relative change has no bounds"
    assert float(noisy.value) == 1
    assert relative_lift(-1.0, 0.1, 2.0, 0.1, method="log").reason == "a logarithm needs estimates > 0"


def test_an_unknown_method_names_those_that_exist() -> None:
    with pytest.raises(InvalidArgument, match="method: 'exact' is unknown; use one of: delta, log, fieller"):
        relative_lift(1.0, 0.1, 2.0, 0.1, method="exact")  # type: ignore[arg-type]


def test_chance_to_beat() -> None:
    """Φ(1) = 0.841344746 in every table; a goal of less is the mirror image; no error, no answer."""
    assert chance_to_beat([1.0, -1.0, 0.0], 1.0).tolist() == pytest.approx([0.841344746, 0.158655254, 0.5])
    assert chance_to_beat([1.0], 1.0, maximize=False).tolist() == pytest.approx([0.158655254])
    assert np.isnan(chance_to_beat([1.0, 1.0], [0.0, np.nan])).all()
