"""Group sequential boundaries and crossing probabilities against published tables and an independent integral."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.errors import InvalidArgument
from sortition.stats import crossing_probability, group_sequential, repeated_interval


@pytest.mark.parametrize(
    ("looks", "constant"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (10, 2.555), (20, 2.672)]
)
def test_jennison_turnbull_2000_table_2_1(looks: int, constant: float) -> None:
    """Pocock's constants for alpha = 0.05: three decimals leave a few ten-thousandths of alpha."""
    assert float(crossing_probability(looks, constant).sum()) == pytest.approx(0.05, abs=1e-4)
    assert float(crossing_probability(looks, constant + 6e-4).sum()) < 0.05
    assert float(crossing_probability(looks, constant - 6e-4).sum()) > 0.05


@pytest.mark.parametrize(
    ("looks", "constant"), [(2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040), (10, 2.087), (20, 2.126)]
)
def test_jennison_turnbull_2000_table_2_3(looks: int, constant: float) -> None:
    """O'Brien and Fleming's constants for alpha = 0.05: z = C·√(K/k)."""
    shape = np.sqrt(looks / np.arange(1, looks + 1))
    assert float(crossing_probability(looks, constant * shape).sum()) == pytest.approx(0.05, abs=1e-4)
    assert float(crossing_probability(looks, (constant + 7e-4) * shape).sum()) < 0.05
    assert float(crossing_probability(looks, (constant - 7e-4) * shape).sum()) > 0.05


@pytest.mark.parametrize(
    ("looks", "expected"), [(1, 0.05), (2, 0.083), (3, 0.107), (4, 0.126), (5, 0.142), (10, 0.193), (20, 0.248)]
)
def test_armitage_mcpherson_rowe_1969_table_2(looks: int, expected: float) -> None:
    """What peeking at 5 % does."""
    z = float(scipy_stats.norm.isf(0.025))
    assert float(crossing_probability(looks, z).sum()) == pytest.approx(expected, abs=6e-4)


def test_lan_demets_boundaries_of_gsdesign_and_of_reboussin_2000() -> None:
    """Five equal looks, two-sided 5 %: gsDesign's sfLDOF to four decimals, the Pocock type of Reboussin et al."""
    np.testing.assert_allclose(group_sequential(5).z, [4.8769, 3.3570, 2.6803, 2.2898, 2.0310], atol=6e-5)
    pocock = group_sequential(5, spending="pocock").z
    np.testing.assert_allclose(pocock, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859], atol=1.5e-4)


@pytest.mark.parametrize(
    ("spending", "parameter", "alpha", "information", "z"),
    [
        ("hwang_shih_decani", -1.0, 0.07, [0.2, 0.4, 1.0], [2.364813, 2.1928805, 1.5660474]),
        ("kim_demets", 2.2, 0.03, [0.3, 0.7, 1.0], [2.8594012, 2.2435708, 1.9735737]),
        ("pocock", None, 0.13, [0.35, 0.7, 1.0], [1.5446617, 1.4828682, 1.4620058]),
    ],
)
def test_rpact_one_sided(
    spending: str, parameter: float | None, alpha: float, information: list[float], z: list[float]
) -> None:
    """Critical values that rpact's own test suite expects of asHSD, asKD and asP to seven digits."""
    found = group_sequential(information, alpha=alpha, spending=spending, parameter=parameter, sides=1)
    np.testing.assert_allclose(found.z, z, rtol=5e-8)


def test_rpact_crossing_probabilities() -> None:
    """Wang–Tsiatis boundaries (deltaWT = 0.45), one side at 0.025; and both sides at ±1.645 four times."""
    z = [2.4878815, 2.4031352, 2.3549063, 2.2955206]
    spent = crossing_probability([0.2, 0.4, 0.6, 1.0], z, sides=1).cumsum()
    np.testing.assert_allclose(spent, [0.0064253267, 0.012720859, 0.01826361, 0.025], rtol=1e-7)
    both = crossing_probability(4, scipy_stats.norm.isf(0.05)) / 2
    np.testing.assert_allclose(both, [0.05, 0.030074925, 0.020961248, 0.01595848], rtol=5e-8)


@pytest.mark.parametrize("drift", [0.0, 1.5, -3.0])
@pytest.mark.parametrize("information", [[0.3, 1.0], [0.2, 0.25, 0.8], [0.1, 0.4, 0.5, 1.0]])
def test_scipys_multivariate_normal(information: list[float], drift: float) -> None:
    """Another way to the same probability, by lattice rules: staying inside is one integral over a rectangle."""
    t = np.array(information)
    z = np.linspace(2.6, 2.0, len(t))
    covariance = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    joint = scipy_stats.multivariate_normal(drift * np.sqrt(t), covariance, seed=1)
    inside = joint.cdf(z, lower_limit=-z)
    assert 1 - float(crossing_probability(t, z, drift).sum()) == pytest.approx(float(inside), abs=3e-5)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("spending", ["obrien_fleming", "pocock", "kim_demets", "hwang_shih_decani"])
