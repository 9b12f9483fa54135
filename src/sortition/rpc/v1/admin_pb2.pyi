import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sortition.rpc.v1 import analysis_pb2 as _analysis_pb2
from sortition.rpc.v1 import common_pb2 as _common_pb2
from sortition.rpc.v1 import experiment_pb2 as _experiment_pb2
from sortition.rpc.v1 import snapshot_pb2 as _snapshot_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AutomaticAct(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUTOMATIC_ACT_UNSPECIFIED: _ClassVar[AutomaticAct]
    AUTOMATIC_ACT_CONTINUE: _ClassVar[AutomaticAct]
    AUTOMATIC_ACT_PROMOTE: _ClassVar[AutomaticAct]
    AUTOMATIC_ACT_ROLLBACK: _ClassVar[AutomaticAct]
    AUTOMATIC_ACT_EXPIRE: _ClassVar[AutomaticAct]
    AUTOMATIC_ACT_ADVANCE: _ClassVar[AutomaticAct]

class AlertSeverity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_SEVERITY_UNSPECIFIED: _ClassVar[AlertSeverity]
    ALERT_SEVERITY_INFO: _ClassVar[AlertSeverity]
    ALERT_SEVERITY_WARNING: _ClassVar[AlertSeverity]
    ALERT_SEVERITY_CRITICAL: _ClassVar[AlertSeverity]
AUTOMATIC_ACT_UNSPECIFIED: AutomaticAct
AUTOMATIC_ACT_CONTINUE: AutomaticAct
AUTOMATIC_ACT_PROMOTE: AutomaticAct
AUTOMATIC_ACT_ROLLBACK: AutomaticAct
AUTOMATIC_ACT_EXPIRE: AutomaticAct
AUTOMATIC_ACT_ADVANCE: AutomaticAct
ALERT_SEVERITY_UNSPECIFIED: AlertSeverity
ALERT_SEVERITY_INFO: AlertSeverity
ALERT_SEVERITY_WARNING: AlertSeverity
ALERT_SEVERITY_CRITICAL: AlertSeverity

class Actor(_message.Message):
    __slots__ = ("name", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CreateExperimentRequest(_message.Message):
    __slots__ = ("spec", "actor", "validate_only")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    spec: _experiment_pb2.ExperimentSpec
    actor: Actor
    validate_only: bool
    def __init__(self, spec: _Optional[_Union[_experiment_pb2.ExperimentSpec, _Mapping]] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class UpdateExperimentRequest(_message.Message):
    __slots__ = ("spec", "revision", "actor")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    spec: _experiment_pb2.ExperimentSpec
    revision: int
    actor: Actor
    def __init__(self, spec: _Optional[_Union[_experiment_pb2.ExperimentSpec, _Mapping]] = ..., revision: _Optional[int] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class RerunExperimentRequest(_message.Message):
    __slots__ = ("key", "organization", "spec", "actor")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    spec: _experiment_pb2.ExperimentSpec
    actor: Actor
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ..., spec: _Optional[_Union[_experiment_pb2.ExperimentSpec, _Mapping]] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class GetRegistrationRequest(_message.Message):
    __slots__ = ("key", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class GetRegistrationResponse(_message.Message):
    __slots__ = ("experiment", "verified", "differences")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    verified: bool
    differences: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ..., verified: bool = ..., differences: _Optional[_Iterable[str]] = ...) -> None: ...

class ChangeExperimentRequest(_message.Message):
    __slots__ = ("key", "organization", "actor")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    actor: Actor
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class ReweightExperimentRequest(_message.Message):
    __slots__ = ("key", "organization", "weights", "actor", "validate_only")
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    weights: _containers.ScalarMap[str, str]
    actor: Actor
    validate_only: bool
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ..., weights: _Optional[_Mapping[str, str]] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class ReweightExperimentResponse(_message.Message):
    __slots__ = ("experiment", "weights", "generation", "moved_buckets", "changed", "effective")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    MOVED_BUCKETS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    weights: _containers.RepeatedCompositeFieldContainer[VariantWeight]
    generation: int
    moved_buckets: int
    changed: bool
    effective: bool
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ..., weights: _Optional[_Iterable[_Union[VariantWeight, _Mapping]]] = ..., generation: _Optional[int] = ..., moved_buckets: _Optional[int] = ..., changed: bool = ..., effective: bool = ...) -> None: ...

class VariantWeight(_message.Message):
    __slots__ = ("variant", "before", "after")
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    variant: str
    before: str
    after: str
    def __init__(self, variant: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class CompleteExperimentRequest(_message.Message):
    __slots__ = ("key", "organization", "ship", "variant", "force", "actor")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    SHIP_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    ship: bool
    variant: str
    force: bool
    actor: Actor
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ..., ship: bool = ..., variant: _Optional[str] = ..., force: bool = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class CompleteExperimentResponse(_message.Message):
    __slots__ = ("experiment", "analysis", "subject", "decision_id")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    analysis: _analysis_pb2.AnalysisResult
    subject: Subject
    decision_id: str
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ..., analysis: _Optional[_Union[_analysis_pb2.AnalysisResult, _Mapping]] = ..., subject: _Optional[_Union[Subject, _Mapping]] = ..., decision_id: _Optional[str] = ...) -> None: ...

class RunAutomaticRequest(_message.Message):
    __slots__ = ("organization", "key", "dry_run", "actor")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    organization: str
    key: str
    dry_run: bool
    actor: Actor
    def __init__(self, organization: _Optional[str] = ..., key: _Optional[str] = ..., dry_run: bool = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class RunAutomaticResponse(_message.Message):
    __slots__ = ("steps",)
    STEPS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[AutomaticStep]
    def __init__(self, steps: _Optional[_Iterable[_Union[AutomaticStep, _Mapping]]] = ...) -> None: ...

class AutomaticStep(_message.Message):
    __slots__ = ("key", "organization", "act", "variant", "reasons", "missing", "allowed", "decision_id", "refused")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    act: AutomaticAct
    variant: str
    reasons: _containers.RepeatedScalarFieldContainer[str]
    missing: _containers.RepeatedScalarFieldContainer[str]
    allowed: bool
    decision_id: str
    refused: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ..., act: _Optional[_Union[AutomaticAct, str]] = ..., variant: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ..., missing: _Optional[_Iterable[str]] = ..., allowed: bool = ..., decision_id: _Optional[str] = ..., refused: _Optional[str] = ...) -> None: ...

class GetExperimentRequest(_message.Message):
    __slots__ = ("key", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class ListExperimentsRequest(_message.Message):
    __slots__ = ("organization", "subject", "statuses", "include_archived", "page_size", "page_token")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    organization: str
    subject: _common_pb2.SubjectRef
    statuses: _containers.RepeatedScalarFieldContainer[_snapshot_pb2.ExperimentStatus]
    include_archived: bool
    page_size: int
    page_token: str
    def __init__(self, organization: _Optional[str] = ..., subject: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., statuses: _Optional[_Iterable[_Union[_snapshot_pb2.ExperimentStatus, str]]] = ..., include_archived: bool = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListExperimentsResponse(_message.Message):
    __slots__ = ("experiments", "next_page_token")
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiments: _containers.RepeatedCompositeFieldContainer[_experiment_pb2.Experiment]
    next_page_token: str
    def __init__(self, experiments: _Optional[_Iterable[_Union[_experiment_pb2.Experiment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetActiveExperimentRequest(_message.Message):
    __slots__ = ("subject", "organization")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    subject: _common_pb2.SubjectRef
    organization: str
    def __init__(self, subject: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., organization: _Optional[str] = ...) -> None: ...

class GetActiveExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ...) -> None: ...

class Subject(_message.Message):
    __slots__ = ("organization", "ref", "description", "current", "created_at")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    organization: str
    ref: _common_pb2.SubjectRef
    description: str
    current: SubjectVersion
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, organization: _Optional[str] = ..., ref: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., description: _Optional[str] = ..., current: _Optional[_Union[SubjectVersion, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SubjectVersion(_message.Message):
    __slots__ = ("number", "config", "config_hash", "created_at", "origin", "experiment", "note")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONFIG_HASH_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    number: int
    config: _struct_pb2.Struct
    config_hash: str
    created_at: _timestamp_pb2.Timestamp
    origin: str
    experiment: str
    note: str
    def __init__(self, number: _Optional[int] = ..., config: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., config_hash: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., origin: _Optional[str] = ..., experiment: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class CreateSubjectRequest(_message.Message):
    __slots__ = ("organization", "ref", "config", "description", "actor")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    organization: str
    ref: _common_pb2.SubjectRef
    config: _struct_pb2.Struct
    description: str
    actor: Actor
    def __init__(self, organization: _Optional[str] = ..., ref: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., config: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., description: _Optional[str] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class GetSubjectRequest(_message.Message):
    __slots__ = ("organization", "ref")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    organization: str
    ref: _common_pb2.SubjectRef
    def __init__(self, organization: _Optional[str] = ..., ref: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ...) -> None: ...

class ListSubjectsRequest(_message.Message):
    __slots__ = ("organization", "kind", "page_size", "page_token")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    organization: str
    kind: str
    page_size: int
    page_token: str
    def __init__(self, organization: _Optional[str] = ..., kind: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSubjectsResponse(_message.Message):
    __slots__ = ("subjects", "next_page_token")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedCompositeFieldContainer[Subject]
    next_page_token: str
    def __init__(self, subjects: _Optional[_Iterable[_Union[Subject, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateSubjectVersionRequest(_message.Message):
    __slots__ = ("organization", "ref", "config", "note", "promote", "actor")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PROMOTE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    organization: str
    ref: _common_pb2.SubjectRef
    config: _struct_pb2.Struct
    note: str
    promote: bool
    actor: Actor
    def __init__(self, organization: _Optional[str] = ..., ref: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., config: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., note: _Optional[str] = ..., promote: bool = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class ListSubjectVersionsRequest(_message.Message):
    __slots__ = ("organization", "ref", "page_size", "page_token")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    organization: str
    ref: _common_pb2.SubjectRef
    page_size: int
    page_token: str
    def __init__(self, organization: _Optional[str] = ..., ref: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSubjectVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[SubjectVersion]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[SubjectVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PromoteSubjectVersionRequest(_message.Message):
    __slots__ = ("organization", "ref", "number", "force", "actor")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    organization: str
    ref: _common_pb2.SubjectRef
    number: int
    force: bool
    actor: Actor
    def __init__(self, organization: _Optional[str] = ..., ref: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., number: _Optional[int] = ..., force: bool = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class RollbackSubjectRequest(_message.Message):
    __slots__ = ("organization", "ref", "actor")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    organization: str
    ref: _common_pb2.SubjectRef
    actor: Actor
    def __init__(self, organization: _Optional[str] = ..., ref: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ...) -> None: ...

class AuditEvent(_message.Message):
    __slots__ = ("id", "at", "actor", "action", "organization", "object", "reason", "details")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    id: int
    at: _timestamp_pb2.Timestamp
    actor: str
    action: str
    organization: str
    object: str
    reason: str
    details: _struct_pb2.Struct
    def __init__(self, id: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., action: _Optional[str] = ..., organization: _Optional[str] = ..., object: _Optional[str] = ..., reason: _Optional[str] = ..., details: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ListAuditEventsRequest(_message.Message):
    __slots__ = ("organization", "object", "action", "page_size", "page_token")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    organization: str
    object: str
    action: str
    page_size: int
    page_token: str
    def __init__(self, organization: _Optional[str] = ..., object: _Optional[str] = ..., action: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[AuditEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("id", "organization", "experiment", "rule", "trigger", "severity", "metric", "variant", "value", "bound", "limit", "reason", "count", "since", "opened_at", "last_seen_at", "resolved_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    organization: str
    experiment: str
    rule: str
    trigger: str
    severity: AlertSeverity
    metric: str
    variant: str
    value: float
    bound: float
    limit: float
    reason: str
    count: int
    since: _timestamp_pb2.Timestamp
    opened_at: _timestamp_pb2.Timestamp
    last_seen_at: _timestamp_pb2.Timestamp
    resolved_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., organization: _Optional[str] = ..., experiment: _Optional[str] = ..., rule: _Optional[str] = ..., trigger: _Optional[str] = ..., severity: _Optional[_Union[AlertSeverity, str]] = ..., metric: _Optional[str] = ..., variant: _Optional[str] = ..., value: _Optional[float] = ..., bound: _Optional[float] = ..., limit: _Optional[float] = ..., reason: _Optional[str] = ..., count: _Optional[int] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resolved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAlertsRequest(_message.Message):
    __slots__ = ("organization", "experiment", "include_resolved", "severities", "page_size", "page_token")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_RESOLVED_FIELD_NUMBER: _ClassVar[int]
    SEVERITIES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    organization: str
    experiment: str
    include_resolved: bool
    severities: _containers.RepeatedScalarFieldContainer[AlertSeverity]
    page_size: int
    page_token: str
    def __init__(self, organization: _Optional[str] = ..., experiment: _Optional[str] = ..., include_resolved: bool = ..., severities: _Optional[_Iterable[_Union[AlertSeverity, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAlertsResponse(_message.Message):
    __slots__ = ("alerts", "next_page_token")
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[Alert]
    next_page_token: str
    def __init__(self, alerts: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CheckAlertsRequest(_message.Message):
    __slots__ = ("organization", "experiment")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    organization: str
    experiment: str
    def __init__(self, organization: _Optional[str] = ..., experiment: _Optional[str] = ...) -> None: ...

class AlertReading(_message.Message):
    __slots__ = ("organization", "experiment", "rule", "trigger", "severity", "metric", "variant", "firing", "value", "bound", "limit", "level", "reason")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    FIRING_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    organization: str
    experiment: str
    rule: str
    trigger: str
    severity: AlertSeverity
    metric: str
    variant: str
    firing: bool
    value: float
    bound: float
    limit: float
    level: float
    reason: str
    def __init__(self, organization: _Optional[str] = ..., experiment: _Optional[str] = ..., rule: _Optional[str] = ..., trigger: _Optional[str] = ..., severity: _Optional[_Union[AlertSeverity, str]] = ..., metric: _Optional[str] = ..., variant: _Optional[str] = ..., firing: bool = ..., value: _Optional[float] = ..., bound: _Optional[float] = ..., limit: _Optional[float] = ..., level: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class CheckAlertsResponse(_message.Message):
    __slots__ = ("readings",)
    READINGS_FIELD_NUMBER: _ClassVar[int]
    readings: _containers.RepeatedCompositeFieldContainer[AlertReading]
    def __init__(self, readings: _Optional[_Iterable[_Union[AlertReading, _Mapping]]] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServerInfo(_message.Message):
    __slots__ = ("version", "writer", "database", "snapshot_version", "snapshot_hash", "started_at", "flushed_batch", "flushed_at", "flush_failures", "counters", "flush_error", "lane")
    class CountersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_HASH_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FLUSHED_BATCH_FIELD_NUMBER: _ClassVar[int]
    FLUSHED_AT_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FAILURES_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    FLUSH_ERROR_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    version: str
    writer: str
    database: str
    snapshot_version: int
    snapshot_hash: str
    started_at: _timestamp_pb2.Timestamp
    flushed_batch: int
    flushed_at: _timestamp_pb2.Timestamp
    flush_failures: int
    counters: _containers.ScalarMap[str, int]
    flush_error: str
    lane: str
    def __init__(self, version: _Optional[str] = ..., writer: _Optional[str] = ..., database: _Optional[str] = ..., snapshot_version: _Optional[int] = ..., snapshot_hash: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., flushed_batch: _Optional[int] = ..., flushed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., flush_failures: _Optional[int] = ..., counters: _Optional[_Mapping[str, int]] = ..., flush_error: _Optional[str] = ..., lane: _Optional[str] = ...) -> None: ...
