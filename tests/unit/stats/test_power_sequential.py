"""Power and sample sizes of sequential designs against published tables and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sortition.errors import InvalidArgument
from sortition.stats import (
    GroupSequential,
    asymptotic_cs,
    group_sequential,
    mde_sequential,
    needed_error_group_sequential,
    needed_error_sequential,
    power_group_sequential,
    power_sequential,
    sample_size_group_sequential,
    sample_size_sequential,
)

FIXED = 1.959963984540054 + 0.8416212335729143


def classic(looks: int, constant: float, *, pocock: bool) -> GroupSequential:
    t = np.arange(1, looks + 1) / looks
    z = np.full(looks, constant) if pocock else constant / np.sqrt(t)
    return GroupSequential(t, t * math.nan, z, t * math.nan, 0.05, 2)


@pytest.mark.parametrize(
    ("looks", "constant", "ratio"), [(2, 2.178, 1.110), (3, 2.289, 1.166), (4, 2.361, 1.202), (5, 2.413, 1.229)]
)
def test_jennison_turnbull_2000_table_2_2(looks: int, constant: float, ratio: float) -> None:
    """Pocock's largest sample beside the fixed one, alpha 0.05, power 0.8."""
    error = float(needed_error_group_sequential(1.0, classic(looks, constant, pocock=True)))
    assert (1 / error / FIXED) ** 2 == pytest.approx(ratio, abs=1e-3)


@pytest.mark.parametrize(
    ("looks", "constant", "ratio"), [(2, 1.977, 1.008), (3, 2.004, 1.017), (4, 2.024, 1.024), (5, 2.040, 1.028)]
)
def test_jennison_turnbull_2000_table_2_4(looks: int, constant: float, ratio: float) -> None:
    """The same for O'Brien and Fleming."""
    error = float(needed_error_group_sequential(1.0, classic(looks, constant, pocock=False)))
    assert (1 / error / FIXED) ** 2 == pytest.approx(ratio, abs=1e-3)


def test_a_single_look_is_a_fixed_horizon() -> None:
    plan = group_sequential(1)
    # The usual formula leaves out the other tail, which holds a millionth.
    assert float(needed_error_group_sequential(FIXED, plan)) == pytest.approx(1, rel=3e-6)
    assert float(power_group_sequential(FIXED, 1.0, plan)) == pytest.approx(0.8, abs=2e-6)


def test_power_of_a_confidence_sequence_by_simulation() -> None:
    """Experiments that are looked at thirty times by `asymptotic_cs` itself."""
    rng = np.random.default_rng(4)
    runs, looks, drift = 20_000, 30, 3.4
    t = np.arange(1, looks + 1) / looks
    score = (rng.normal(size=(runs, looks)) / math.sqrt(looks) + drift / looks).cumsum(axis=1)
    held = asymptotic_cs(score / t, 1 / np.sqrt(t), t * 1000, planned_n=1000)
    found = float((held.p_value <= 0.05).any(axis=1).mean())
    assert float(power_sequential(drift, 1.0)) == pytest.approx(found, abs=5 * 0.5 / math.sqrt(runs))
    cautious = asymptotic_cs(score / t, 1 / np.sqrt(t), t * 1000, planned_n=8000)
    found = float((cautious.p_value <= 0.05).any(axis=1).mean())
    assert float(power_sequential(drift, 1.0, tuned_at=8.0)) == pytest.approx(found, abs=5 * 0.5 / math.sqrt(runs))


def test_error_power_units_and_difference_belong_together() -> None:
    error = needed_error_sequential(0.2, power=0.9)
    assert float(power_sequential(0.2, error)) == pytest.approx(0.9, rel=1e-9)
    units = sample_size_sequential(0.2, 3.0, power=0.9)
    assert float(power_sequential(0.2, 3.0 * np.sqrt(2 / units))) >= 0.9
    assert float(power_sequential(0.2, 3.0 * np.sqrt(2 / (units - 1)))) < 0.9
    assert float(mde_sequential(3.0, units, power=0.9)) == pytest.approx(0.2, rel=1e-3)
    plan = group_sequential(4)
    units = sample_size_group_sequential(0.2, 3.0, plan, power=0.9)
    assert float(power_group_sequential(0.2, 3.0 * np.sqrt(2 / units), plan)) >= 0.9
    assert float(power_group_sequential(0.2, 3.0 * np.sqrt(2 / (units - 1)), plan)) < 0.9


def test_no_power_is_beyond_one() -> None:
    differences = np.linspace(0, 28, 2000)
    for power in (
        power_sequential(differences, 1.0),
        power_group_sequential(differences, 1.0, group_sequential(20)),
    ):
        assert power.max() == pytest.approx(1)
        assert power.max() <= 1


def test_looking_costs_units() -> None:
    """A fixed horizon takes least, a group sequential test little more, looking all the time most."""
    fixed = 2 * (FIXED / 0.1) ** 2
    planned = float(sample_size_group_sequential(0.1, 1.0, group_sequential(5)))
    always = float(sample_size_sequential(0.1, 1.0))
    assert fixed < planned < 1.05 * fixed
    assert 1.4 * fixed < always < 1.8 * fixed


def test_arrays_and_the_far_end() -> None:
    power = power_sequential([0.0, -3.0, 3.0, 1e9, np.nan], 1.0)
    assert power[0] < 0.05
    assert power[1] == power[2]
    assert power[3] == pytest.approx(1, abs=1e-12)
    assert np.isnan(power[4])
    group = power_group_sequential([0.0, 1e9, np.nan], 1.0, group_sequential(3))
    assert group[0] == pytest.approx(0.05, rel=1e-9)
    assert group[1] == pytest.approx(1, abs=1e-12)
    assert np.isnan(group[2])
    assert sample_size_sequential([0.5, 0.0], 1.0).tolist()[1] == np.inf
    assert float(sample_size_sequential(1e9, 1.0)) == 2


def test_arguments_outside_their_range_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="alpha: must be between 0 and 1"):
        power_sequential(1.0, 1.0, alpha=0)
    with pytest.raises(InvalidArgument, match="power: must be between 0 and 1"):
        needed_error_sequential(1.0, power=1)
    with pytest.raises(InvalidArgument, match="tuned_at: must be a finite number > 0"):
        power_sequential(1.0, 1.0, tuned_at=0)
    with pytest.raises(InvalidArgument, match="information: must be from 1 to 400 looks, but is 500"):
        power_sequential(1.0, 1.0, looks=500)
    with pytest.raises(InvalidArgument, match="power: must be between 0 and 1"):
        needed_error_group_sequential(1.0, group_sequential(2), power=0)