def test_what_is_spent_is_what_is_crossed(spending: str, sides: int) -> None:
    rng = np.random.default_rng(11)
    t = np.unique(np.concatenate([rng.uniform(0.01, 0.99, 12).round(2), [1.0]]))
    plan = group_sequential(t, alpha=0.01, spending=spending, sides=sides)
    np.testing.assert_allclose(crossing_probability(t, plan.z, sides=sides).cumsum(), plan.spent, rtol=1e-9)
    assert plan.spent[-1] == pytest.approx(0.01, rel=1e-12)
    np.testing.assert_allclose(plan.nominal_p, scipy_stats.norm.sf(plan.z) * sides, rtol=1e-12)


def test_a_look_depends_on_earlier_looks_only() -> None:
    whole = group_sequential([0.2, 0.5, 0.9, 1.0])
    assert group_sequential([0.2, 0.5]).z.tolist() == whole.z[:2].tolist()


def test_a_plan_for_every_day_of_a_year_spends_alpha_to_the_last_digit() -> None:
    plan = group_sequential(365)
    assert float(crossing_probability(365, plan.z).sum()) == pytest.approx(0.05, rel=1e-10)
    # So early that nothing is worth spending there is no boundary; a number would be a lie.
    assert plan.z[0] == np.inf
    assert plan.nominal_p[0] == 0


def test_a_single_look_is_the_usual_test() -> None:
    plan = group_sequential(1)
    assert float(plan.z[0]) == pytest.approx(1.959963984540054, rel=1e-13)
    assert float(plan.nominal_p[0]) == pytest.approx(0.05, rel=1e-13)


def test_a_repeated_interval_excludes_zero_exactly_where_the_boundary_is_crossed() -> None:
    plan = group_sequential(4, spending="pocock")
    for z, nominal in zip(plan.z, plan.nominal_p, strict=True):
        inside, outside = repeated_interval([z - 1e-9, z + 1e-9], 1.0, nominal).lower
        assert inside < 0 < outside
    # With few degrees of freedom it is t at the nominal level: R's qt(1 - 0.01/2, 10) = 3.169273.
    assert float(repeated_interval(0.0, 2.0, 0.01, df=10).upper) == pytest.approx(2 * 3.169273, abs=2e-6)


def test_a_repeated_interval_without_an_answer() -> None:
    found = repeated_interval([1.0, np.nan, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0], [0.01, 0.01, 0.01, 0.0], df=[9, 9, 0, 9])
    assert found.reason.tolist() == [
        "the observations have no variance",
        "the estimate or its standard error is unknown",
        "the standard error has no degrees of freedom",
        "",
    ]
    assert np.isnan(found.lower[:3]).all()
    assert found.upper[3] == np.inf


def test_drift_moves_crossing_forward() -> None:
    """With a drift of 28 nothing stays inside; the first look has its closed form."""
    found = crossing_probability(3, 2.0, [0.0, 2.0, 28.0])
    assert found.shape == (3, 3)
    root = math.sqrt(1 / 3)
    for k, drift in enumerate((0.0, 2.0, 28.0)):
        exact = scipy_stats.norm.sf(2 - drift * root) + scipy_stats.norm.cdf(-2 - drift * root)
        assert float(found[k, 0]) == pytest.approx(float(exact), rel=1e-12)
    np.testing.assert_allclose(found[2].sum(), 1, rtol=1e-12)


def test_arguments_outside_their_range_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"information: must increase within \(0, 1\] by at least 0.001"):
        group_sequential([0.5, 0.5])
    with pytest.raises(InvalidArgument, match=r"information: must increase within \(0, 1\]"):
        group_sequential([0.5, 1.1])
    with pytest.raises(InvalidArgument, match="information: must increase"):
        group_sequential([0.5, float("nan")])
    with pytest.raises(InvalidArgument, match="information: must be from 1 to 400 looks, but is 0"):
        group_sequential(0)
    with pytest.raises(InvalidArgument, match="information: must be one row of 1 to 400 looks"):
        group_sequential([[0.5, 1.0]])
    with pytest.raises(InvalidArgument, match="sides: must be 1 or 2, but is 3"):
        group_sequential(3, sides=3)
    with pytest.raises(InvalidArgument, match=r"alpha: must be at most 0\.5 with one side"):
        group_sequential(3, sides=1, alpha=0.7)
    with pytest.raises(InvalidArgument, match="spending: is 'haybittle'"):
        group_sequential(3, spending="haybittle")
    with pytest.raises(InvalidArgument, match="z: must be > 0, but is"):
        crossing_probability(2, [1.0, -1.0])
    with pytest.raises(InvalidArgument, match="drift: must be within 28, but is 29"):
        crossing_probability(2, 2.0, 29.0)
