import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sortition.rpc.v1 import common_pb2 as _common_pb2
from sortition.rpc.v1 import snapshot_pb2 as _snapshot_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Goal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GOAL_UNSPECIFIED: _ClassVar[Goal]
    GOAL_MAXIMIZE: _ClassVar[Goal]
    GOAL_MINIMIZE: _ClassVar[Goal]

class MetricRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_ROLE_UNSPECIFIED: _ClassVar[MetricRole]
    METRIC_ROLE_PRIMARY: _ClassVar[MetricRole]
    METRIC_ROLE_SECONDARY: _ClassVar[MetricRole]
    METRIC_ROLE_GUARDRAIL: _ClassVar[MetricRole]

class DecisionPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_POLICY_UNSPECIFIED: _ClassVar[DecisionPolicy]
    DECISION_POLICY_FIXED_HORIZON: _ClassVar[DecisionPolicy]
    DECISION_POLICY_SEQUENTIAL: _ClassVar[DecisionPolicy]
    DECISION_POLICY_GROUP_SEQUENTIAL: _ClassVar[DecisionPolicy]

class Spending(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPENDING_UNSPECIFIED: _ClassVar[Spending]
    SPENDING_OBRIEN_FLEMING: _ClassVar[Spending]
    SPENDING_POCOCK: _ClassVar[Spending]
    SPENDING_KIM_DEMETS: _ClassVar[Spending]

class Correction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CORRECTION_UNSPECIFIED: _ClassVar[Correction]
    CORRECTION_HOLM: _ClassVar[Correction]
    CORRECTION_BENJAMINI_HOCHBERG: _ClassVar[Correction]
    CORRECTION_NONE: _ClassVar[Correction]

class Risk(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_UNSPECIFIED: _ClassVar[Risk]
    RISK_NORMAL: _ClassVar[Risk]
    RISK_HIGH: _ClassVar[Risk]
GOAL_UNSPECIFIED: Goal
GOAL_MAXIMIZE: Goal
GOAL_MINIMIZE: Goal
METRIC_ROLE_UNSPECIFIED: MetricRole
METRIC_ROLE_PRIMARY: MetricRole
METRIC_ROLE_SECONDARY: MetricRole
METRIC_ROLE_GUARDRAIL: MetricRole
DECISION_POLICY_UNSPECIFIED: DecisionPolicy
DECISION_POLICY_FIXED_HORIZON: DecisionPolicy
DECISION_POLICY_SEQUENTIAL: DecisionPolicy
DECISION_POLICY_GROUP_SEQUENTIAL: DecisionPolicy
SPENDING_UNSPECIFIED: Spending
SPENDING_OBRIEN_FLEMING: Spending
SPENDING_POCOCK: Spending
SPENDING_KIM_DEMETS: Spending
CORRECTION_UNSPECIFIED: Correction
CORRECTION_HOLM: Correction
CORRECTION_BENJAMINI_HOCHBERG: Correction
CORRECTION_NONE: Correction
RISK_UNSPECIFIED: Risk
RISK_NORMAL: Risk
RISK_HIGH: Risk

class Prior(_message.Message):
    __slots__ = ("successes", "failures", "mean", "sd")
    SUCCESSES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    SD_FIELD_NUMBER: _ClassVar[int]
    successes: float
    failures: float
    mean: float
    sd: float
    def __init__(self, successes: _Optional[float] = ..., failures: _Optional[float] = ..., mean: _Optional[float] = ..., sd: _Optional[float] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "kind", "unit", "goal", "role", "quantiles", "margin", "min", "max", "cap_min", "cap_max", "covariate", "prior")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    CAP_MIN_FIELD_NUMBER: _ClassVar[int]
    CAP_MAX_FIELD_NUMBER: _ClassVar[int]
    COVARIATE_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: _snapshot_pb2.MetricKind
    unit: str
    goal: Goal
    role: MetricRole
    quantiles: _containers.RepeatedScalarFieldContainer[float]
    margin: float
    min: float
    max: float
    cap_min: float
    cap_max: float
    covariate: str
    prior: Prior
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[_snapshot_pb2.MetricKind, str]] = ..., unit: _Optional[str] = ..., goal: _Optional[_Union[Goal, str]] = ..., role: _Optional[_Union[MetricRole, str]] = ..., quantiles: _Optional[_Iterable[float]] = ..., margin: _Optional[float] = ..., min: _Optional[float] = ..., max: _Optional[float] = ..., cap_min: _Optional[float] = ..., cap_max: _Optional[float] = ..., covariate: _Optional[str] = ..., prior: _Optional[_Union[Prior, _Mapping]] = ...) -> None: ...

