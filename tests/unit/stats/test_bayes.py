"""Posteriors against exact fractions, arbitrary precision, and closed forms."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from sortition.errors import InvalidArgument
from sortition.stats import Counts, Posterior, beta_binomial, normal_normal

FIGURES = ("chance_to_beat", "expected_lift", "expected_loss", "lower", "upper", "chance_of_practical")


def figures(found: Posterior) -> list[float]:
    return [float(getattr(found, name)) for name in FIGURES]


def exact_beta(a: int, b: int) -> Fraction:
    return Fraction(math.factorial(a - 1) * math.factorial(b - 1), math.factorial(a + b - 1))


def exact_chance(a: int, b: int, c: int, d: int) -> Fraction:
    """P(Y > X) of X ~ Beta(a, b) and Y ~ Beta(c, d): Miller 2015, "Formulas for Bayesian A/B Testing", equation 6."""
    terms = (exact_beta(a + i, b + d) / ((d + i) * exact_beta(1 + i, d) * exact_beta(a, b)) for i in range(c))
    return sum(terms, Fraction(0))


def exact_loss(a: int, b: int, c: int, d: int) -> Fraction:
    """E max(X - Y, 0): the same formula with the exponent that a factor of x adds (Stucchio 2015)."""
    return Fraction(a, a + b) * (1 - exact_chance(a + 1, b, c, d)) - Fraction(c, c + d) * (
        1 - exact_chance(a, b, c + 1, d)
    )


@pytest.mark.parametrize(
    ("won", "tried", "other_won", "other_tried"),
    [(0, 0, 0, 0), (0, 5, 5, 5), (3, 10, 4, 10), (20, 100, 35, 90), (1, 400, 9, 350), (300, 301, 250, 255)],
)
def test_rates_in_exact_fractions(won: int, tried: int, other_won: int, other_tried: int) -> None:
    a, b, c, d = won + 1, tried - won + 1, other_won + 1, other_tried - other_won + 1
    found = beta_binomial(Counts.of(won, tried), Counts.of(other_won, other_tried))
    assert float(found.chance_to_beat) == pytest.approx(float(exact_chance(a, b, c, d)), rel=1e-12, abs=0)
    assert float(found.expected_loss) == pytest.approx(float(exact_loss(a, b, c, d)), rel=1e-11, abs=0)
    lift = Fraction(c, c + d) - Fraction(a, a + b)
    assert float(found.expected_lift) == pytest.approx(float(lift), rel=1e-12, abs=1e-15)
    mirrored = beta_binomial(Counts.of(won, tried), Counts.of(other_won, other_tried), maximize=False)
    assert float(mirrored.chance_to_beat) == pytest.approx(float(1 - exact_chance(a, b, c, d)), rel=1e-11, abs=1e-15)
    # What is lost by choosing either differs by the lift.
    gained = float(mirrored.expected_loss - found.expected_loss)
    assert gained == pytest.approx(float(lift), rel=1e-11, abs=1e-15)


@pytest.mark.parametrize(
    ("control", "treatment", "prior", "confidence"),
    [
        ((3, 10), (6, 12), (1.0, 1.0), 0.95),
        ((0, 3), (2, 2), (0.5, 0.5), 0.9),
        ((10, 1000), (25, 900), (2.0, 30.0), 0.999),
    ],
)
def test_credible_intervals_and_thresholds_in_arbitrary_precision(
    control: tuple[int, int], treatment: tuple[int, int], prior: tuple[float, float], confidence: float
) -> None:
    found = beta_binomial(Counts.of(*control), Counts.of(*treatment), prior, confidence=confidence, practical=0.015)
    a, b = control[0] + prior[0], control[1] - control[0] + prior[1]
    c, d = treatment[0] + prior[0], treatment[1] - treatment[0] + prior[1]

    def above(shift: float) -> mp.mpf:
        """P(Y - X > shift): Y's density times X's distribution, and what X cannot reach."""
        start, end = max(mp.mpf(shift), mp.mpf(0)), min(1 + mp.mpf(shift), mp.mpf(1))

        def density(y: mp.mpf) -> mp.mpf:
            return y ** (c - 1) * (1 - y) ** (d - 1) / mp.beta(c, d)

        middle = c / (c + d)
        points = [start, *(middle + k * 0.05 for k in range(-12, 13) if start < middle + k * 0.05 < end), end]
        inside = mp.quad(lambda y: density(y) * mp.betainc(a, b, 0, y - shift, regularized=True), points)
        return inside + (mp.betainc(c, d, end, 1, regularized=True) if end < 1 else 0)

    with mp.workdps(20):
        assert float(found.chance_of_practical) == pytest.approx(float(above(0.015)), rel=1e-9, abs=0)
        tail = (1 - confidence) / 2
        assert float(above(float(found.upper))) == pytest.approx(tail, rel=1e-7, abs=0)
        assert float(1 - above(float(found.lower))) == pytest.approx(tail, rel=1e-7, abs=0)


def test_far_tails_keep_their_relative_accuracy() -> None:
    """P(Y > X) for 50 of 1,000 against 300 of 1,000, and against 700 (about 1e-220), in 60 digits."""
    with mp.workdps(60):
        for won in (300, 700):
            a, b, c, d = won + 1, 1001 - won, 51, 951
            total = mp.mpf(0)
            for i in range(c):
                total += mp.beta(a + i, b + d) / ((d + i) * mp.beta(1 + i, d) * mp.beta(a, b))
            found = beta_binomial(Counts.of(won, 1000), Counts.of(50, 1000))
            assert float(found.chance_to_beat) == pytest.approx(float(total), rel=1e-10, abs=0)


def test_a_trillion_trials_are_normal() -> None:
    """With 1e12 trials the posterior is normal to 1e-6 of its deviation; z = 2 and its loss by the closed form."""
    n, rate = 10**12, 0.1
    error = math.sqrt(2 * rate * (1 - rate) / n)
    found = beta_binomial(Counts.of(rate * n, n), Counts.of(rate * n + round(2 * error * n), n))
    assert float(found.chance_to_beat) == pytest.approx(0.977249868, abs=2e-6)
    # The normal loss integral at 2: 0.008490702617, in every table.
    assert float(found.expected_loss) == pytest.approx(0.008490702617 * error, rel=2e-4, abs=0)
    assert float(found.lower) == pytest.approx((2 - 1.959963984540054) * error, abs=1e-4 * error)
    assert float(found.upper) == pytest.approx((2 + 1.959963984540054) * error, abs=1e-4 * error)


def test_arms_of_very_different_size() -> None:
    """A million trials against three: the large arm is a point, so its rate is the border of Beta(2, 3)."""
    found = beta_binomial(Counts.of(3 * 10**8, 10**9), Counts.of(1, 3))
    # P(Y > 0.3) of Beta(2, 3), by its polynomial 1 - (6x² - 8x³ + 3x⁴).
    x = 0.3
    assert float(found.chance_to_beat) == pytest.approx(1 - (6 * x**2 - 8 * x**3 + 3 * x**4), abs=1e-8)


def test_a_prior_pulls_and_is_the_posterior_without_data() -> None:
    alone = beta_binomial(Counts.of(0, 0), Counts.of(0, 0), (3.0, 7.0))
    assert float(alone.chance_to_beat) == pytest.approx(0.5, rel=1e-12, abs=0)
    assert float(alone.lower) == pytest.approx(-float(alone.upper), rel=1e-9, abs=0)
    weak = beta_binomial(Counts.of(1, 10), Counts.of(5, 10))
    strong = beta_binomial(Counts.of(1, 10), Counts.of(5, 10), (300.0, 700.0))
    assert 0.5 < float(strong.chance_to_beat) < float(weak.chance_to_beat)
    assert float(strong.upper - strong.lower) < float(weak.upper - weak.lower)


def test_comparisons_are_computed_side_by_side() -> None:
    control = Counts.of(50, 500)
    many = beta_binomial(control, Counts.of([60, 700, 40], [500, 600, 450]), practical=[0.0, 0.01, 0.02])
    assert many.reason.tolist() == ["", "the treatment's successes are not in [0, trials]", ""]
    assert np.isnan([getattr(many, name)[1] for name in FIGURES]).all()
    for index, (won, tried, practical) in ((0, (60, 500, 0.0)), (2, (40, 450, 0.02))):
        one = beta_binomial(control, Counts.of(won, tried), practical=practical)
        assert [float(getattr(many, name)[index]) for name in FIGURES] == pytest.approx(figures(one), rel=1e-9, abs=0)


def test_normal_against_its_closed_form() -> None:
    """Precision-weighted: 1/(1/4 + 1/9), and a mean of 36/13·(3/4 + 1/9)."""
    found = normal_normal(3.0, 2.0, 1.0, 3.0, practical=0.5)
    variance = Fraction(36, 13)
    mean = variance * (Fraction(3, 4) + Fraction(1, 9))
    deviation = math.sqrt(variance)
    assert float(found.expected_lift) == pytest.approx(float(mean), rel=1e-12, abs=0)
    assert float(found.upper - found.lower) == pytest.approx(2 * 1.959963984540054 * deviation, rel=1e-12, abs=0)
    expected = float(mp.ncdf(float(mean) / deviation))
    assert float(found.chance_to_beat) == pytest.approx(expected, rel=1e-12, abs=0)
    assert float(found.chance_of_practical) == pytest.approx(float(mp.ncdf((float(mean) - 0.5) / deviation)), rel=1e-12)
    loss = mp.quad(lambda x: -x * mp.npdf(x, float(mean), deviation), [-40, -20, -5, 0])
    assert float(found.expected_loss) == pytest.approx(float(loss), rel=1e-10, abs=0)


@pytest.mark.parametrize("z", [-40.0, -3.0, -1e-9, 0.0, 1e-9, 1.0, 8.0, 30.0, 37.0])
def test_the_normal_loss_far_out(z: float) -> None:
    """E max(-X, 0) = phi(z) - z·Phi(-z), in 60 digits; the prior is too wide to matter."""
    found = normal_normal(z, 1.0, 0.0, 1e12)
    with mp.workdps(60):
        expected = mp.npdf(z) - mp.mpf(z) * mp.ncdf(-mp.mpf(z))
    assert float(found.expected_loss) == pytest.approx(float(expected), rel=1e-11, abs=0)


def test_less_is_better_is_the_mirror_image() -> None:
    up, down = (
        normal_normal(1.0, 0.7, 0.2, 1.0, practical=0.1),
        normal_normal(-1.0, 0.7, -0.2, 1.0, practical=0.1, maximize=False),
    )
    assert figures(down)[0] == pytest.approx(figures(up)[0], rel=1e-12, abs=0)
    assert figures(down)[2] == pytest.approx(figures(up)[2], rel=1e-12, abs=0)
    assert figures(down)[5] == pytest.approx(figures(up)[5], rel=1e-12, abs=0)
    assert float(down.lower) == pytest.approx(-float(up.upper), rel=1e-12, abs=0)


def test_unknown_differences_say_so() -> None:
    found = normal_normal([np.nan, 1.0, 1.0, 1.0], [1.0, 0.0, np.inf, 1.0], 0.0, 1.0)
    error = "the standard error is not a finite number > 0"
    assert found.reason.tolist() == ["the difference is unknown", error, error, ""]
    for name in FIGURES:
        assert np.isnan(getattr(found, name)).tolist() == [True, True, True, False]


def test_improper_arguments_are_refused() -> None:
    counts = Counts.of(1, 2)
    with pytest.raises(InvalidArgument, match=r"prior\[1\]: must be > 0 and finite, but is 0"):
        beta_binomial(counts, counts, (1.0, 0.0))
    with pytest.raises(InvalidArgument, match=r"practical: must be >= 0, but is -0\.1"):
        beta_binomial(counts, counts, practical=-0.1)
    with pytest.raises(InvalidArgument, match="confidence"):
        beta_binomial(counts, counts, confidence=1.0)
    for mean, sd in ((0.0, 0.0), (0.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(InvalidArgument, match="prior_sd: must be proper"):
            normal_normal(1.0, 1.0, mean, sd)
