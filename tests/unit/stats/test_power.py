"""Power and sample sizes against published tables."""

from __future__ import annotations

import math

import pytest

from sortition.errors import InvalidArgument
from sortition.stats import (
    error_power,
    mean_power,
    mean_sample_size,
    needed_error,
    proportion_power,
    proportion_sample_size,
)


@pytest.mark.parametrize(
    ("d", "power", "units"), [(0.2, 0.8, 393), (0.5, 0.8, 64), (0.8, 0.8, 26), (1.0, 0.8, 17), (0.5, 0.95, 105)]
)
def test_cohen_1988_table_2_4_1(d: float, power: float, units: int) -> None:
    """Units per arm of the two-sided t-test at 5 %. The book rounds, so one more or less is agreement."""
    assert float(mean_sample_size(d, 1.0, power=power)) == pytest.approx(units, abs=1)


def test_the_manual_of_r_on_means() -> None:
    """power.t.test(n = 20, delta = 1, sd = 1): 0.869; power = .90: n = 22.02."""
    assert float(mean_power(1.0, 1.0, 20)) == pytest.approx(0.8689528, abs=1e-6)
    assert float(mean_sample_size(1.0, 1.0, power=0.90)) == 23


def test_the_manual_of_r_on_proportions() -> None:
    """power.prop.test(n = 50, p1 = .50, p2 = .75): 0.740; power = .90: n = 76.7."""
    assert float(proportion_power(0.50, 0.75, 50)) == pytest.approx(0.7401659, abs=1e-6)
    assert float(proportion_sample_size(0.50, 0.75, power=0.90)) == 77


@pytest.mark.parametrize("d", [5.0, 1.0, 0.1, 0.01, 0.001, 0.0001])
def test_the_sample_size_is_the_smallest_that_has_the_power(d: float) -> None:
    units = mean_sample_size(d, 1.0)
    assert float(mean_power(d, 1.0, units)) >= 0.8 - 1e-9
    if units > 2:
        # From 100,000 units on the formula leaves out the other tail, which holds a millionth.
        assert float(mean_power(d, 1.0, units - 1)) < 0.8 + 1e-6


def test_the_normal_approximation_takes_over_smoothly() -> None:
    below, above = (float(mean_power(0.0125, 1.0, n)) for n in (99_999, 100_000))
    assert below == pytest.approx(above, abs=1e-5)


def test_an_error_and_its_power_belong_together() -> None:
    """1.959964 + 0.841621 = 2.801585: the textbook constant for 5 % and 80 %."""
    assert float(needed_error(2.801585218)) == pytest.approx(1, abs=1e-8)
    assert float(error_power(2.801585218, 1.0)) == pytest.approx(0.8, abs=2e-6)
    assert float(error_power(0.0, 1.0)) == pytest.approx(0.05)
    assert math.isnan(float(error_power(0.0, 0.0)))


def test_levels_outside_their_range_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="alpha: must be between 0 and 1, but is 0"):
        mean_sample_size(1.0, 1.0, alpha=0)
    with pytest.raises(InvalidArgument, match="power: must be between 0 and 1, but is 1"):
        proportion_sample_size(0.1, 0.2, power=1)
