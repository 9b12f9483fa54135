"""Asymptotic confidence sequences against confseq, against their own definition, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sortition.errors import InvalidArgument
from sortition.stats import asymptotic_cs, crossing_probability, guarded_error
from sortition.stats.sequential.asymptotic import boundary, tuned


def confseq_tuning(alpha: float) -> float:
    """How confseq turns the variance that it is tuned for into ρ: an approximation of `tuned`."""
    return 2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha))


@pytest.mark.parametrize(
    ("v", "alpha", "v_opt", "expected"),
    [
        (100, 0.05, 100, 30.35208990376253),
        (50, 0.05, 100, 21.804123481845448),
        (1000, 0.05, 100, 102.51228683166386),
        (10, 0.01, 100, 13.64843385537634),
        (100, 0.001, 50, 42.27020698323103),
    ],
)
def test_confseq_0_0_11_two_sided(v: float, alpha: float, v_opt: float, expected: float) -> None:
    """normal_mixture_bound(v, alpha, v_opt, alpha_opt=alpha, is_one_sided=False)."""
    spread = v / v_opt * confseq_tuning(alpha)
    assert float(boundary(spread, alpha)) * math.sqrt(v) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("v", "alpha", "v_opt", "expected"),
    [
        (100, 0.05, 100, 27.660708830694603),
        (50, 0.05, 100, 19.945260489737393),
        (1000, 0.05, 100, 94.39391616939474),
        (10, 0.01, 100, 13.053837351062612),
        (100, 0.001, 50, 40.488127091089154),
    ],
)
def test_confseq_0_0_11_one_sided(v: float, alpha: float, v_opt: float, expected: float) -> None:
    """The same with is_one_sided=True, which is tuned at twice alpha."""
    spread = v / v_opt * confseq_tuning(2 * alpha)
    assert float(boundary(spread, alpha, two_sided=False)) * math.sqrt(v) == pytest.approx(expected, rel=1e-9, abs=0)


def test_the_papers_formula() -> None:
    """√(2(nρ²+1)/(n²ρ²)·ln(√(nρ²+1)/α))·σ̂ with σ̂ = 2, n = 500, ρ = 0.1 and α = 0.05, worked out by hand."""
    n, rho, sigma, alpha = 500, 0.1, 2.0, 0.05
    half = math.sqrt(2 * (n * rho**2 + 1) / (n**2 * rho**2) * math.log(math.sqrt(n * rho**2 + 1) / alpha)) * sigma
    found = asymptotic_cs(1.0, sigma / math.sqrt(n), n, rho=rho, alpha=alpha)
    assert float(found.lower) == pytest.approx(1 - half, rel=1e-13, abs=0)
    assert float(found.upper) == pytest.approx(1 + half, rel=1e-13, abs=0)


@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.001, 1e-12, 1e-200])
def test_it_is_shortest_where_it_is_tuned(alpha: float) -> None:
    best = tuned(alpha)
    assert float(boundary(best, alpha)) == pytest.approx(math.sqrt(best + 1), rel=1e-12, abs=0)
    assert float(boundary(best * 1.05, alpha)) / math.sqrt(1.05) < float(boundary(best, alpha))
    # Beside the standard error at a given n, any other ρ is worse.
    assert float(boundary(best, alpha)) < min(float(boundary(best * factor, alpha)) for factor in (0.9, 1.1))


@pytest.mark.parametrize("side", ["both", "lower", "upper"])
@pytest.mark.parametrize("df", [np.inf, 254.0, 30.0, 3.0])
def test_the_p_value_is_the_alpha_whose_interval_touches_zero(side: str, df: float) -> None:
    difference = np.array([-5.0, -3.0, 2.5, 4.0, 6.0])
    found = asymptotic_cs(difference, 1.0, 700, rho=0.1, df=df, side=side)  # type: ignore[arg-type]
    for k, p in enumerate(found.p_value):
        if not 1e-9 < p < 0.5:
            continue
        at = asymptotic_cs(difference[k], 1.0, 700, rho=0.1, df=df, side=side, alpha=float(p))  # type: ignore[arg-type]
        end = at.lower if difference[k] > 0 else at.upper
        assert float(end) == pytest.approx(0, abs=1e-8)
    excludes = (found.lower > 0) | (found.upper < 0)
    np.testing.assert_array_equal(excludes, found.p_value < 0.05)


def test_one_side_is_open_and_says_nothing_about_the_other() -> None:
    lower = asymptotic_cs([-50.0, 0.0, 50.0], 1.0, 100, planned_n=100, side="lower")
    assert lower.upper.tolist() == [np.inf] * 3
    assert lower.p_value[0] == 1
    assert lower.p_value[1] == 1
    assert lower.p_value[2] < 1e-300 or lower.p_value[2] == 0
    upper = asymptotic_cs([-50.0, 0.0, 50.0], 1.0, 100, planned_n=100, side="upper")
    np.testing.assert_array_equal(upper.p_value, lower.p_value[::-1])
    np.testing.assert_array_equal(upper.upper, -lower.lower[::-1])
    # A single side asks for less than both.
    both = asymptotic_cs(0.0, 1.0, 100, planned_n=100)
    assert float(both.upper) > float(asymptotic_cs(0.0, 1.0, 100, planned_n=100, side="upper").upper)


@pytest.mark.parametrize("side", ["both", "upper"])
@pytest.mark.parametrize("tuned_at", [0.1, 1.0, 10.0])
def test_a_random_walk_crosses_it_at_most_with_probability_alpha(side: str, tuned_at: float) -> None:
    """120 looks at a Brownian motion, integrated exactly: no simulation error to hide behind."""
    t = np.arange(1, 121) / 120
    level = 0.05 if side == "both" else 0.1
    z = boundary(t / tuned_at * tuned(level), 0.05, two_sided=side == "both")
    crossed = float(crossing_probability(t, z, sides=2 if side == "both" else 1).sum())
    # Tuned for ten times as many units it is merely cautious.
    assert (0.005 if tuned_at <= 1 else 1e-4) < crossed < 0.05


def test_few_degrees_of_freedom_widen_it() -> None:
    """At the tail probability of the normal bound, 3.0351 standard errors, R's qt has 3.3153 for 30 df."""
    n = 1000
    known = asymptotic_cs(0.0, 1.0, n, planned_n=n)
    assert float(known.upper) == pytest.approx(3.0351, abs=5e-5)
    widths = [float(asymptotic_cs(0.0, 1.0, n, planned_n=n, df=df).upper) for df in (2, 5, 30, 254, 1e9)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(float(known.upper), rel=1e-8, abs=0)


def test_far_out_it_stays_accurate() -> None:
    """p = √(x+1)·exp(-z²x/(2(x+1))): 1e-300 is a number like any other, and what is smaller is 0, not NaN."""
    x = tuned(0.05)
    for z in (10.0, 30.0, 39.0):
        exact = math.sqrt(x + 1) * math.exp(-(z**2) / 2 * x / (x + 1))
        assert float(asymptotic_cs(z, 1.0, 1, planned_n=1).p_value) == pytest.approx(exact, rel=1e-9, abs=0)
    assert float(asymptotic_cs(1e200, 1.0, 1, planned_n=1).p_value) == 0
    assert float(asymptotic_cs(1e200, 1.0, 1, planned_n=1, df=200).p_value) == 0
    # 1e12 units, a mean of 1e9 and an error of 1e-9: nothing is lost on the way.
    tiny = asymptotic_cs(5e-9, 1e-9, 1e12, planned_n=1e12)
    plain = asymptotic_cs(5.0, 1.0, 1, planned_n=1)
    assert float(tiny.p_value) == pytest.approx(float(plain.p_value), rel=1e-12, abs=0)


def test_the_first_looks_are_wide_and_never_wrong() -> None:
    """At a millionth of the planned units the boundary is hundreds of errors; with few df no number is as large."""
    early = asymptotic_cs(1.0, 1.0, 1.0, planned_n=1e6, df=[np.inf, 254.0, 2.0])
    assert np.all(early.p_value == 1)
    assert np.all(early.upper > 100)
    assert early.upper[2] == np.inf
    assert not np.isnan(early.lower).any()


def test_what_has_no_answer_says_why() -> None:
    found = asymptotic_cs([1.0, np.nan, 1.0, 1.0, np.inf, 1.0], [1.0, 1.0, 0.0, 1.0, 1.0, 1.0], [0, 9, 9, 9, 9, np.nan],
                          planned_n=10, df=[9, 9, 9, 0, 9, 9])  # fmt: skip
    assert found.reason.tolist() == [
        "there are no observations",
        "the estimate or its standard error is unknown",
        "the observations have no variance",
        "the standard error has no degrees of freedom",
        "the estimate or its standard error is not a finite number",
        "there are no observations",
    ]
    for figures in (found.lower, found.upper, found.p_value):
        assert np.isnan(figures).all()


def test_arguments_outside_their_range_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="alpha: must be between 0 and 1, but is 0"):
        asymptotic_cs(1.0, 1.0, 1, planned_n=1, alpha=0)
    with pytest.raises(InvalidArgument, match="planned_n: give either planned_n or rho"):
        asymptotic_cs(1.0, 1.0, 1)
    with pytest.raises(InvalidArgument, match="planned_n: give either planned_n or rho"):
        asymptotic_cs(1.0, 1.0, 1, planned_n=1, rho=1)
    with pytest.raises(InvalidArgument, match="planned_n: must be a finite number > 0, but is 0"):
        asymptotic_cs(1.0, 1.0, 1, planned_n=0)
    with pytest.raises(InvalidArgument, match="rho: must be a finite number > 0, but is inf"):
        asymptotic_cs(1.0, 1.0, 1, rho=np.inf)
    with pytest.raises(InvalidArgument, match="side: is 'left'; use one of: both, lower, upper"):
        asymptotic_cs(1.0, 1.0, 1, planned_n=1, side="left")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"alpha: must be at most 0\.5 with one side"):
        asymptotic_cs(1.0, 1.0, 1, planned_n=1, side="lower", alpha=0.6)


