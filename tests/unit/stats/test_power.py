"""Power and sample sizes against published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate
from scipy import stats as scipy_stats

from sortition.errors import InvalidArgument
from sortition.stats import (
    UnitMoments,
    mde_from_error,
    mde_mean,
    mde_proportion,
    mde_quantile,
    mde_ratio,
    needed_error,
    power_from_error,
    power_mean,
    power_proportion,
    power_quantile,
    power_ratio,
    sample_size_mean,
    sample_size_proportion,
    sample_size_quantile,
    sample_size_ratio,
    unit_sd,
)


@pytest.mark.parametrize(
    ("d", "power", "units"), [(0.2, 0.8, 393), (0.5, 0.8, 64), (0.8, 0.8, 26), (1.0, 0.8, 17), (0.5, 0.95, 105)]
)
def test_cohen_1988_table_2_4_1(d: float, power: float, units: int) -> None:
    """Units per arm of the two-sided t-test at 5 %. The book rounds, so one more or less is agreement."""
    assert float(sample_size_mean(d, 1.0, power=power)) == pytest.approx(units, abs=1)


def test_the_manual_of_r_on_means() -> None:
    """power.t.test(n = 20, delta = 1, sd = 1): 0.869; power = .90: n = 22.02."""
    assert float(power_mean(1.0, 1.0, 20)) == pytest.approx(0.8689528, abs=1e-6)
    assert float(sample_size_mean(1.0, 1.0, power=0.90)) == 23


def test_the_manual_of_r_on_proportions() -> None:
    """power.prop.test(n = 50, p1 = .50, p2 = .75): 0.740; power = .90: n = 76.7."""
    assert float(power_proportion(0.50, 0.75, 50)) == pytest.approx(0.7401659, abs=1e-6)
    assert float(sample_size_proportion(0.50, 0.75, power=0.90)) == 77


@pytest.mark.parametrize("d", [5.0, 1.0, 0.1, 0.01, 0.001, 0.0001])
def test_the_sample_size_is_the_smallest_that_has_the_power(d: float) -> None:
    units = sample_size_mean(d, 1.0)
    assert float(power_mean(d, 1.0, units)) >= 0.8 - 1e-9
    if units > 2:
        # From 100,000 units on the formula leaves out the other tail, which holds a millionth.
        assert float(power_mean(d, 1.0, units - 1)) < 0.8 + 1e-6


def test_the_normal_approximation_takes_over_smoothly() -> None:
    """At 1e9 units in all."""
    difference = 2.801585218 * math.sqrt(2 / 5e8)
    below, above = (float(power_mean(difference, 1.0, n)) for n in (5e8 - 1, 5e8))
    assert below == pytest.approx(above, abs=1e-8)
    assert above == pytest.approx(0.8, abs=1e-8 + 1e-6)


def test_an_error_and_its_power_belong_together() -> None:
    """1.959964 + 0.841621 = 2.801585: the textbook constant for 5 % and 80 %."""
    assert float(needed_error(2.801585218)) == pytest.approx(1, abs=1e-8)
    assert float(power_from_error(2.801585218, 1.0)) == pytest.approx(0.8, abs=2e-6)
    assert float(power_from_error(0.0, 1.0)) == pytest.approx(0.05)
    assert math.isnan(float(power_from_error(0.0, 0.0)))


def test_levels_outside_their_range_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="alpha: must be between 0 and 1, but is 0"):
        sample_size_mean(1.0, 1.0, alpha=0)
    with pytest.raises(InvalidArgument, match="power: must be between 0 and 1, but is 1"):
        sample_size_proportion(0.1, 0.2, power=1)


@pytest.mark.parametrize(
    ("df", "noncentral", "alpha"), [(2, 0.3, 0.05), (6, 2.0, 0.01), (38, 3.0, 0.05), (500, 0.0, 1e-9)]
)
def test_the_noncentral_t_by_its_definition(df: int, noncentral: float, alpha: float) -> None:
    """T = (Z + shift) / √(V/df): P(|T| > c) integrated over the chi-square V."""
    border = float(scipy_stats.t.isf(alpha / 2, df))

    def beyond(v: float) -> float:
        reach = border * math.sqrt(v / df)
        tails = scipy_stats.norm.cdf(noncentral - reach) + scipy_stats.norm.cdf(-noncentral - reach)
        return float(tails * scipy_stats.chi2.pdf(v, df))

    low, high = (float(scipy_stats.chi2.ppf(p, df)) for p in (1e-15, 1 - 1e-15))
    expected = integrate.quad(beyond, low, high, epsabs=0, epsrel=1e-9, limit=500)[0]
    n = (df + 2) / 2
    found = power_mean(noncentral * math.sqrt(2 / n), 1.0, n, alpha)
    assert float(found) == pytest.approx(expected, rel=1e-6, abs=0)


def test_unequal_arms() -> None:
    """R's pwr.t2n.test(d = 0.6, n1 = 90, n2 = 60, alternative = "greater"): power 0.9737262, one-sided at 0.05."""
    assert float(power_mean(0.6, 1.0, 90, alpha=0.1, allocation=60 / 90)) == pytest.approx(0.9737262, abs=1e-6)
    units = sample_size_mean(0.6, 1.0, alpha=0.1, power=0.9737, allocation=[60 / 90, 90 / 60])
    assert units.tolist() == [90, 60]


