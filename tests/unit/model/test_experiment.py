"""A specification is accepted whole or refused with everything that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from sortition.errors import InvalidArgument
from sortition.model import ExperimentSpec, validate

Refused: TypeAlias = Callable[..., list[tuple[str, str]]]


def variants(*weights: object, controls: int = 1) -> list[dict[str, Any]]:
    return [
        {"name": f"v{index}", "weight": weight, "control": index < controls} for index, weight in enumerate(weights)
    ]


def test_the_smallest_experiment(plain: dict[str, Any]) -> None:
    spec = validate(ExperimentSpec, plain)
    assert spec.organization == "default"
    assert spec.unit == "session"
    assert spec.title == "search-strategy"
    assert spec.primary.name == "found"
    assert spec.control.name == "one"
    assert spec.variant("two") is spec.variants[1]
    assert spec.variant("three") is None
    assert spec.metric("found") is spec.metrics[0]
    assert spec.metric("lost") is None


def test_its_json_reads_back_as_itself(plain: dict[str, Any]) -> None:
    metrics = [
        {"name": "t", "kind": "duration", "goal": "minimize", "role": "primary", "quantiles": [0.5], "cap_max": 60},
        {"name": "ok", "kind": "binary", "goal": "maximize", "role": "guardrail", "margin": 0.01},
    ]
    decision = {"min_samples": 300, "mde": 0.1, "risk": "high"}
    whole = {**plain, "metrics": metrics, "variants": variants("33.33", 33, 33.67), "decision": decision}
    spec = validate(ExperimentSpec, whole)
    again = validate(ExperimentSpec, json.loads(spec.to_json()))
    assert again == spec
    assert again.hash == spec.hash


def test_the_hash_sees_every_change_and_no_way_of_writing(plain: dict[str, Any]) -> None:
    spec = validate(ExperimentSpec, plain)
    rewritten = {**plain, "variants": variants("50.00", 50.0), "organization": "default"}
    rewritten["variants"][0]["name"], rewritten["variants"][1]["name"] = "one", "two"
    assert validate(ExperimentSpec, rewritten).hash == spec.hash
    assert validate(ExperimentSpec, {**plain, "hypothesis": "x"}).hash != spec.hash


@pytest.mark.parametrize("weights", [(50, 50), ("33.33", "33.33", "33.34"), (0, 100), (0.01, 99.99)])
def test_weights_that_sum_to_the_whole(plain: dict[str, Any], weights: tuple[object, ...]) -> None:
    spec = validate(ExperimentSpec, {**plain, "variants": variants(*weights)})
    assert sum(variant.basis_points for variant in spec.variants) == 10_000


@pytest.mark.parametrize(
    ("arms", "why"),
    [
        (variants(50, 49.99), "has weights that sum to 99.99 %; they must sum to 100 %"),
        (variants("33.33", "33.33", "33.33"), "has weights that sum to 99.99 %; they must sum to 100 %"),
        (variants(60, 60), "has weights that sum to 120 %; they must sum to 100 %"),
        (variants(50, 50, controls=0), "has no control; set control: true on exactly one"),
        (variants(50, 50, controls=2), "has 2 controls (v0, v1); keep exactly one"),
        (variants(100), "has 1; an experiment needs at least 2"),
        (variants(36, *[1] * 64), "has 65; the limit is 64"),
        ([*variants(50, 25), {"name": "v1", "weight": 25}], "has 2 variants named 'v1'; names must be unique"),
    ],
)
def test_arms_that_do_not_fit_together(refused: Refused, arms: list[dict[str, Any]], why: str) -> None:
    assert refused(variants=arms) == [("variants", why)]


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        (["secondary"], "has no primary metric; set role: primary on exactly one"),
        ([], "has no primary metric; set role: primary on exactly one"),
        (["primary", "primary"], "has 2 primary metrics (m0, m1); keep exactly one"),
        (["primary"] + ["secondary"] * 64, "has 65; the limit is 64"),
    ],
)
def test_metrics_that_do_not_fit_together(refused: Refused, roles: list[str], why: str) -> None:
    metrics = [
        {"name": f"m{index}", "kind": "count", "goal": "maximize", "role": role} for index, role in enumerate(roles)
    ]
    assert refused(metrics=metrics) == [("metrics", why)]


def test_the_same_metric_twice(refused: Refused, plain: dict[str, Any]) -> None:
    twice = [*plain["metrics"], {"name": "found", "kind": "count", "goal": "maximize"}]
    assert refused(metrics=twice) == [("metrics", "has 2 metrics named 'found'; names must be unique")]


def test_every_violation_is_reported_at_once(refused: Refused) -> None:
    found = refused(
        key="A B",
        bogus=1,
        unit="",
        subject={"kind": "agent"},
        metrics=[{"name": "m", "kind": "binary", "goal": "up"}],
        variants=[{"name": "a!", "weight": "half"}, {"name": "b", "weight": 20}, {"name": "b", "weight": 20}],
        decision={"min_samples": 10, "max_samples": 5},
    )
    assert {field for field, _ in found} == {
        "key",
        "bogus",
        "unit",
        "subject.id",
        "metrics[0].goal",
        "metrics",
        "variants[0].name",
        "variants[0].weight",
        "variants",
        "decision.max_samples",
    }
    # What concerns the arms together is said although one of them is wrong by itself.
    assert [description for field, description in found if field == "variants"] == [
        "has 2 variants named 'b'; names must be unique",
        "has no control; set control: true on exactly one",
    ]


def test_a_value_with_braces_is_shown_as_it_is(refused: Refused) -> None:
    found = dict(refused(variants=[{"name": "{x}", "weight": "{0}"}, {"name": "b", "weight": 50}]))
    assert "'{x}'" in found["variants[0].name"]
    assert "'{0}'" in found["variants[0].weight"]


@pytest.mark.parametrize("raw", [None, [], 3, "text"])
def test_what_is_no_mapping_is_refused(raw: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate(ExperimentSpec, raw)
    assert len(caught.value.violations) == 1


def test_everything_required_is_named() -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate(ExperimentSpec, {})
    assert [str(violation) for violation in caught.value.violations] == [
        "key: is required",
        "subject: is required",
        "metrics: is required",
        "variants: is required",
    ]


@pytest.mark.parametrize("key", ["", "A", "a b", "a/b", "ü", "a\n", "x" * 129])
def test_keys_that_are_refused(refused: Refused, key: str) -> None:
    assert [field for field, _ in refused(key=key, organization=key)] == ["key", "organization"]


def test_a_specification_cannot_be_changed(plain: dict[str, Any]) -> None:
    spec = validate(ExperimentSpec, plain)
    with pytest.raises(ValueError, match="frozen"):
        spec.key = "other"