def test_thousands_of_comparisons_at_once_are_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(5)
    difference, error = rng.normal(size=(50, 30)), rng.uniform(0.1, 2, size=(50, 30))
    df = rng.choice([3.0, 254.0, np.inf], size=30)
    together = asymptotic_cs(difference, error, 500, planned_n=1000, df=df)
    alone = asymptotic_cs(difference[7, 11], error[7, 11], 500, planned_n=1000, df=df[11])
    assert together.lower.shape == (50, 30)
    assert together.lower[7, 11] == alone.lower
    assert together.p_value[7, 11] == alone.p_value


def test_a_guarded_error_is_student_pooled_where_the_small_arm_looks_too_calm() -> None:
    """w = 9 in 900 and w = 1 in 100: pooled 8.2, so 9/900 + 8.2/100 = 0.092."""
    assert float(guarded_error(0.1, 900, 0.1, 100)) == pytest.approx(math.sqrt(0.092), rel=1e-14, abs=0)
    # The arms may be swapped; where the small arm varies more, nothing is taken away from it.
    assert float(guarded_error(0.1, 100, 0.1, 900)) == pytest.approx(math.sqrt(0.092), rel=1e-14, abs=0)
    assert float(guarded_error(0.01, 900, 0.5, 100)) >= math.hypot(0.01, 0.5)
    # From half of the larger arm on, and without any knowledge, it is the usual error.
    assert float(guarded_error(0.1, 200, 0.3, 100)) == math.hypot(0.1, 0.3)
    assert math.isnan(float(guarded_error(math.nan, 200, 0.3, 100)))


def test_a_guard_keeps_early_looks_at_a_small_skewed_arm() -> None:
    """10/90, a rare outcome, 100 looks: unguarded, too many runs have a look that finds what is not there."""
    rng = np.random.default_rng(20)
    looks, runs, planned = 100, 400, 60_000
    found = {}
    small, large = rng.binomial(60, 0.01, (runs, looks)).cumsum(1), rng.binomial(540, 0.01, (runs, looks)).cumsum(1)
    n_small, n_large = 60.0 * np.arange(1, looks + 1), 540.0 * np.arange(1, looks + 1)
    p, q = small / n_small, large / n_large
    errors = np.sqrt(p * (1 - p) / n_small), np.sqrt(q * (1 - q) / n_large)
    guarded = guarded_error(errors[1], n_large, errors[0], n_small)
    for name, error in (("usual", np.hypot(*errors)), ("guarded", guarded)):
        held = asymptotic_cs(p - q, error, n_small + n_large, planned_n=planned)
        found[name] = float((np.nanmin(held.p_value, axis=1) < 0.05).mean())
    assert found["usual"] > 0.07
    assert found["guarded"] < 0.05