@pytest.mark.parametrize("allocation", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("alpha", [0.05, 1e-12])
def test_size_power_and_effect_of_means_agree(allocation: float, alpha: float) -> None:
    differences = np.array([0.01, 0.1, 0.5, 3.0, 50.0])
    units = sample_size_mean(differences, 2.0, alpha, 0.9, allocation)
    assert np.all(power_mean(differences, 2.0, units, alpha, allocation) >= 0.9 - 1e-7)
    more = units > 2
    with np.errstate(all="ignore"):
        one_less = power_mean(differences, 2.0, units - 1, alpha, allocation)
    assert np.all((one_less < 0.9 + 1e-5)[more & (one_less == one_less)])
    smallest = mde_mean(2.0, units, alpha, 0.9, allocation)
    assert np.all(smallest <= differences * (1 + 1e-6))
    assert power_mean(smallest, 2.0, units, alpha, allocation).tolist() == pytest.approx([0.9] * 5, abs=2e-6)


@pytest.mark.parametrize("allocation", [0.25, 1.0, 3.0])
def test_size_power_and_effect_of_proportions_agree(allocation: float) -> None:
    rates = np.array([0.001, 0.1, 0.5])
    others = np.array([0.0013, 0.12, 0.45])
    units = sample_size_proportion(rates, others, 0.01, 0.85, allocation)
    assert np.all(power_proportion(rates, others, units, 0.01, allocation) >= 0.85 - 1e-12)
    assert np.all(power_proportion(rates, others, units - 1, 0.01, allocation) < 0.85)
    for rate, other, count in zip(rates, others, units, strict=True):
        smallest = mde_proportion(rate, count, 0.01, 0.85, allocation, increase=bool(other > rate))
        assert float(smallest) == pytest.approx(abs(other - rate), rel=0.01)
        assert float(smallest) <= abs(other - rate) * (1 + 1e-9)


def test_a_change_that_no_rate_can_show() -> None:
    assert np.isnan(mde_proportion(0.9, 10, power=0.9))
    assert np.isnan(mde_proportion([0.05, 0.5], 30, increase=False)).tolist() == [True, False]


def test_unequal_proportions_as_published() -> None:
    """Fleiss, Levin, Paik 2003, formula 4.18 without the correction: m = (z·√((r+1)P̄Q̄) + z'·√(rP₁Q₁+P₂Q₂))²/(r·d²)."""
    r, p1, p2, z, power_z = 2.0, 0.25, 0.40, 1.959963984540054, 1.2815515655446004
    mean = (p1 + r * p2) / (r + 1)
    root = z * math.sqrt((r + 1) * mean * (1 - mean)) + power_z * math.sqrt(r * p1 * (1 - p1) + p2 * (1 - p2))
    expected = math.ceil(root**2 / (r * (p2 - p1) ** 2))
    assert float(sample_size_proportion(p1, p2, power=0.90, allocation=r)) == expected


def test_repeated_units_by_their_components() -> None:
    """A unit's mean of m observations: variance between + within/m; unequal numbers as in Eldridge et al. 2006."""
    sd, m, icc = 3.0, 7, 0.3
    assert float(unit_sd(sd, m, icc)) ** 2 == pytest.approx(sd**2 * (icc + (1 - icc) / m), rel=1e-12, abs=0)
    # Var(Σ S / Σ D)·n for D of 2 or 12 alike: E(D² between + D within) / E(D)².
    sizes = np.array([2.0, 12.0])
    expected = np.mean(sizes**2 * icc + sizes * (1 - icc)) * sd**2 / np.mean(sizes) ** 2
    assert float(unit_sd(sd, 7, icc, sizes.std() / 7)) ** 2 == pytest.approx(expected, rel=1e-12, abs=0)


def test_a_ratio_whose_denominator_is_constant_is_a_mean() -> None:
    unit = UnitMoments.of(20.0, 8.0, 4.0, 0.0, 0.0)
    assert float(unit.sd) == 2
    units = float(sample_size_ratio(0.5, unit))
    # The t-test asks for a unit or two more.
    assert units <= float(sample_size_mean(0.5, 2.0)) <= units + 2
    assert float(power_ratio(0.5, unit, units)) >= 0.8
    assert float(power_ratio(0.5, unit, units - 1)) < 0.8
    assert float(mde_ratio(unit, units, allocation=2.0)) == pytest.approx(2 * 2.801585218 * math.sqrt(1.5 / units))


def test_the_spread_of_a_ratio_in_exact_numbers() -> None:
    """Four units (S, D) alike likely: the standard deviation of (S - R·D) / mean D."""
    s, d = np.array([1.0, 4.0, 6.0, 9.0]), np.array([1.0, 3.0, 2.0, 4.0])
    residual = (s - s.mean() / d.mean() * d) / d.mean()
    unit = UnitMoments.of(s.mean(), s.std(), d.mean(), d.std(), float(np.corrcoef(s, d)[0, 1]))
    assert float(unit.sd) == pytest.approx(float(residual.std()), rel=1e-12, abs=0)
    assert float(UnitMoments.of(10.0, 2.0, 5.0, 1.0, 1.0).sd) == 0


def test_a_quantile_needs_what_its_density_says() -> None:
    """The median of normal observations is π/2 times as costly as the mean."""
    density = 1 / math.sqrt(2 * math.pi)
    by_mean = 2 * (2.801585218 / 0.1) ** 2
    found = sample_size_quantile([0.1, 0.1], 0.5, density, design_effect=[1.0, 4.0])
    assert found.tolist() == [math.ceil(by_mean * math.pi / 2), math.ceil(4 * by_mean * math.pi / 2)]
    assert float(power_quantile(0.1, 0.5, density, found[0])) == pytest.approx(0.8, abs=1e-3)
    assert float(mde_quantile(0.5, density, found[0])) == pytest.approx(0.1, rel=1e-3)


def test_extremes_of_size() -> None:
    """n = 2·(2.801585/d)² for d = 1e-6 is 1.57e13; no difference takes infinitely many."""
    assert float(sample_size_mean(1e-6, 1.0)) == pytest.approx(2 * (2.801585218e6) ** 2, rel=1e-8)
    assert float(sample_size_mean(1e-3, 1e9)) == pytest.approx(2 * (2.801585218e12) ** 2, rel=1e-8)
    assert math.isinf(float(sample_size_mean(0.0, 1.0)))
    assert math.isinf(float(sample_size_proportion(0.1, 0.1)))
    assert float(mde_mean(1.0, 1e12)) == pytest.approx(2.801585218 * math.sqrt(2e-12), rel=1e-8)
    assert float(mde_from_error(2.0)) == pytest.approx(2 * 2.801585218, rel=1e-9)


def test_arguments_outside_their_range_are_refused_together() -> None:
    with pytest.raises(InvalidArgument, match=r"icc: must be between 0 and 1, but is 2\.0") as caught:
        unit_sd(1.0, 0.0, 2.0)
    assert "observations: must be > 0" in str(caught.value)
    with pytest.raises(InvalidArgument, match=r"allocation: must be > 0 and finite, but is 0\.0"):
        sample_size_mean(1.0, 1.0, allocation=0.0)
    with pytest.raises(InvalidArgument, match="correlation: must be between -1 and 1"):
        UnitMoments.of(1.0, 1.0, 1.0, 1.0, 1.5)
    with pytest.raises(InvalidArgument, match="denominator_mean: must be > 0"):
        UnitMoments.of(1.0, 1.0, 0.0, 1.0, 0.5)
    with pytest.raises(InvalidArgument, match=r"write 0\.95 for p95"):
        sample_size_quantile(1.0, 95, 1.0)
