"""What people declare: experiments, variants, metrics, subjects. Frozen and validated."""

from __future__ import annotations

from sortition.model.base import validate
from sortition.model.canonical import JsonObject, JsonValue, canonical_json, config_hash, merge
from sortition.model.decision import Decision, DecisionPolicy, Risk
from sortition.model.experiment import ExperimentSpec
from sortition.model.metric import Goal, Metric, MetricKind, MetricRole
from sortition.model.names import DEFAULT_ORGANIZATION
from sortition.model.status import TRANSITIONS, ExperimentStatus
from sortition.model.subject import SubjectRef
from sortition.model.variant import Variant

__all__ = [
    "DEFAULT_ORGANIZATION",
    "TRANSITIONS",
    "Decision",
    "DecisionPolicy",
    "ExperimentSpec",
    "ExperimentStatus",
    "Goal",
    "JsonObject",
    "JsonValue",
    "Metric",
    "MetricKind",
    "MetricRole",
    "Risk",
    "SubjectRef",
    "Variant",
    "canonical_json",
    "config_hash",
    "merge",
    "validate",
]
