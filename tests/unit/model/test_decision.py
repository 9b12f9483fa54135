"""When and how an experiment is decided."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortition.errors import InvalidArgument
from sortition.model import Correction, Decision, DecisionPolicy, Risk, Spending, validate


def test_the_defaults_are_those_that_are_promised() -> None:
    plain = Decision()
    assert (plain.min_samples, plain.max_samples, plain.confidence, plain.mde) == (1000, None, 0.95, 0.05)
    assert (plain.power, plain.max_days, plain.policy, plain.risk) == (
        0.8,
        14,
        DecisionPolicy.SEQUENTIAL,
        Risk.NORMAL,
    )
    assert (plain.looks, plain.spending, plain.correction) == ((), Spending.OBRIEN_FLEMING, Correction.HOLM)


@pytest.mark.parametrize(
    ("confidence", "risk", "alpha"),
    [
        (0.95, "normal", 0.05),
        (0.95, "high", 0.01),
        (0.9, "normal", 0.1),
        (0.999, "high", 0.001),
        (0.99, "normal", 0.01),
    ],
)
def test_alpha_is_what_people_read(confidence: float, risk: str, alpha: float) -> None:
    assert validate(Decision, {"confidence": confidence, "risk": risk}).alpha == alpha


@given(st.floats(0.5, 1, exclude_min=True, exclude_max=True))
def test_alpha_is_never_zero(confidence: float) -> None:
    alpha = Decision(confidence=confidence).alpha
    assert 0 < alpha < 0.5 or math.isclose(alpha, 0.5)
    assert math.isclose(alpha, 1 - confidence, rel_tol=0, abs_tol=1.2e-16)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"min_samples": 1}, "min_samples"),
        ({"min_samples": 2.5}, "min_samples"),
        ({"min_samples": True}, "min_samples"),
        ({"min_samples": 10**5000}, "min_samples"),
        ({"max_samples": 999}, "max_samples"),
        ({"confidence": 1}, "confidence"),
        ({"confidence": 0.5}, "confidence"),
        ({"confidence": 95}, "confidence"),
        ({"confidence": "0.95"}, "confidence"),
        ({"confidence": float("nan")}, "confidence"),
        ({"mde": -0.01}, "mde"),
        ({"mde": 10.5}, "mde"),
        ({"power": 1}, "power"),
        ({"max_days": 0}, "max_days"),
        ({"max_days": 3651}, "max_days"),
        ({"policy": "gut"}, "policy"),
        ({"risk": "low"}, "risk"),
    ],
)
def test_values_outside_their_range_are_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate(Decision, fields)
    [violation] = caught.value.violations
    assert violation.field == field
    assert len(violation.description) < 200


def test_max_samples_may_equal_min_samples() -> None:
    assert validate(Decision, {"min_samples": 300, "max_samples": 300}).max_samples == 300


PLANNED = {"policy": "group_sequential", "min_samples": 100}


def test_the_horizon_is_where_the_last_look_is() -> None:
    assert validate(Decision, {"policy": "fixed_horizon", "min_samples": 77}).horizon == 77
    assert validate(Decision, {**PLANNED, "looks": [100, 250]}).horizon == 250
    assert Decision().horizon is None


@pytest.mark.parametrize(
    ("raw", "field", "said"),
    [
        ({"looks": [500]}, "looks", "are for the policy group_sequential, but the policy is sequential"),
        ({"policy": "fixed_horizon", "looks": [500]}, "looks", "the policy is fixed_horizon"),
        (PLANNED, "looks", "is required by the policy group_sequential"),
        ({**PLANNED, "looks": [200, 200]}, "looks", "must ascend"),
        ({**PLANNED, "looks": [300, 200]}, "looks", "must ascend"),
        ({**PLANNED, "looks": [99, 200]}, "looks", "begin at 99, below min_samples 100"),
        ({**PLANNED, "looks": list(range(100, 121))}, "looks", "has 21 entries; the limit is 20"),
        ({**PLANNED, "looks": [100, 900], "max_samples": 800}, "max_samples", "is 800, below the last look 900"),
        ({**PLANNED, "looks": [1, 900]}, "looks[0]", "greater than or equal to 2"),
        ({**PLANNED, "looks": [100], "spending": "all"}, "spending", "obrien_fleming, pocock, kim_demets"),
        ({**PLANNED, "looks": [100], "spending_power": 0}, "spending_power", "greater than 0"),
        ({**PLANNED, "looks": [100], "spending_power": 10.5}, "spending_power", "less than or equal to 10"),
        ({"correction": "bonferroni"}, "correction", "holm, benjamini_hochberg, none"),
    ],
)
def test_planned_looks_are_checked(raw: dict[str, object], field: str, said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate(Decision, raw)
    (violation,) = caught.value.violations
    assert violation.field == field
    assert said in violation.description


def test_what_came_later_leaves_the_json_of_before_as_it_was() -> None:
    """Hashes of what is stored must not change because there are new fields."""
    before = {"min_samples", "max_samples", "confidence", "mde", "power", "max_days", "policy", "risk"}
    assert set(Decision().model_dump(mode="json")) == before
    used = validate(Decision, {**PLANNED, "looks": [100, 200], "spending": "pocock", "correction": "none"})
    dumped = used.model_dump(mode="json")
    assert set(dumped) == before | {"looks", "spending", "correction"}
    assert validate(Decision, dumped) == used