class Dimension(_message.Message):
    __slots__ = ("name", "levels")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    levels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., levels: _Optional[_Iterable[str]] = ...) -> None: ...

class Variant(_message.Message):
    __slots__ = ("name", "weight", "control", "config", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: str
    control: bool
    config: _struct_pb2.Struct
    description: str
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[str] = ..., control: bool = ..., config: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("min_samples", "max_samples", "confidence", "mde", "power", "max_days", "policy", "risk", "looks", "spending", "spending_power", "correction", "auto_promote", "auto_rollback", "expire", "improvement_threshold", "min_effect_size", "max_regression")
    MIN_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    MAX_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MDE_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    MAX_DAYS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    LOOKS_FIELD_NUMBER: _ClassVar[int]
    SPENDING_FIELD_NUMBER: _ClassVar[int]
    SPENDING_POWER_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    AUTO_PROMOTE_FIELD_NUMBER: _ClassVar[int]
    AUTO_ROLLBACK_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_FIELD_NUMBER: _ClassVar[int]
    IMPROVEMENT_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    MIN_EFFECT_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_REGRESSION_FIELD_NUMBER: _ClassVar[int]
    min_samples: int
    max_samples: int
    confidence: float
    mde: float
    power: float
    max_days: float
    policy: DecisionPolicy
    risk: Risk
    looks: _containers.RepeatedScalarFieldContainer[int]
    spending: Spending
    spending_power: float
    correction: Correction
    auto_promote: bool
    auto_rollback: bool
    expire: bool
    improvement_threshold: float
    min_effect_size: float
    max_regression: float
    def __init__(self, min_samples: _Optional[int] = ..., max_samples: _Optional[int] = ..., confidence: _Optional[float] = ..., mde: _Optional[float] = ..., power: _Optional[float] = ..., max_days: _Optional[float] = ..., policy: _Optional[_Union[DecisionPolicy, str]] = ..., risk: _Optional[_Union[Risk, str]] = ..., looks: _Optional[_Iterable[int]] = ..., spending: _Optional[_Union[Spending, str]] = ..., spending_power: _Optional[float] = ..., correction: _Optional[_Union[Correction, str]] = ..., auto_promote: bool = ..., auto_rollback: bool = ..., expire: bool = ..., improvement_threshold: _Optional[float] = ..., min_effect_size: _Optional[float] = ..., max_regression: _Optional[float] = ...) -> None: ...

class ExperimentSpec(_message.Message):
    __slots__ = ("key", "organization", "subject", "name", "description", "hypothesis", "unit", "metrics", "variants", "decision", "external_assignment", "dimensions", "ramp")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    HYPOTHESIS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    RAMP_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    subject: _common_pb2.SubjectRef
    name: str
    description: str
    hypothesis: str
    unit: str
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    variants: _containers.RepeatedCompositeFieldContainer[Variant]
    decision: Decision
    external_assignment: bool
    dimensions: _containers.RepeatedCompositeFieldContainer[Dimension]
    ramp: Ramp
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ..., subject: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., hypothesis: _Optional[str] = ..., unit: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., variants: _Optional[_Iterable[_Union[Variant, _Mapping]]] = ..., decision: _Optional[_Union[Decision, _Mapping]] = ..., external_assignment: bool = ..., dimensions: _Optional[_Iterable[_Union[Dimension, _Mapping]]] = ..., ramp: _Optional[_Union[Ramp, _Mapping]] = ...) -> None: ...

