from sortition.rpc.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExperimentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPERIMENT_STATUS_UNSPECIFIED: _ClassVar[ExperimentStatus]
    EXPERIMENT_STATUS_DRAFT: _ClassVar[ExperimentStatus]
    EXPERIMENT_STATUS_RUNNING: _ClassVar[ExperimentStatus]
    EXPERIMENT_STATUS_PAUSED: _ClassVar[ExperimentStatus]
    EXPERIMENT_STATUS_COMPLETED: _ClassVar[ExperimentStatus]
    EXPERIMENT_STATUS_CANCELLED: _ClassVar[ExperimentStatus]

class MetricKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_KIND_UNSPECIFIED: _ClassVar[MetricKind]
    METRIC_KIND_BINARY: _ClassVar[MetricKind]
    METRIC_KIND_CONTINUOUS: _ClassVar[MetricKind]
    METRIC_KIND_DURATION: _ClassVar[MetricKind]
    METRIC_KIND_COUNT: _ClassVar[MetricKind]
    METRIC_KIND_RATIO: _ClassVar[MetricKind]
EXPERIMENT_STATUS_UNSPECIFIED: ExperimentStatus
EXPERIMENT_STATUS_DRAFT: ExperimentStatus
EXPERIMENT_STATUS_RUNNING: ExperimentStatus
EXPERIMENT_STATUS_PAUSED: ExperimentStatus
EXPERIMENT_STATUS_COMPLETED: ExperimentStatus
EXPERIMENT_STATUS_CANCELLED: ExperimentStatus
METRIC_KIND_UNSPECIFIED: MetricKind
METRIC_KIND_BINARY: MetricKind
METRIC_KIND_CONTINUOUS: MetricKind
METRIC_KIND_DURATION: MetricKind
METRIC_KIND_COUNT: MetricKind
METRIC_KIND_RATIO: MetricKind

class Snapshot(_message.Message):
    __slots__ = ("version", "content_hash", "content")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    version: int
    content_hash: bytes
    content: bytes
    def __init__(self, version: _Optional[int] = ..., content_hash: _Optional[bytes] = ..., content: _Optional[bytes] = ...) -> None: ...

class SnapshotContent(_message.Message):
    __slots__ = ("subjects", "experiments")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedCompositeFieldContainer[SnapshotSubject]
    experiments: _containers.RepeatedCompositeFieldContainer[SnapshotExperiment]
    def __init__(self, subjects: _Optional[_Iterable[_Union[SnapshotSubject, _Mapping]]] = ..., experiments: _Optional[_Iterable[_Union[SnapshotExperiment, _Mapping]]] = ...) -> None: ...

class SnapshotSubject(_message.Message):
    __slots__ = ("organization", "ref", "version", "config")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    organization: str
    ref: _common_pb2.SubjectRef
    version: int
    config: bytes
    def __init__(self, organization: _Optional[str] = ..., ref: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., version: _Optional[int] = ..., config: _Optional[bytes] = ...) -> None: ...

class SnapshotExperiment(_message.Message):
    __slots__ = ("id", "organization", "key", "subject", "status", "external_assignment", "variants", "metrics", "allocations", "dimensions", "declared", "announced")
    ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    id: str
    organization: str
    key: str
    subject: _common_pb2.SubjectRef
    status: ExperimentStatus
    external_assignment: bool
    variants: _containers.RepeatedCompositeFieldContainer[SnapshotVariant]
    metrics: _containers.RepeatedCompositeFieldContainer[SnapshotMetric]
    allocations: _containers.RepeatedCompositeFieldContainer[SnapshotAllocation]
    dimensions: _containers.RepeatedCompositeFieldContainer[SnapshotDimension]
    declared: bytes
    announced: SnapshotAllocation
    def __init__(self, id: _Optional[str] = ..., organization: _Optional[str] = ..., key: _Optional[str] = ..., subject: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., status: _Optional[_Union[ExperimentStatus, str]] = ..., external_assignment: bool = ..., variants: _Optional[_Iterable[_Union[SnapshotVariant, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[SnapshotMetric, _Mapping]]] = ..., allocations: _Optional[_Iterable[_Union[SnapshotAllocation, _Mapping]]] = ..., dimensions: _Optional[_Iterable[_Union[SnapshotDimension, _Mapping]]] = ..., declared: _Optional[bytes] = ..., announced: _Optional[_Union[SnapshotAllocation, _Mapping]] = ...) -> None: ...

class SnapshotDimension(_message.Message):
    __slots__ = ("name", "levels")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    levels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., levels: _Optional[_Iterable[str]] = ...) -> None: ...

class SnapshotVariant(_message.Message):
    __slots__ = ("name", "control", "config")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    name: str
    control: bool
    config: bytes
    def __init__(self, name: _Optional[str] = ..., control: bool = ..., config: _Optional[bytes] = ...) -> None: ...

class SnapshotMetric(_message.Message):
    __slots__ = ("name", "kind", "min", "max", "cap_min", "cap_max", "quantiles", "covariate")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    CAP_MIN_FIELD_NUMBER: _ClassVar[int]
    CAP_MAX_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    COVARIATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: MetricKind
    min: float
    max: float
    cap_min: float
    cap_max: float
    quantiles: bool
    covariate: bool
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[MetricKind, str]] = ..., min: _Optional[float] = ..., max: _Optional[float] = ..., cap_min: _Optional[float] = ..., cap_max: _Optional[float] = ..., quantiles: bool = ..., covariate: bool = ...) -> None: ...

class SnapshotAllocation(_message.Message):
    __slots__ = ("generation", "ranges")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    generation: int
    ranges: _containers.RepeatedCompositeFieldContainer[BucketRange]
    def __init__(self, generation: _Optional[int] = ..., ranges: _Optional[_Iterable[_Union[BucketRange, _Mapping]]] = ...) -> None: ...

class BucketRange(_message.Message):
    __slots__ = ("end", "variant")
    END_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    end: int
    variant: int
    def __init__(self, end: _Optional[int] = ..., variant: _Optional[int] = ...) -> None: ...
