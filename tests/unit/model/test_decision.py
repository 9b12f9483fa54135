"""When and how an experiment is decided."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortition.errors import InvalidArgument
from sortition.model import Decision, DecisionPolicy, Risk, validate


def test_the_defaults_are_those_that_are_promised() -> None:
    plain = Decision()
    assert (plain.min_samples, plain.max_samples, plain.confidence, plain.mde) == (1000, None, 0.95, 0.05)
    assert (plain.power, plain.max_days, plain.policy, plain.risk) == (
        0.8,
        14,
        DecisionPolicy.FIXED_HORIZON,
        Risk.NORMAL,
    )


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
