"""What people declare: experiments, variants, metrics, subjects. Frozen and validated."""

from __future__ import annotations

from sortition.model.base import validate
from sortition.model.canonical import JsonObject, JsonValue, canonical_json, config_hash, merge
from sortition.model.decision import Correction, Decision, DecisionPolicy, Risk, Spending
from sortition.model.dimension import Dimension
from sortition.model.experiment import ExperimentSpec
from sortition.model.metric import Goal, Metric, MetricKind, MetricRole, Prior
from sortition.model.names import DEFAULT_ORGANIZATION
from sortition.model.ramp import RampStep, step_weights, weight_violations
from sortition.model.status import TRANSITIONS, ExperimentStatus
from sortition.model.subject import SubjectRef
from sortition.model.variant import Variant

__all__ = [
    "DEFAULT_ORGANIZATION",
    "TRANSITIONS",
    "Correction",
    "Decision",
    "DecisionPolicy",
    "Dimension",
    "ExperimentSpec",
    "ExperimentStatus",
    "Goal",
    "JsonObject",
    "JsonValue",
    "Metric",
    "MetricKind",
    "MetricRole",
    "Prior",
    "RampStep",
    "Risk",
    "Spending",
    "SubjectRef",
    "Variant",
    "canonical_json",
    "config_hash",
    "merge",
    "step_weights",
    "validate",
    "weight_violations",
]
