from sortition.rpc.v1 import common_pb2 as _common_pb2
from sortition.rpc.v1 import snapshot_pb2 as _snapshot_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_SPLIT: _ClassVar[Reason]
    REASON_STICKY: _ClassVar[Reason]
    REASON_FORCED: _ClassVar[Reason]
    REASON_PAUSED: _ClassVar[Reason]
    REASON_NO_EXPERIMENT: _ClassVar[Reason]
    REASON_NOT_TARGETED: _ClassVar[Reason]
    REASON_HOLDOUT: _ClassVar[Reason]
    REASON_DEFAULT: _ClassVar[Reason]
REASON_UNSPECIFIED: Reason
REASON_SPLIT: Reason
REASON_STICKY: Reason
REASON_FORCED: Reason
REASON_PAUSED: Reason
REASON_NO_EXPERIMENT: Reason
REASON_NOT_TARGETED: Reason
REASON_HOLDOUT: Reason
REASON_DEFAULT: Reason

class SubjectList(_message.Message):
    __slots__ = ("subjects",)
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedCompositeFieldContainer[_common_pb2.SubjectRef]
    def __init__(self, subjects: _Optional[_Iterable[_Union[_common_pb2.SubjectRef, _Mapping]]] = ...) -> None: ...

class AssignRequest(_message.Message):
    __slots__ = ("experiment", "subject", "any_of", "unit", "organization", "expose", "known_config_hashes")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    EXPOSE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_CONFIG_HASHES_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    subject: _common_pb2.SubjectRef
    any_of: SubjectList
    unit: str
    organization: str
    expose: bool
    known_config_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, experiment: _Optional[str] = ..., subject: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., any_of: _Optional[_Union[SubjectList, _Mapping]] = ..., unit: _Optional[str] = ..., organization: _Optional[str] = ..., expose: bool = ..., known_config_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class AssignResponse(_message.Message):
    __slots__ = ("experiment", "variant", "config", "config_hash", "config_omitted", "reason", "bucket", "allocation_generation", "snapshot_version", "snapshot_hash", "subject", "subject_version", "exposed")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONFIG_HASH_FIELD_NUMBER: _ClassVar[int]
    CONFIG_OMITTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_GENERATION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_HASH_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPOSED_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    variant: str
    config: bytes
    config_hash: bytes
    config_omitted: bool
    reason: Reason
    bucket: int
    allocation_generation: int
    snapshot_version: int
    snapshot_hash: bytes
    subject: _common_pb2.SubjectRef
    subject_version: int
    exposed: bool
    def __init__(self, experiment: _Optional[str] = ..., variant: _Optional[str] = ..., config: _Optional[bytes] = ..., config_hash: _Optional[bytes] = ..., config_omitted: bool = ..., reason: _Optional[_Union[Reason, str]] = ..., bucket: _Optional[int] = ..., allocation_generation: _Optional[int] = ..., snapshot_version: _Optional[int] = ..., snapshot_hash: _Optional[bytes] = ..., subject: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., subject_version: _Optional[int] = ..., exposed: bool = ...) -> None: ...

class AssignBatchRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[AssignRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[AssignRequest, _Mapping]]] = ...) -> None: ...

class AssignBatchResponse(_message.Message):
    __slots__ = ("responses",)
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    responses: _containers.RepeatedCompositeFieldContainer[AssignResponse]
    def __init__(self, responses: _Optional[_Iterable[_Union[AssignResponse, _Mapping]]] = ...) -> None: ...

class AssignStreamResponse(_message.Message):
    __slots__ = ("assignment", "failure")
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    assignment: AssignResponse
    failure: _common_pb2.Failure
    def __init__(self, assignment: _Optional[_Union[AssignResponse, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ...) -> None: ...

class ExposeRequest(_message.Message):
    __slots__ = ("experiment", "unit", "organization")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    unit: str
    organization: str
    def __init__(self, experiment: _Optional[str] = ..., unit: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class ExposeResponse(_message.Message):
    __slots__ = ("exposed", "variant", "snapshot_version")
    EXPOSED_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    exposed: bool
    variant: str
    snapshot_version: int
    def __init__(self, exposed: bool = ..., variant: _Optional[str] = ..., snapshot_version: _Optional[int] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...
