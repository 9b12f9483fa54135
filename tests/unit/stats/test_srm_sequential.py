"""The sequential sample ratio test against its authors' program, and exactly."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from sortition.errors import InvalidArgument
from sortition.stats import srm_sequential


@pytest.mark.parametrize(
    ("units", "weights", "log_e"),
    [
        ([821588, 815482], [0.5, 0.5], 8.765972282737494),
        ([340, 330, 400], [0.33, 0.33, 0.34], 0.16875720151074344),
        ([700, 650, 750], [0.33, 0.33, 0.34], 0.20510110963095934),
        ([10, 0], [0.5, 0.5], 0.004495729737849062),
        ([5200, 4800], [0.5, 0.5], 3.6538806656899396),
        ([10500, 9500], [0.5, 0.5], 16.12098752472957),
        ([100, 900], [0.1, 0.9], -0.04766274980192975),
        ([1300, 8700], [0.1, 0.9], 23.558374774671393),
    ],
)
def test_ssrm_test_0_1_5(units: list[int], weights: list[float], log_e: float) -> None:
    """ln of sequential_bayes_factors with its defaults."""
    found = srm_sequential(units, weights, concentration=10_000)
    assert float(found.log_e) == pytest.approx(log_e, rel=1e-9, abs=1e-9)
    assert float(found.p_value) == pytest.approx(min(1.0, math.exp(-log_e)), rel=1e-8, abs=0)


def test_the_default_finds_a_quarter_of_an_arm_lost_among_a_thousand_units() -> None:
    """600 and 450 is z = 4.6; the authors' default would not call it unusual."""
    assert float(srm_sequential([600, 450], [1, 1]).p_value) < 0.01
    assert float(srm_sequential([600, 450], [1, 1], concentration=10_000).p_value) > 0.05


def test_batches_do_not_matter_and_rationals_agree() -> None:
    """Unit after unit the prior's urn predicts the next arm: e is the product of predicted / declared shares."""
    concentration, shares = 8, (Fraction(1, 4), Fraction(3, 4))
    urn = [concentration * share for share in shares]
    e = Fraction(1)
    for arm in (0, 0, 1, 0, 1, 1, 0, 0):
        e *= urn[arm] / sum(urn) / shares[arm]
        urn[arm] += 1
    found = srm_sequential([5, 3], [1, 3], concentration=8)
    assert float(found.log_e) == pytest.approx(math.log(e), rel=1e-12, abs=0)


def test_it_is_a_fair_bet() -> None:
    """Over every split of twelve units into three arms the mean of e is 1: that makes it valid at any look."""
    weights, n = np.array([0.2, 0.3, 0.5]), 12
    splits = np.array([(a, b, n - a - b) for a, b in itertools.product(range(n + 1), repeat=2) if a + b <= n])
    chance = np.array([math.factorial(n) / math.prod(map(math.factorial, s)) * math.prod(weights**s) for s in splits])
    e = np.exp(srm_sequential(splits, weights, concentration=6.0).log_e)
    assert float(chance.sum()) == pytest.approx(1, rel=1e-12)
    assert float((chance * e).sum()) == pytest.approx(1, rel=1e-11)


def test_ever_rejecting_a_fair_split_is_rare_and_a_broken_one_is_found() -> None:
    rng = np.random.default_rng(3)
    for share, low, high in ((0.5, 0.0, 0.05), (0.53, 0.95, 1.0)):
        first = rng.binomial(100, share, size=(400, 200)).cumsum(axis=1)
        total = 100 * np.arange(1, 201)
        p = srm_sequential(np.stack([first, total - first], axis=-1), [1, 1]).p_value
        assert low <= float((p.min(axis=1) <= 0.05).mean()) <= high


def test_an_arm_of_weight_zero_is_left_out() -> None:
    assert srm_sequential([500, 17, 520], [50, 0, 50]).log_e == srm_sequential([500, 520], [50, 50]).log_e


def test_what_has_no_answer_says_why() -> None:
    found = srm_sequential([[0, 0], [9, 9], [-1, 9]], [1, 1])
    assert found.reason.tolist() == ["there are no units", "", "a number of units is negative or not finite"]
    assert np.isnan(found.p_value).tolist() == [True, False, True]
    assert srm_sequential([5, 5], [1, 0]).reason == "fewer than two arms have a weight"
    with pytest.raises(InvalidArgument, match="concentration: must be a finite number > 0, but is 0"):
        srm_sequential([5, 5], [1, 1], concentration=0)


def test_an_e_value_beyond_all_numbers_is_still_a_logarithm() -> None:
    found = srm_sequential([2_000_000, 1_000_000], [1, 1])
    assert float(found.log_e) > 100_000
    assert float(found.p_value) == 0
