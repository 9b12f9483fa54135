import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
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

class RecommendationKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECOMMENDATION_KIND_UNSPECIFIED: _ClassVar[RecommendationKind]
    RECOMMENDATION_KIND_NEED_MORE_DATA: _ClassVar[RecommendationKind]
    RECOMMENDATION_KIND_NOT_SIGNIFICANT: _ClassVar[RecommendationKind]
    RECOMMENDATION_KIND_SHIP: _ClassVar[RecommendationKind]
    RECOMMENDATION_KIND_BELOW_MDE: _ClassVar[RecommendationKind]
    RECOMMENDATION_KIND_REGRESSION: _ClassVar[RecommendationKind]
    RECOMMENDATION_KIND_INVALID: _ClassVar[RecommendationKind]

class EndingKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENDING_KIND_UNSPECIFIED: _ClassVar[EndingKind]
    ENDING_KIND_SHIPPED: _ClassVar[EndingKind]
    ENDING_KIND_ROLLED_BACK: _ClassVar[EndingKind]
    ENDING_KIND_EXPIRED: _ClassVar[EndingKind]
    ENDING_KIND_NOT_SHIPPED: _ClassVar[EndingKind]
    ENDING_KIND_CANCELLED: _ClassVar[EndingKind]
RECOMMENDATION_KIND_UNSPECIFIED: RecommendationKind
RECOMMENDATION_KIND_NEED_MORE_DATA: RecommendationKind
RECOMMENDATION_KIND_NOT_SIGNIFICANT: RecommendationKind
RECOMMENDATION_KIND_SHIP: RecommendationKind
RECOMMENDATION_KIND_BELOW_MDE: RecommendationKind
RECOMMENDATION_KIND_REGRESSION: RecommendationKind
RECOMMENDATION_KIND_INVALID: RecommendationKind
ENDING_KIND_UNSPECIFIED: EndingKind
ENDING_KIND_SHIPPED: EndingKind
ENDING_KIND_ROLLED_BACK: EndingKind
ENDING_KIND_EXPIRED: EndingKind
ENDING_KIND_NOT_SHIPPED: EndingKind
ENDING_KIND_CANCELLED: EndingKind

