"""Specifications as messages of the contract, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import struct_pb2

from sortition.errors import InvalidArgument
from sortition.model import (
    DecisionPolicy,
    ExperimentSpec,
    ExperimentStatus,
    Goal,
    MetricKind,
    MetricRole,
    Risk,
    SubjectRef,
    validate,
)
from sortition.model.wire import (
    config_from_struct,
    kind_from_proto,
    spec_from_proto,
    spec_to_proto,
    status_from_proto,
    status_to_proto,
    struct_from_config,
    subject_from_proto,
    subject_to_proto,
)
from sortition.rpc.v1 import common_pb2, experiment_pb2, snapshot_pb2


@pytest.fixture
def full() -> ExperimentSpec:
    """An experiment in which nothing has its default."""
    return validate(
        ExperimentSpec,
        {
            "key": "search-strategy",
            "organization": "lab",
            "subject": {"kind": "agent", "id": "search-agent"},
            "name": "Suche – schneller",
            "description": "d",
            "hypothesis": "h",
            "unit": "user",
            "metrics": [
                {
                    "name": "time",
                    "kind": "duration",
                    "unit": "s",
                    "goal": "minimize",
                    "role": "primary",
                    "quantiles": [0.5],
                },
                {
                    "name": "found",
                    "kind": "binary",
                    "goal": "maximize",
                    "role": "guardrail",
                    "margin": 0.0,
                    "prior": {"successes": 2},
                },
                {
                    "name": "bytes",
                    "kind": "continuous",
                    "goal": "minimize",
                    "min": 0,
                    "max": 1e99,
                    "cap_min": 1,
                    "cap_max": 9,
                },
                {"name": "calls", "kind": "count", "goal": "minimize", "covariate": "calls before"},
                {"name": "rate", "kind": "ratio", "goal": "maximize", "prior": {"mean": -0.1, "sd": 0.25}},
            ],
            "variants": [
                {
                    "name": "A",
                    "weight": "33.33",
                    "control": True,
                    "config": {"n": 1, "deep": {"list": [None, True, "ä", 0.1]}},
                },
                {"name": "b", "weight": "66.67", "description": "two"},
            ],
            "decision": {
                "min_samples": 300,
                "max_samples": 5000,
                "confidence": 0.9,
                "mde": 0.0,
                "power": 0.7,
                "max_days": 2.5,
                "policy": "group_sequential",
                "risk": "high",
                "looks": [300, 450, 1000],
                "spending": "kim_demets",
                "spending_power": 1.5,
                "correction": "benjamini_hochberg",
            },
            "external_assignment": True,
        },
    )


def through_bytes(message: experiment_pb2.ExperimentSpec) -> experiment_pb2.ExperimentSpec:
    return experiment_pb2.ExperimentSpec.FromString(message.SerializeToString())


def test_a_full_specification_survives_the_wire_with_its_hash(full: ExperimentSpec) -> None:
    back = spec_from_proto(through_bytes(spec_to_proto(full)))
    assert back == full
    assert back.hash == full.hash
    assert type(back.variants[0].config["n"]) is int, "the wire has doubles only"


def test_what_is_absent_has_the_defaults(plain: dict[str, Any]) -> None:
    message = experiment_pb2.ExperimentSpec(
        key=plain["key"],
        subject=common_pb2.SubjectRef(**plain["subject"]),
        metrics=[
            experiment_pb2.Metric(
                name="found",
                kind=snapshot_pb2.METRIC_KIND_BINARY,
                goal=experiment_pb2.GOAL_MAXIMIZE,
                role=experiment_pb2.METRIC_ROLE_PRIMARY,
            )
        ],
        variants=[
            experiment_pb2.Variant(name="one", weight="50", control=True),
            experiment_pb2.Variant(name="two", weight="50"),
        ],
    )
    assert spec_from_proto(message) == validate(ExperimentSpec, plain)


Change = Callable[[experiment_pb2.ExperimentSpec], object]

REFUSED: list[tuple[str, Change]] = [
    ("spec.key", lambda spec: spec.ClearField("key")),
    ("spec.key", lambda spec: setattr(spec, "key", "Upper")),
    ("spec.subject", lambda spec: spec.ClearField("subject")),
    ("spec.subject.id", lambda spec: spec.subject.ClearField("id")),
    ("spec.metrics[1].name", lambda spec: spec.metrics[1].ClearField("name")),
    ("spec.metrics[0].kind", lambda spec: setattr(spec.metrics[0], "kind", 0)),
    ("spec.metrics[0].kind", lambda spec: setattr(spec.metrics[0], "kind", 99)),
    ("spec.metrics[0].goal", lambda spec: setattr(spec.metrics[0], "goal", 0)),
    ("spec.metrics[0].quantiles[0]", lambda spec: spec.metrics[0].quantiles.__setitem__(0, 1.5)),
    ("spec.metrics", lambda spec: spec.ClearField("metrics")),
    ("spec.variants", lambda spec: spec.variants.pop()),
    ("spec.variants[1].weight", lambda spec: setattr(spec.variants[1], "weight", "half")),
    ("spec.variants[0].weight", lambda spec: spec.variants[0].ClearField("weight")),
    ("spec.variants[0].config", lambda spec: spec.variants[0].config.update({"x": float("inf")})),
    ("spec.variants[0].config", lambda spec: spec.variants[0].config.fields["x"].CopyFrom(struct_pb2.Value())),
    ("spec.decision.confidence", lambda spec: setattr(spec.decision, "confidence", 0.2)),
    ("spec.decision.policy", lambda spec: setattr(spec.decision, "policy", 77)),
]


@pytest.mark.parametrize(("field", "change"), REFUSED)
def test_violations_name_the_path_in_the_request(full: ExperimentSpec, field: str, change: Change) -> None:
    message = spec_to_proto(full)
    change(message)
    with pytest.raises(InvalidArgument) as caught:
        spec_from_proto(through_bytes(message), "spec")
    assert field in {violation.field for violation in caught.value.violations}
    assert field in caught.value.message


def test_every_violation_is_reported_at_once(full: ExperimentSpec) -> None:
    message = spec_to_proto(full)
    message.key = ""
    message.metrics[0].goal = experiment_pb2.GOAL_UNSPECIFIED
    message.variants[1].weight = "x"
    with pytest.raises(InvalidArgument) as caught:
        spec_from_proto(message)
    assert {violation.field for violation in caught.value.violations} >= {
        "key",
        "metrics[0].goal",
        "variants[1].weight",
    }


@pytest.mark.parametrize(
    ("words", "prefix", "enum"),
    [
        (MetricKind, "METRIC_KIND", snapshot_pb2.MetricKind),
        (ExperimentStatus, "EXPERIMENT_STATUS", snapshot_pb2.ExperimentStatus),
        (Goal, "GOAL", experiment_pb2.Goal),
        (MetricRole, "METRIC_ROLE", experiment_pb2.MetricRole),
        (DecisionPolicy, "DECISION_POLICY", experiment_pb2.DecisionPolicy),
        (Risk, "RISK", experiment_pb2.Risk),
    ],
)
def test_words_of_the_model_and_of_the_contract_are_the_same(words: Any, prefix: str, enum: Any) -> None:
    assert {f"{prefix}_{word.name}" for word in words} == set(enum.keys()) - {f"{prefix}_UNSPECIFIED"}


@pytest.mark.parametrize("status", list(ExperimentStatus))
def test_a_status_has_the_number_of_its_name(status: ExperimentStatus) -> None:
    number = status_to_proto(status)
    assert snapshot_pb2.ExperimentStatus.Name(number) == f"EXPERIMENT_STATUS_{status.name}"
    assert status_from_proto(number) is status


@pytest.mark.parametrize("kind", list(MetricKind))
def test_a_kind_has_the_number_of_its_name(kind: MetricKind) -> None:
    assert kind_from_proto(snapshot_pb2.MetricKind.Value(f"METRIC_KIND_{kind.name}")) is kind


@pytest.mark.parametrize("number", [0, 6, -1])
def test_unknown_numbers_are_refused_with_their_field(number: int) -> None:
    for convert in (status_from_proto, kind_from_proto):
        with pytest.raises(InvalidArgument, match=f"here: {number} is no"):
            convert(number, "here")


def test_a_subject_survives_the_wire_and_bad_ones_name_their_path() -> None:
    ref = SubjectRef(kind="prompt", id="greeting")
    assert subject_from_proto(subject_to_proto(ref)) == ref
    with pytest.raises(InvalidArgument) as caught:
        subject_from_proto(common_pb2.SubjectRef(id="x y"), "ref")
    assert [violation.field for violation in caught.value.violations] == ["ref.kind", "ref.id"]


def test_a_configuration_survives_a_struct() -> None:
    config = {"a": {"b": [1, {"c": None}], "d": "é"}, "e": True, "f": 0.25}
    assert config_from_struct(struct_from_config(config)) == config
