"""A metric's parts fit together."""

from __future__ import annotations

from typing import Any

import pytest

from sortition.errors import InvalidArgument
from sortition.model import Metric, MetricKind, MetricRole, validate

DURATION = {"name": "m", "kind": "duration", "goal": "minimize"}


def metric(**fields: Any) -> Metric:
    return validate(Metric, {**DURATION, **fields})


def violations(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as caught:
        metric(**fields)
    return [(violation.field, violation.description) for violation in caught.value.violations]


def test_the_defaults() -> None:
    plain = metric()
    assert plain.kind is MetricKind.DURATION
    assert plain.role is MetricRole.SECONDARY
    assert plain.reported_quantiles == (0.5, 0.95, 0.99)


@pytest.mark.parametrize(
    ("kind", "declared", "reported"),
    [
        ("duration", [0.9], (0.9,)),
        ("continuous", [], ()),
        ("continuous", [0.5, 0.95], (0.5, 0.95)),
        ("count", [0.5], (0.5,)),
        ("binary", [], ()),
    ],
)
def test_only_durations_report_quantiles_unasked(kind: str, declared: list[float], reported: tuple[float, ...]) -> None:
    assert metric(kind=kind, quantiles=declared).reported_quantiles == reported


@pytest.mark.parametrize("margin", [0, 0.01, 0.999])
def test_a_guardrail_may_have_a_margin(margin: float) -> None:
    assert metric(role="guardrail", margin=margin).margin == margin


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        ({"kind": "speed"}, "kind", "must be one of binary, continuous, duration, count, ratio, but is 'speed'"),
        ({"goal": "up"}, "goal", "must be one of maximize, minimize"),
        ({"goal": True}, "goal", "must be one of maximize, minimize, but is True"),
        ({"role": 3}, "role", "must be one of primary, secondary, guardrail"),
        ({"quantiles": [0.5, 95]}, "quantiles[1]", "write 0.95 for p95"),
        ({"quantiles": [0]}, "quantiles[0]", "between 0 and 1"),
        ({"quantiles": [0.5, 0.5]}, "quantiles", "twice"),
        ({"quantiles": [i / 10 for i in range(1, 10)]}, "quantiles", "has 9 entries; the limit is 8"),
        ({"quantiles": [float("nan")]}, "quantiles[0]", "finite"),
        ({"quantiles": ["0.5"]}, "quantiles[0]", "valid number"),
        ({"kind": "binary", "quantiles": [0.5]}, "quantiles", "not kept for a binary metric"),
        ({"kind": "ratio", "quantiles": [0.5]}, "quantiles", "not kept for a ratio metric"),
        ({"margin": 0.1}, "margin", "set role: guardrail"),
        ({"role": "guardrail", "margin": 1}, "margin", "must be in [0, 1)"),
        ({"role": "guardrail", "margin": -0.1}, "margin", "must be in [0, 1)"),
        ({"min": 2, "max": 1}, "min", "is 2.0, above max 1.0"),
        ({"cap_min": 2, "cap_max": 1}, "cap_min", "above cap_max"),
        ({"kind": "binary", "max": 1}, "max", "no meaning for a binary metric"),
        ({"max": float("inf")}, "max", "finite"),
        # The core refuses such a bound, and with it the whole snapshot.
        ({"kind": "continuous", "min": -1.1e100}, "min", "largest magnitude is 1e+100"),
        ({"cap_max": 1e101}, "cap_max", "largest magnitude is 1e+100"),
        ({"unit": "s" * 8193}, "unit", "has 8193 bytes; the limit is 8192"),
        ({"unit": "ä" * 4097}, "unit", "has 8194 bytes"),
        ({"unit": "\ud800"}, "unit", "lone surrogate"),
        ({"speed": 1}, "speed", "is not a known field"),
        ({"kind": "binary", "prior": {"sd": 1}}, "prior.sd", "is not for a binary metric; give successes and failures"),
        ({"kind": "continuous", "prior": {"sd": 1, "failures": 1}}, "prior.failures", "give mean and sd"),
        ({"kind": "continuous", "prior": {"mean": 0}}, "prior.sd", "is required"),
        ({"kind": "continuous", "prior": {"sd": 0}}, "prior.sd", "greater than 0"),
        ({"kind": "binary", "prior": {"successes": 2e9}}, "prior.successes", "less than or equal to"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], field: str, why: str) -> None:
    [found] = violations(**fields)
    assert found[0] == field
    assert why in found[1]


def test_everything_is_said_at_once() -> None:
    found = violations(quantiles=[0.5, 0.5, 2], margin=3, min=4, max=2)
    assert [field for field, _ in found] == ["quantiles[2]", "quantiles", "margin", "margin", "min"]