class AnalyzeRequest(_message.Message):
    __slots__ = ("key", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class Interval(_message.Message):
    __slots__ = ("lower", "upper")
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    lower: float
    upper: float
    def __init__(self, lower: _Optional[float] = ..., upper: _Optional[float] = ...) -> None: ...

class QuantileValue(_message.Message):
    __slots__ = ("q", "value")
    Q_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    q: float
    value: float
    def __init__(self, q: _Optional[float] = ..., value: _Optional[float] = ...) -> None: ...

class VariantMetric(_message.Message):
    __slots__ = ("variant", "metric", "n", "mean", "sd", "se", "min", "max", "quantiles", "refused", "clamped", "late")
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    SD_FIELD_NUMBER: _ClassVar[int]
    SE_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    CLAMPED_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    variant: str
    metric: str
    n: int
    mean: float
    sd: float
    se: float
    min: float
    max: float
    quantiles: _containers.RepeatedCompositeFieldContainer[QuantileValue]
    refused: int
    clamped: int
    late: int
    def __init__(self, variant: _Optional[str] = ..., metric: _Optional[str] = ..., n: _Optional[int] = ..., mean: _Optional[float] = ..., sd: _Optional[float] = ..., se: _Optional[float] = ..., min: _Optional[float] = ..., max: _Optional[float] = ..., quantiles: _Optional[_Iterable[_Union[QuantileValue, _Mapping]]] = ..., refused: _Optional[int] = ..., clamped: _Optional[int] = ..., late: _Optional[int] = ...) -> None: ...

class Posterior(_message.Message):
    __slots__ = ("chance_to_beat", "expected_lift", "expected_loss", "interval", "chance_of_practical", "prior")
    CHANCE_TO_BEAT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_LIFT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_LOSS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CHANCE_OF_PRACTICAL_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FIELD_NUMBER: _ClassVar[int]
    chance_to_beat: float
    expected_lift: float
    expected_loss: float
    interval: Interval
    chance_of_practical: float
    prior: str
    def __init__(self, chance_to_beat: _Optional[float] = ..., expected_lift: _Optional[float] = ..., expected_loss: _Optional[float] = ..., interval: _Optional[_Union[Interval, _Mapping]] = ..., chance_of_practical: _Optional[float] = ..., prior: _Optional[str] = ...) -> None: ...

class AlwaysValid(_message.Message):
    __slots__ = ("method", "interval", "relative_interval", "p_value")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    method: str
    interval: Interval
    relative_interval: Interval
    p_value: float
    def __init__(self, method: _Optional[str] = ..., interval: _Optional[_Union[Interval, _Mapping]] = ..., relative_interval: _Optional[_Union[Interval, _Mapping]] = ..., p_value: _Optional[float] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("variant", "metric", "quantile", "method", "difference", "interval", "relative", "relative_interval", "p_value", "p_adjusted", "df", "effect_size", "chance_to_beat", "significant", "improvement", "reason", "posterior", "always_valid", "variance_reduction", "standard_error")
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    QUANTILE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    DF_FIELD_NUMBER: _ClassVar[int]
    EFFECT_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHANCE_TO_BEAT_FIELD_NUMBER: _ClassVar[int]
    SIGNIFICANT_FIELD_NUMBER: _ClassVar[int]
    IMPROVEMENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    POSTERIOR_FIELD_NUMBER: _ClassVar[int]
    ALWAYS_VALID_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_REDUCTION_FIELD_NUMBER: _ClassVar[int]
    STANDARD_ERROR_FIELD_NUMBER: _ClassVar[int]
    variant: str
    metric: str
    quantile: float
    method: str
    difference: float
    interval: Interval
    relative: float
    relative_interval: Interval
    p_value: float
    p_adjusted: float
    df: float
    effect_size: float
    chance_to_beat: float
    significant: bool
    improvement: bool
    reason: str
    posterior: Posterior
    always_valid: AlwaysValid
    variance_reduction: float
    standard_error: float
    def __init__(self, variant: _Optional[str] = ..., metric: _Optional[str] = ..., quantile: _Optional[float] = ..., method: _Optional[str] = ..., difference: _Optional[float] = ..., interval: _Optional[_Union[Interval, _Mapping]] = ..., relative: _Optional[float] = ..., relative_interval: _Optional[_Union[Interval, _Mapping]] = ..., p_value: _Optional[float] = ..., p_adjusted: _Optional[float] = ..., df: _Optional[float] = ..., effect_size: _Optional[float] = ..., chance_to_beat: _Optional[float] = ..., significant: bool = ..., improvement: bool = ..., reason: _Optional[str] = ..., posterior: _Optional[_Union[Posterior, _Mapping]] = ..., always_valid: _Optional[_Union[AlwaysValid, _Mapping]] = ..., variance_reduction: _Optional[float] = ..., standard_error: _Optional[float] = ...) -> None: ...

class QualityPart(_message.Message):
    __slots__ = ("name", "score", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    score: float
    detail: str
    def __init__(self, name: _Optional[str] = ..., score: _Optional[float] = ..., detail: _Optional[str] = ...) -> None: ...

class DataQuality(_message.Message):
    __slots__ = ("score", "parts")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    score: float
    parts: _containers.RepeatedCompositeFieldContainer[QualityPart]
    def __init__(self, score: _Optional[float] = ..., parts: _Optional[_Iterable[_Union[QualityPart, _Mapping]]] = ...) -> None: ...

class Look(_message.Message):
    __slots__ = ("planned_units", "units", "at", "information", "boundary", "level", "spent")
    PLANNED_UNITS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    INFORMATION_FIELD_NUMBER: _ClassVar[int]
    BOUNDARY_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    planned_units: int
    units: int
    at: _timestamp_pb2.Timestamp
    information: float
    boundary: float
    level: float
    spent: float
    def __init__(self, planned_units: _Optional[int] = ..., units: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., information: _Optional[float] = ..., boundary: _Optional[float] = ..., level: _Optional[float] = ..., spent: _Optional[float] = ...) -> None: ...

class ReachedDecision(_message.Message):
    __slots__ = ("id", "at", "units", "kind", "winner", "recommendation")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDATION_FIELD_NUMBER: _ClassVar[int]
    id: str
    at: _timestamp_pb2.Timestamp
    units: int
    kind: RecommendationKind
    winner: str
    recommendation: str
    def __init__(self, id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., units: _Optional[int] = ..., kind: _Optional[_Union[RecommendationKind, str]] = ..., winner: _Optional[str] = ..., recommendation: _Optional[str] = ...) -> None: ...

class SampleRatio(_message.Message):
    __slots__ = ("p_value", "verdict", "sequential_p_value", "log_e_value")
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SEQUENTIAL_P_VALUE_FIELD_NUMBER: _ClassVar[int]
    LOG_E_VALUE_FIELD_NUMBER: _ClassVar[int]
    p_value: float
    verdict: str
    sequential_p_value: float
    log_e_value: float
    def __init__(self, p_value: _Optional[float] = ..., verdict: _Optional[str] = ..., sequential_p_value: _Optional[float] = ..., log_e_value: _Optional[float] = ...) -> None: ...

class VariantSummary(_message.Message):
    __slots__ = ("name", "control", "weight", "units", "share")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    name: str
    control: bool
    weight: float
    units: int
    share: float
    def __init__(self, name: _Optional[str] = ..., control: bool = ..., weight: _Optional[float] = ..., units: _Optional[int] = ..., share: _Optional[float] = ...) -> None: ...

class Guardrail(_message.Message):
    __slots__ = ("metric", "variant", "intact", "detail", "unknown")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    INTACT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    metric: str
    variant: str
    intact: bool
    detail: str
    unknown: bool
    def __init__(self, metric: _Optional[str] = ..., variant: _Optional[str] = ..., intact: bool = ..., detail: _Optional[str] = ..., unknown: bool = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("dimension", "level", "metrics", "comparisons")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    COMPARISONS_FIELD_NUMBER: _ClassVar[int]
    dimension: str
    level: str
    metrics: _containers.RepeatedCompositeFieldContainer[VariantMetric]
    comparisons: _containers.RepeatedCompositeFieldContainer[Comparison]
    def __init__(self, dimension: _Optional[str] = ..., level: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[VariantMetric, _Mapping]]] = ..., comparisons: _Optional[_Iterable[_Union[Comparison, _Mapping]]] = ...) -> None: ...

class AnalysisResult(_message.Message):
    __slots__ = ("experiment", "organization", "status", "analyzed_at", "primary_metric", "confidence", "alpha", "variants", "metrics", "comparisons", "guardrails", "sample_ratio", "units", "min_samples", "winner", "should_ship", "recommendation_kind", "recommendation", "warnings", "policy", "provisional", "horizon", "looks", "reached", "quality", "segments", "settled")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ANALYZED_AT_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_METRIC_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    COMPARISONS_FIELD_NUMBER: _ClassVar[int]
    GUARDRAILS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATIO_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    MIN_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    SHOULD_SHIP_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDATION_KIND_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDATION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    PROVISIONAL_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    LOOKS_FIELD_NUMBER: _ClassVar[int]
    REACHED_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    organization: str
    status: _snapshot_pb2.ExperimentStatus
    analyzed_at: _timestamp_pb2.Timestamp
    primary_metric: str
    confidence: float
    alpha: float
    variants: _containers.RepeatedCompositeFieldContainer[VariantSummary]
    metrics: _containers.RepeatedCompositeFieldContainer[VariantMetric]
    comparisons: _containers.RepeatedCompositeFieldContainer[Comparison]
    guardrails: _containers.RepeatedCompositeFieldContainer[Guardrail]
    sample_ratio: SampleRatio
    units: int
    min_samples: int
    winner: str
    should_ship: bool
    recommendation_kind: RecommendationKind
    recommendation: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    policy: _experiment_pb2.DecisionPolicy
    provisional: bool
    horizon: int
    looks: _containers.RepeatedCompositeFieldContainer[Look]
    reached: ReachedDecision
    quality: DataQuality
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    settled: bool
    def __init__(self, experiment: _Optional[str] = ..., organization: _Optional[str] = ..., status: _Optional[_Union[_snapshot_pb2.ExperimentStatus, str]] = ..., analyzed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., primary_metric: _Optional[str] = ..., confidence: _Optional[float] = ..., alpha: _Optional[float] = ..., variants: _Optional[_Iterable[_Union[VariantSummary, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[VariantMetric, _Mapping]]] = ..., comparisons: _Optional[_Iterable[_Union[Comparison, _Mapping]]] = ..., guardrails: _Optional[_Iterable[_Union[Guardrail, _Mapping]]] = ..., sample_ratio: _Optional[_Union[SampleRatio, _Mapping]] = ..., units: _Optional[int] = ..., min_samples: _Optional[int] = ..., winner: _Optional[str] = ..., should_ship: bool = ..., recommendation_kind: _Optional[_Union[RecommendationKind, str]] = ..., recommendation: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., policy: _Optional[_Union[_experiment_pb2.DecisionPolicy, str]] = ..., provisional: bool = ..., horizon: _Optional[int] = ..., looks: _Optional[_Iterable[_Union[Look, _Mapping]]] = ..., reached: _Optional[_Union[ReachedDecision, _Mapping]] = ..., quality: _Optional[_Union[DataQuality, _Mapping]] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., settled: bool = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("key", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class Ending(_message.Message):
    __slots__ = ("kind", "automatic", "variant", "forced", "taken_back", "reasons", "decision_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    TAKEN_BACK_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    kind: EndingKind
    automatic: bool
    variant: str
    forced: bool
    taken_back: bool
    reasons: _containers.RepeatedScalarFieldContainer[str]
    decision_id: str
    def __init__(self, kind: _Optional[_Union[EndingKind, str]] = ..., automatic: bool = ..., variant: _Optional[str] = ..., forced: bool = ..., taken_back: bool = ..., reasons: _Optional[_Iterable[str]] = ..., decision_id: _Optional[str] = ...) -> None: ...

class ExperimentReport(_message.Message):
    __slots__ = ("experiment", "analysis", "progress", "running_seconds", "todo", "ending")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TODO_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    analysis: AnalysisResult
    progress: float
    running_seconds: float
    todo: _containers.RepeatedScalarFieldContainer[str]
    ending: Ending
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ..., analysis: _Optional[_Union[AnalysisResult, _Mapping]] = ..., progress: _Optional[float] = ..., running_seconds: _Optional[float] = ..., todo: _Optional[_Iterable[str]] = ..., ending: _Optional[_Union[Ending, _Mapping]] = ...) -> None: ...

class ListStatusRequest(_message.Message):
    __slots__ = ("organization", "statuses", "page_size", "page_token", "subject", "since")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    organization: str
    statuses: _containers.RepeatedScalarFieldContainer[_snapshot_pb2.ExperimentStatus]
    page_size: int
    page_token: str
    subject: _common_pb2.SubjectRef
    since: _timestamp_pb2.Timestamp
    def __init__(self, organization: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[_snapshot_pb2.ExperimentStatus, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., subject: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListStatusResponse(_message.Message):
    __slots__ = ("reports", "next_page_token")
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[ExperimentReport]
    next_page_token: str
    def __init__(self, reports: _Optional[_Iterable[_Union[ExperimentReport, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SummarizeRequest(_message.Message):
    __slots__ = ("organization", "subject", "since", "monthly_volume")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_VOLUME_FIELD_NUMBER: _ClassVar[int]
    organization: str
    subject: _common_pb2.SubjectRef
    since: _timestamp_pb2.Timestamp
    monthly_volume: float
    def __init__(self, organization: _Optional[str] = ..., subject: _Optional[_Union[_common_pb2.SubjectRef, _Mapping]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., monthly_volume: _Optional[float] = ...) -> None: ...

class Summary(_message.Message):
    __slots__ = ("drafts", "running", "paused", "finished", "won", "shipped", "rolled_back", "expired", "not_shipped", "cancelled", "archived", "success_rate", "success_interval", "confidence", "gains", "remarks")
    DRAFTS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    WON_FIELD_NUMBER: _ClassVar[int]
    SHIPPED_FIELD_NUMBER: _ClassVar[int]
    ROLLED_BACK_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    NOT_SHIPPED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_RATE_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    GAINS_FIELD_NUMBER: _ClassVar[int]
    REMARKS_FIELD_NUMBER: _ClassVar[int]
    drafts: int
    running: int
    paused: int
    finished: int
    won: int
    shipped: int
    rolled_back: int
    expired: int
    not_shipped: int
    cancelled: int
    archived: int
    success_rate: float
    success_interval: Interval
    confidence: float
    gains: _containers.RepeatedCompositeFieldContainer[Gain]
    remarks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, drafts: _Optional[int] = ..., running: _Optional[int] = ..., paused: _Optional[int] = ..., finished: _Optional[int] = ..., won: _Optional[int] = ..., shipped: _Optional[int] = ..., rolled_back: _Optional[int] = ..., expired: _Optional[int] = ..., not_shipped: _Optional[int] = ..., cancelled: _Optional[int] = ..., archived: _Optional[int] = ..., success_rate: _Optional[float] = ..., success_interval: _Optional[_Union[Interval, _Mapping]] = ..., confidence: _Optional[float] = ..., gains: _Optional[_Iterable[_Union[Gain, _Mapping]]] = ..., remarks: _Optional[_Iterable[str]] = ...) -> None: ...

class Gain(_message.Message):
    __slots__ = ("metric", "unit", "kind", "goal", "experiments", "unknown", "total", "interval", "monthly", "monthly_interval")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    metric: str
    unit: str
    kind: _snapshot_pb2.MetricKind
    goal: _experiment_pb2.Goal
    experiments: int
    unknown: int
    total: float
    interval: Interval
    monthly: float
    monthly_interval: Interval
    def __init__(self, metric: _Optional[str] = ..., unit: _Optional[str] = ..., kind: _Optional[_Union[_snapshot_pb2.MetricKind, str]] = ..., goal: _Optional[_Union[_experiment_pb2.Goal, str]] = ..., experiments: _Optional[int] = ..., unknown: _Optional[int] = ..., total: _Optional[float] = ..., interval: _Optional[_Union[Interval, _Mapping]] = ..., monthly: _Optional[float] = ..., monthly_interval: _Optional[_Union[Interval, _Mapping]] = ...) -> None: ...

class GetSeriesRequest(_message.Message):
    __slots__ = ("key", "organization", "metric")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    metric: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ..., metric: _Optional[str] = ...) -> None: ...

class SeriesPoint(_message.Message):
    __slots__ = ("day", "variant", "n", "mean", "new_units", "cumulative_n", "cumulative_mean", "cumulative_units", "cumulative_difference", "cumulative_interval", "cumulative_always_valid")
    DAY_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    NEW_UNITS_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_N_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_MEAN_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_UNITS_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_ALWAYS_VALID_FIELD_NUMBER: _ClassVar[int]
    day: str
    variant: str
    n: int
    mean: float
    new_units: int
    cumulative_n: int
    cumulative_mean: float
    cumulative_units: int
    cumulative_difference: float
    cumulative_interval: Interval
    cumulative_always_valid: Interval
    def __init__(self, day: _Optional[str] = ..., variant: _Optional[str] = ..., n: _Optional[int] = ..., mean: _Optional[float] = ..., new_units: _Optional[int] = ..., cumulative_n: _Optional[int] = ..., cumulative_mean: _Optional[float] = ..., cumulative_units: _Optional[int] = ..., cumulative_difference: _Optional[float] = ..., cumulative_interval: _Optional[_Union[Interval, _Mapping]] = ..., cumulative_always_valid: _Optional[_Union[Interval, _Mapping]] = ...) -> None: ...

class Series(_message.Message):
    __slots__ = ("metric", "points")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    metric: str
    points: _containers.RepeatedCompositeFieldContainer[SeriesPoint]
    def __init__(self, metric: _Optional[str] = ..., points: _Optional[_Iterable[_Union[SeriesPoint, _Mapping]]] = ...) -> None: ...

class PowerRequest(_message.Message):
    __slots__ = ("key", "plan", "spec", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    plan: PowerPlan
    spec: _experiment_pb2.ExperimentSpec
    organization: str
    def __init__(self, key: _Optional[str] = ..., plan: _Optional[_Union[PowerPlan, _Mapping]] = ..., spec: _Optional[_Union[_experiment_pb2.ExperimentSpec, _Mapping]] = ..., organization: _Optional[str] = ...) -> None: ...

class PowerPlan(_message.Message):
    __slots__ = ("kind", "baseline", "sd", "mde", "confidence", "power", "variants", "units_per_day", "policy", "looks", "spending", "observations_per_unit", "correlation", "quantile", "density")
    KIND_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    SD_FIELD_NUMBER: _ClassVar[int]
    MDE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    UNITS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    LOOKS_FIELD_NUMBER: _ClassVar[int]
    SPENDING_FIELD_NUMBER: _ClassVar[int]
    OBSERVATIONS_PER_UNIT_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    QUANTILE_FIELD_NUMBER: _ClassVar[int]
    DENSITY_FIELD_NUMBER: _ClassVar[int]
    kind: _snapshot_pb2.MetricKind
    baseline: float
    sd: float
    mde: float
    confidence: float
    power: float
    variants: int
    units_per_day: float
    policy: _experiment_pb2.DecisionPolicy
    looks: int
    spending: _experiment_pb2.Spending
    observations_per_unit: float
    correlation: float
    quantile: float
    density: float
    def __init__(self, kind: _Optional[_Union[_snapshot_pb2.MetricKind, str]] = ..., baseline: _Optional[float] = ..., sd: _Optional[float] = ..., mde: _Optional[float] = ..., confidence: _Optional[float] = ..., power: _Optional[float] = ..., variants: _Optional[int] = ..., units_per_day: _Optional[float] = ..., policy: _Optional[_Union[_experiment_pb2.DecisionPolicy, str]] = ..., looks: _Optional[int] = ..., spending: _Optional[_Union[_experiment_pb2.Spending, str]] = ..., observations_per_unit: _Optional[float] = ..., correlation: _Optional[float] = ..., quantile: _Optional[float] = ..., density: _Optional[float] = ...) -> None: ...

class PowerResult(_message.Message):
    __slots__ = ("units_per_variant", "units_total", "achieved_power", "units_missing", "days", "reason", "policy", "mde", "expected_at", "units_per_day", "baseline")
    UNITS_PER_VARIANT_FIELD_NUMBER: _ClassVar[int]
    UNITS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ACHIEVED_POWER_FIELD_NUMBER: _ClassVar[int]
    UNITS_MISSING_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    MDE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_AT_FIELD_NUMBER: _ClassVar[int]
    UNITS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    units_per_variant: int
    units_total: int
    achieved_power: float
    units_missing: int
    days: float
    reason: str
    policy: _experiment_pb2.DecisionPolicy
    mde: float
    expected_at: _timestamp_pb2.Timestamp
    units_per_day: float
    baseline: str
    def __init__(self, units_per_variant: _Optional[int] = ..., units_total: _Optional[int] = ..., achieved_power: _Optional[float] = ..., units_missing: _Optional[int] = ..., days: _Optional[float] = ..., reason: _Optional[str] = ..., policy: _Optional[_Union[_experiment_pb2.DecisionPolicy, str]] = ..., mde: _Optional[float] = ..., expected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., units_per_day: _Optional[float] = ..., baseline: _Optional[str] = ...) -> None: ...

class ListDecisionsRequest(_message.Message):
    __slots__ = ("key", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class StoredDecision(_message.Message):
    __slots__ = ("id", "at", "kind", "winner", "should_ship", "analysis", "act", "reasons")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    SHOULD_SHIP_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    id: str
    at: _timestamp_pb2.Timestamp
    kind: str
    winner: str
    should_ship: bool
    analysis: AnalysisResult
    act: str
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., winner: _Optional[str] = ..., should_ship: bool = ..., analysis: _Optional[_Union[AnalysisResult, _Mapping]] = ..., act: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class ListDecisionsResponse(_message.Message):
    __slots__ = ("decisions",)
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[StoredDecision]
    def __init__(self, decisions: _Optional[_Iterable[_Union[StoredDecision, _Mapping]]] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("decision_id",)
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    def __init__(self, decision_id: _Optional[str] = ...) -> None: ...

class ReplayResponse(_message.Message):
    __slots__ = ("decision", "experiment", "organization", "identical", "differences")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    IDENTICAL_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    decision: StoredDecision
    experiment: str
    organization: str
    identical: bool
    differences: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, decision: _Optional[_Union[StoredDecision, _Mapping]] = ..., experiment: _Optional[str] = ..., organization: _Optional[str] = ..., identical: bool = ..., differences: _Optional[_Iterable[str]] = ...) -> None: ...

class GetDistributionRequest(_message.Message):
    __slots__ = ("key", "organization", "metric")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    metric: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ..., metric: _Optional[str] = ...) -> None: ...

class VariantDistribution(_message.Message):
    __slots__ = ("variant", "n", "shares", "below", "above")
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    BELOW_FIELD_NUMBER: _ClassVar[int]
    ABOVE_FIELD_NUMBER: _ClassVar[int]
    variant: str
    n: int
    shares: _containers.RepeatedScalarFieldContainer[float]
    below: float
    above: float
    def __init__(self, variant: _Optional[str] = ..., n: _Optional[int] = ..., shares: _Optional[_Iterable[float]] = ..., below: _Optional[float] = ..., above: _Optional[float] = ...) -> None: ...

class Distribution(_message.Message):
    __slots__ = ("metric", "edges", "logarithmic", "variants", "reason")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    LOGARITHMIC_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    metric: str
    edges: _containers.RepeatedScalarFieldContainer[float]
    logarithmic: bool
    variants: _containers.RepeatedCompositeFieldContainer[VariantDistribution]
    reason: str
    def __init__(self, metric: _Optional[str] = ..., edges: _Optional[_Iterable[float]] = ..., logarithmic: bool = ..., variants: _Optional[_Iterable[_Union[VariantDistribution, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class GetPowerCurveRequest(_message.Message):
    __slots__ = ("key", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class PowerPoint(_message.Message):
    __slots__ = ("units", "power", "mde")
    UNITS_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    MDE_FIELD_NUMBER: _ClassVar[int]
    units: int
    power: float
    mde: float
    def __init__(self, units: _Optional[int] = ..., power: _Optional[float] = ..., mde: _Optional[float] = ...) -> None: ...

class PowerCurve(_message.Message):
    __slots__ = ("points", "reason")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[PowerPoint]
    reason: str
    def __init__(self, points: _Optional[_Iterable[_Union[PowerPoint, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class GetFullReportRequest(_message.Message):
    __slots__ = ("key", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class FullReport(_message.Message):
    __slots__ = ("report", "series", "distributions", "power", "power_curve")
    REPORT_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    POWER_CURVE_FIELD_NUMBER: _ClassVar[int]
    report: ExperimentReport
    series: Series
    distributions: _containers.RepeatedCompositeFieldContainer[Distribution]
    power: PowerResult
    power_curve: PowerCurve
    def __init__(self, report: _Optional[_Union[ExperimentReport, _Mapping]] = ..., series: _Optional[_Union[Series, _Mapping]] = ..., distributions: _Optional[_Iterable[_Union[Distribution, _Mapping]]] = ..., power: _Optional[_Union[PowerResult, _Mapping]] = ..., power_curve: _Optional[_Union[PowerCurve, _Mapping]] = ...) -> None: ...