class Ramp(_message.Message):
    __slots__ = ("steps",)
    STEPS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[RampStep]
    def __init__(self, steps: _Optional[_Iterable[_Union[RampStep, _Mapping]]] = ...) -> None: ...

class RampStep(_message.Message):
    __slots__ = ("treatment", "weights", "hold_hours")
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TREATMENT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    HOLD_HOURS_FIELD_NUMBER: _ClassVar[int]
    treatment: str
    weights: _containers.ScalarMap[str, str]
    hold_hours: float
    def __init__(self, treatment: _Optional[str] = ..., weights: _Optional[_Mapping[str, str]] = ..., hold_hours: _Optional[float] = ...) -> None: ...

class Peeks(_message.Message):
    __slots__ = ("count", "early", "days", "first_at", "last_at")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    EARLY_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    FIRST_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_AT_FIELD_NUMBER: _ClassVar[int]
    count: int
    early: int
    days: int
    first_at: _timestamp_pb2.Timestamp
    last_at: _timestamp_pb2.Timestamp
    def __init__(self, count: _Optional[int] = ..., early: _Optional[int] = ..., days: _Optional[int] = ..., first_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Deviation(_message.Message):
    __slots__ = ("at", "actor", "kind", "reason", "details")
    AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    actor: str
    kind: str
    reason: str
    details: _struct_pb2.Struct
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., kind: _Optional[str] = ..., reason: _Optional[str] = ..., details: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Registration(_message.Message):
    __slots__ = ("hash", "algorithm", "registered_at", "registered_by", "reason", "document", "stopping_rule", "horizon", "looks_planned", "peeks", "deviations")
    HASH_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    STOPPING_RULE_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    LOOKS_PLANNED_FIELD_NUMBER: _ClassVar[int]
    PEEKS_FIELD_NUMBER: _ClassVar[int]
    DEVIATIONS_FIELD_NUMBER: _ClassVar[int]
    hash: str
    algorithm: str
    registered_at: _timestamp_pb2.Timestamp
    registered_by: str
    reason: str
    document: str
    stopping_rule: str
    horizon: int
    looks_planned: int
    peeks: Peeks
    deviations: _containers.RepeatedCompositeFieldContainer[Deviation]
    def __init__(self, hash: _Optional[str] = ..., algorithm: _Optional[str] = ..., registered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., registered_by: _Optional[str] = ..., reason: _Optional[str] = ..., document: _Optional[str] = ..., stopping_rule: _Optional[str] = ..., horizon: _Optional[int] = ..., looks_planned: _Optional[int] = ..., peeks: _Optional[_Union[Peeks, _Mapping]] = ..., deviations: _Optional[_Iterable[_Union[Deviation, _Mapping]]] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("number", "of", "previous", "first")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    number: int
    of: int
    previous: str
    first: str
    def __init__(self, number: _Optional[int] = ..., of: _Optional[int] = ..., previous: _Optional[str] = ..., first: _Optional[str] = ...) -> None: ...

class Experiment(_message.Message):
    __slots__ = ("id", "spec", "status", "created_at", "started_at", "ended_at", "archived_at", "winner", "shipped_version", "spec_hash", "revision", "registration", "run")
    ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    SHIPPED_VERSION_FIELD_NUMBER: _ClassVar[int]
    SPEC_HASH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    id: str
    spec: ExperimentSpec
    status: _snapshot_pb2.ExperimentStatus
    created_at: _timestamp_pb2.Timestamp
    started_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    winner: str
    shipped_version: int
    spec_hash: str
    revision: int
    registration: Registration
    run: Run
    def __init__(self, id: _Optional[str] = ..., spec: _Optional[_Union[ExperimentSpec, _Mapping]] = ..., status: _Optional[_Union[_snapshot_pb2.ExperimentStatus, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., winner: _Optional[str] = ..., shipped_version: _Optional[int] = ..., spec_hash: _Optional[str] = ..., revision: _Optional[int] = ..., registration: _Optional[_Union[Registration, _Mapping]] = ..., run: _Optional[_Union[Run, _Mapping]] = ...) -> None: ...
