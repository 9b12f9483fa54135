from sortition.rpc.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Observation(_message.Message):
    __slots__ = ("metric", "number", "flag", "denominator", "covariate", "if_declared")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    COVARIATE_FIELD_NUMBER: _ClassVar[int]
    IF_DECLARED_FIELD_NUMBER: _ClassVar[int]
    metric: str
    number: float
    flag: bool
    denominator: float
    covariate: float
    if_declared: bool
    def __init__(self, metric: _Optional[str] = ..., number: _Optional[float] = ..., flag: bool = ..., denominator: _Optional[float] = ..., covariate: _Optional[float] = ..., if_declared: bool = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("experiment", "unit", "variant", "observations", "organization", "occurred_at_ms", "dimensions")
    class DimensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    unit: str
    variant: str
    observations: _containers.RepeatedCompositeFieldContainer[Observation]
    organization: str
    occurred_at_ms: int
    dimensions: _containers.ScalarMap[str, str]
    def __init__(self, experiment: _Optional[str] = ..., unit: _Optional[str] = ..., variant: _Optional[str] = ..., observations: _Optional[_Iterable[_Union[Observation, _Mapping]]] = ..., organization: _Optional[str] = ..., occurred_at_ms: _Optional[int] = ..., dimensions: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("client", "seq", "oldest_pending", "idempotency_key")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    OLDEST_PENDING_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    client: bytes
    seq: int
    oldest_pending: int
    idempotency_key: bytes
    def __init__(self, client: _Optional[bytes] = ..., seq: _Optional[int] = ..., oldest_pending: _Optional[int] = ..., idempotency_key: _Optional[bytes] = ...) -> None: ...

class RecordRequest(_message.Message):
    __slots__ = ("outcome", "delivery")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    delivery: Delivery
    def __init__(self, outcome: _Optional[_Union[Outcome, _Mapping]] = ..., delivery: _Optional[_Union[Delivery, _Mapping]] = ...) -> None: ...

class ExposedUnit(_message.Message):
    __slots__ = ("experiment", "unit", "organization", "variant", "allocation_generation", "occurred_at_ms")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_GENERATION_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    unit: str
    organization: str
    variant: str
    allocation_generation: int
    occurred_at_ms: int
    def __init__(self, experiment: _Optional[str] = ..., unit: _Optional[str] = ..., organization: _Optional[str] = ..., variant: _Optional[str] = ..., allocation_generation: _Optional[int] = ..., occurred_at_ms: _Optional[int] = ...) -> None: ...

class RecordBatchRequest(_message.Message):
    __slots__ = ("outcomes", "delivery", "exposed")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    EXPOSED_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[Outcome]
    delivery: Delivery
    exposed: _containers.RepeatedCompositeFieldContainer[ExposedUnit]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[Outcome, _Mapping]]] = ..., delivery: _Optional[_Union[Delivery, _Mapping]] = ..., exposed: _Optional[_Iterable[_Union[ExposedUnit, _Mapping]]] = ...) -> None: ...

class RecordResponse(_message.Message):
    __slots__ = ("accepted", "late", "ignored", "clamped", "duplicate", "snapshot_version")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    CLAMPED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    late: int
    ignored: int
    clamped: int
    duplicate: bool
    snapshot_version: int
    def __init__(self, accepted: _Optional[int] = ..., late: _Optional[int] = ..., ignored: _Optional[int] = ..., clamped: _Optional[int] = ..., duplicate: bool = ..., snapshot_version: _Optional[int] = ...) -> None: ...

class RecordStreamResponse(_message.Message):
    __slots__ = ("recorded", "failure")
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    recorded: RecordResponse
    failure: _common_pb2.Failure
    def __init__(self, recorded: _Optional[_Union[RecordResponse, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ...) -> None: ...
