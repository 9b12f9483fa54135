"""Specifications as messages of the contract, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf import struct_pb2

from sortition.errors import InvalidArgument, Violation
from sortition.model.base import validate
from sortition.model.canonical import JsonObject
from sortition.model.decision import Correction, Decision, DecisionPolicy, Risk, Spending
from sortition.model.dimension import Dimension
from sortition.model.experiment import ExperimentSpec
from sortition.model.metric import Goal, Metric, MetricKind, MetricRole, Prior
from sortition.model.ramp import RampStep
from sortition.model.status import ExperimentStatus
from sortition.model.subject import SubjectRef
from sortition.model.variant import Variant
from sortition.rpc.v1 import common_pb2, experiment_pb2, snapshot_pb2

__all__ = [
    "config_from_struct",
    "kind_from_proto",
    "policy_from_proto",
    "policy_to_proto",
    "spec_from_proto",
    "spec_to_proto",
    "spending_from_proto",
    "status_from_proto",
    "status_to_proto",
    "struct_from_config",
    "subject_from_proto",
    "subject_to_proto",
]

WordT = TypeVar("WordT", MetricKind, Goal, MetricRole, DecisionPolicy, Risk, Spending, Correction, ExperimentStatus)

# The numbers of the contract, written out: a renumbered enum has to break here and not in somebody's database.
_KINDS = {
    snapshot_pb2.METRIC_KIND_BINARY: MetricKind.BINARY,
    snapshot_pb2.METRIC_KIND_CONTINUOUS: MetricKind.CONTINUOUS,
    snapshot_pb2.METRIC_KIND_DURATION: MetricKind.DURATION,
    snapshot_pb2.METRIC_KIND_COUNT: MetricKind.COUNT,
    snapshot_pb2.METRIC_KIND_RATIO: MetricKind.RATIO,
}
_GOALS = {
    experiment_pb2.GOAL_MAXIMIZE: Goal.MAXIMIZE,
    experiment_pb2.GOAL_MINIMIZE: Goal.MINIMIZE,
}
_ROLES = {
    experiment_pb2.METRIC_ROLE_PRIMARY: MetricRole.PRIMARY,
    experiment_pb2.METRIC_ROLE_SECONDARY: MetricRole.SECONDARY,
    experiment_pb2.METRIC_ROLE_GUARDRAIL: MetricRole.GUARDRAIL,
}
_POLICIES = {
    experiment_pb2.DECISION_POLICY_FIXED_HORIZON: DecisionPolicy.FIXED_HORIZON,
    experiment_pb2.DECISION_POLICY_SEQUENTIAL: DecisionPolicy.SEQUENTIAL,
    experiment_pb2.DECISION_POLICY_GROUP_SEQUENTIAL: DecisionPolicy.GROUP_SEQUENTIAL,
}
_SPENDINGS = {
    experiment_pb2.SPENDING_OBRIEN_FLEMING: Spending.OBRIEN_FLEMING,
    experiment_pb2.SPENDING_POCOCK: Spending.POCOCK,
    experiment_pb2.SPENDING_KIM_DEMETS: Spending.KIM_DEMETS,
}
_CORRECTIONS = {
    experiment_pb2.CORRECTION_HOLM: Correction.HOLM,
    experiment_pb2.CORRECTION_BENJAMINI_HOCHBERG: Correction.BENJAMINI_HOCHBERG,
    experiment_pb2.CORRECTION_NONE: Correction.NONE,
}
_RISKS = {
    experiment_pb2.RISK_NORMAL: Risk.NORMAL,
    experiment_pb2.RISK_HIGH: Risk.HIGH,
}
_STATUSES = {
    snapshot_pb2.EXPERIMENT_STATUS_DRAFT: ExperimentStatus.DRAFT,
    snapshot_pb2.EXPERIMENT_STATUS_RUNNING: ExperimentStatus.RUNNING,
    snapshot_pb2.EXPERIMENT_STATUS_PAUSED: ExperimentStatus.PAUSED,
    snapshot_pb2.EXPERIMENT_STATUS_COMPLETED: ExperimentStatus.COMPLETED,
    snapshot_pb2.EXPERIMENT_STATUS_CANCELLED: ExperimentStatus.CANCELLED,
}

# Fields of presence, in the message and in the specification under one name.
_METRIC_OPTIONAL = ("margin", "min", "max", "cap_min", "cap_max")
_PRIOR_OPTIONAL = ("successes", "failures", "mean", "sd")
_DECISION_OPTIONAL = (
    *("min_samples", "max_samples", "confidence", "mde", "power", "max_days", "spending_power"),
    *("improvement_threshold", "min_effect_size", "max_regression"),
)
_DECISION_FLAGS = ("auto_promote", "auto_rollback", "expire")


def _number(names: Mapping[Any, WordT], word: WordT) -> Any:
    return next(number for number, known in names.items() if known is word)


def _put_word(raw: dict[str, object], field: str, names: Mapping[Any, WordT], number: int) -> None:
    """Puts the word for `number`; nothing for 0. An unknown number is put as it is, for validation to refuse."""
    if number:
        raw[field] = names.get(number, number)


def _put_text(raw: dict[str, object], **fields: str) -> None:
    """Puts the fields that are not empty: on the wire, empty and absent are one."""
    raw.update({field: text for field, text in fields.items() if text})


def status_to_proto(status: ExperimentStatus) -> snapshot_pb2.ExperimentStatus:
    """Returns the number of `status` on the wire."""
    number: snapshot_pb2.ExperimentStatus = _number(_STATUSES, status)
    return number


def status_from_proto(number: int, field: str = "status") -> ExperimentStatus:
    """Returns the status with this number.

    Raises:
        InvalidArgument: There is none; names `field`.
    """
    if number not in _STATUSES:
        raise InvalidArgument.of([(field, f"{number} is no status; the numbers are 1 to {len(_STATUSES)}")])
    return _STATUSES[number]


def policy_to_proto(policy: DecisionPolicy) -> experiment_pb2.DecisionPolicy:
    """Returns the number of `policy` on the wire."""
    number: experiment_pb2.DecisionPolicy = _number(_POLICIES, policy)
    return number


def policy_from_proto(number: int, field: str = "policy") -> DecisionPolicy:
    """Returns the decision policy with this number.

    Raises:
        InvalidArgument: There is none; names `field`.
    """
    if number not in _POLICIES:
        raise InvalidArgument.of([(field, f"{number} is no decision policy; the numbers are 1 to {len(_POLICIES)}")])
    return _POLICIES[number]


def spending_from_proto(number: int, field: str = "spending") -> Spending:
    """Returns the spending function with this number; O'Brien–Fleming for 0.

    Raises:
        InvalidArgument: There is none; names `field`.
    """
    if number == 0:
        return Spending.OBRIEN_FLEMING
    if number not in _SPENDINGS:
        raise InvalidArgument.of([(field, f"{number} is no spending function; the numbers are 1 to {len(_SPENDINGS)}")])
    return _SPENDINGS[number]


def kind_from_proto(number: int, field: str = "kind") -> MetricKind:
    """Returns the kind of metric with this number.

    Raises:
        InvalidArgument: There is none; names `field`.
    """
    if number not in _KINDS:
        raise InvalidArgument.of([(field, f"{number} is no kind of metric; the numbers are 1 to {len(_KINDS)}")])
    return _KINDS[number]


def struct_from_config(config: Mapping[str, Any]) -> struct_pb2.Struct:
    """Returns a JSON object as a Struct."""
    struct = struct_pb2.Struct()
    struct.update(config)
    return struct


def _plain(value: struct_pb2.Value) -> object:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return config_from_struct(value.struct_value)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "null_value":
        return None
    # A Value without a kind is none of JSON's; it stays as it is, and validation says that it has no JSON form.
    return value if kind is None else getattr(value, kind)


def config_from_struct(struct: struct_pb2.Struct) -> JsonObject:
    """Returns a Struct as plain values; not validated yet, every number a float."""
    return {key: _plain(value) for key, value in struct.fields.items()}  # type: ignore[misc]


def subject_to_proto(ref: SubjectRef) -> common_pb2.SubjectRef:
    """Returns `ref` as its message."""
    return common_pb2.SubjectRef(kind=ref.kind, id=ref.id)


def _subject(message: common_pb2.SubjectRef) -> dict[str, object]:
    raw: dict[str, object] = {}
    _put_text(raw, kind=message.kind, id=message.id)
    return raw


def subject_from_proto(message: common_pb2.SubjectRef, prefix: str = "") -> SubjectRef:
    """Returns the subject that `message` names.

    Args:
        message: The message.
        prefix: The path of the message in its request, for errors.

    Raises:
        InvalidArgument: Lists every violation with its path.
    """
    return _validated(SubjectRef, _subject(message), prefix)


PartT = TypeVar("PartT", SubjectRef, ExperimentSpec)


def _validated(kind: type[PartT], raw: Mapping[str, object], prefix: str) -> PartT:
    try:
        return validate(kind, raw)
    except InvalidArgument as error:
        raise InvalidArgument.of(
            Violation(".".join(part for part in (prefix, found.field) if part), found.description)
            for found in error.violations
        ) from None


def _metric_to_proto(metric: Metric) -> experiment_pb2.Metric:
    message = experiment_pb2.Metric(
        name=metric.name,
        kind=_number(_KINDS, metric.kind),
        unit=metric.unit,
        goal=_number(_GOALS, metric.goal),
        role=_number(_ROLES, metric.role),
        quantiles=metric.quantiles,
        covariate=metric.covariate,
    )
    for field in _METRIC_OPTIONAL:
        if (value := getattr(metric, field)) is not None:
            setattr(message, field, value)
    if metric.prior is not None:
        message.prior.CopyFrom(_prior_to_proto(metric.prior))
    return message


def _prior_to_proto(prior: Prior) -> experiment_pb2.Prior:
    return experiment_pb2.Prior(**{field: getattr(prior, field) for field in _PRIOR_OPTIONAL})


def _metric(message: experiment_pb2.Metric) -> dict[str, object]:
    raw: dict[str, object] = {"quantiles": tuple(message.quantiles)}
    _put_text(raw, name=message.name, unit=message.unit, covariate=message.covariate)
    _put_word(raw, "kind", _KINDS, message.kind)
    _put_word(raw, "goal", _GOALS, message.goal)
    _put_word(raw, "role", _ROLES, message.role)
    raw.update({field: getattr(message, field) for field in _METRIC_OPTIONAL if message.HasField(field)})
    if message.HasField("prior"):
        prior = message.prior
        raw["prior"] = {field: getattr(prior, field) for field in _PRIOR_OPTIONAL if prior.HasField(field)}
    return raw


def _variant_to_proto(variant: Variant) -> experiment_pb2.Variant:
    return experiment_pb2.Variant(
        name=variant.name,
        weight=str(variant.weight),
        control=variant.control,
        config=struct_from_config(variant.config),
        description=variant.description,
    )


def _variant(message: experiment_pb2.Variant) -> dict[str, object]:
    raw: dict[str, object] = {"control": message.control, "config": config_from_struct(message.config)}
    _put_text(raw, name=message.name, weight=message.weight, description=message.description)
    return raw


def _decision_to_proto(decision: Decision) -> experiment_pb2.Decision:
    message = experiment_pb2.Decision(
        policy=_number(_POLICIES, decision.policy),
        risk=_number(_RISKS, decision.risk),
        looks=decision.looks,
        spending=_number(_SPENDINGS, decision.spending),
        correction=_number(_CORRECTIONS, decision.correction),
    )
    for field in (*_DECISION_OPTIONAL, *_DECISION_FLAGS):
        if (value := getattr(decision, field)) is not None:
            setattr(message, field, value)
    return message


def _decision(message: experiment_pb2.Decision) -> dict[str, object]:
    raw: dict[str, object] = {field: getattr(message, field) for field in _DECISION_OPTIONAL if message.HasField(field)}
    _put_word(raw, "policy", _POLICIES, message.policy)
    _put_word(raw, "risk", _RISKS, message.risk)
    _put_word(raw, "spending", _SPENDINGS, message.spending)
    _put_word(raw, "correction", _CORRECTIONS, message.correction)
    raw["looks"] = tuple(message.looks)
    raw.update({field: getattr(message, field) for field in _DECISION_FLAGS})
    return raw


def _dimension_to_proto(dimension: Dimension) -> experiment_pb2.Dimension:
    return experiment_pb2.Dimension(name=dimension.name, levels=dimension.levels)


def _dimension(message: experiment_pb2.Dimension) -> dict[str, object]:
    raw: dict[str, object] = {"levels": tuple(message.levels)}
    _put_text(raw, name=message.name)
    return raw


def _ramp_to_proto(ramp: tuple[RampStep, ...]) -> experiment_pb2.Ramp:
    return experiment_pb2.Ramp(
        steps=[
            experiment_pb2.RampStep(
                treatment="" if step.treatment is None else str(step.treatment),
                weights={name: str(weight) for name, weight in (step.weights or {}).items()},
                hold_hours=step.hold,
            )
            for step in ramp
        ]
    )


def _step(message: experiment_pb2.RampStep) -> dict[str, object]:
    raw: dict[str, object] = {"hold": message.hold_hours}
    _put_text(raw, treatment=message.treatment)
    if message.weights:
        raw["weights"] = dict(message.weights)
    return raw


def spec_to_proto(spec: ExperimentSpec) -> experiment_pb2.ExperimentSpec:
    """Returns `spec` as its message; `spec_from_proto` gives back an equal one."""
    return experiment_pb2.ExperimentSpec(
        key=spec.key,
        organization=spec.organization,
        subject=subject_to_proto(spec.subject),
        name=spec.name,
        description=spec.description,
        hypothesis=spec.hypothesis,
        unit=spec.unit,
        metrics=[_metric_to_proto(metric) for metric in spec.metrics],
        variants=[_variant_to_proto(variant) for variant in spec.variants],
        decision=_decision_to_proto(spec.decision),
        external_assignment=spec.external_assignment,
        dimensions=[_dimension_to_proto(dimension) for dimension in spec.dimensions],
        ramp=_ramp_to_proto(spec.ramp) if spec.ramp else None,
    )


def spec_from_proto(message: experiment_pb2.ExperimentSpec, prefix: str = "") -> ExperimentSpec:
    """Returns the specification that `message` declares, with defaults for what is absent.

    Args:
        message: The message.
        prefix: The path of the message in its request, for errors: with "spec" they name ``spec.variants[2].weight``.

    Raises:
        InvalidArgument: Lists every violation with its path.
    """
    raw: dict[str, object] = {
        "metrics": [_metric(metric) for metric in message.metrics],
        "variants": [_variant(variant) for variant in message.variants],
        "external_assignment": message.external_assignment,
        "dimensions": [_dimension(dimension) for dimension in message.dimensions],
        "ramp": [_step(step) for step in message.ramp.steps],
    }
    _put_text(
        raw,
        key=message.key,
        organization=message.organization,
        name=message.name,
        description=message.description,
        hypothesis=message.hypothesis,
        unit=message.unit,
    )
    if message.HasField("subject"):
        raw["subject"] = _subject(message.subject)
    if message.HasField("decision"):
        raw["decision"] = _decision(message.decision)
    return _validated(ExperimentSpec, raw, prefix)
