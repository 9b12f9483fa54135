import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
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
RECOMMENDATION_KIND_UNSPECIFIED: RecommendationKind
RECOMMENDATION_KIND_NEED_MORE_DATA: RecommendationKind
RECOMMENDATION_KIND_NOT_SIGNIFICANT: RecommendationKind
RECOMMENDATION_KIND_SHIP: RecommendationKind
RECOMMENDATION_KIND_BELOW_MDE: RecommendationKind
RECOMMENDATION_KIND_REGRESSION: RecommendationKind
RECOMMENDATION_KIND_INVALID: RecommendationKind

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

class Comparison(_message.Message):
    __slots__ = ("variant", "metric", "quantile", "method", "difference", "interval", "relative", "relative_interval", "p_value", "p_adjusted", "df", "effect_size", "chance_to_beat", "significant", "improvement", "reason")
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
    def __init__(self, variant: _Optional[str] = ..., metric: _Optional[str] = ..., quantile: _Optional[float] = ..., method: _Optional[str] = ..., difference: _Optional[float] = ..., interval: _Optional[_Union[Interval, _Mapping]] = ..., relative: _Optional[float] = ..., relative_interval: _Optional[_Union[Interval, _Mapping]] = ..., p_value: _Optional[float] = ..., p_adjusted: _Optional[float] = ..., df: _Optional[float] = ..., effect_size: _Optional[float] = ..., chance_to_beat: _Optional[float] = ..., significant: bool = ..., improvement: bool = ..., reason: _Optional[str] = ...) -> None: ...

class SampleRatio(_message.Message):
    __slots__ = ("p_value", "verdict")
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    p_value: float
    verdict: str
    def __init__(self, p_value: _Optional[float] = ..., verdict: _Optional[str] = ...) -> None: ...

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

class AnalysisResult(_message.Message):
    __slots__ = ("experiment", "organization", "status", "analyzed_at", "primary_metric", "confidence", "alpha", "variants", "metrics", "comparisons", "guardrails", "sample_ratio", "units", "min_samples", "winner", "should_ship", "recommendation_kind", "recommendation", "warnings")
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
    def __init__(self, experiment: _Optional[str] = ..., organization: _Optional[str] = ..., status: _Optional[_Union[_snapshot_pb2.ExperimentStatus, str]] = ..., analyzed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., primary_metric: _Optional[str] = ..., confidence: _Optional[float] = ..., alpha: _Optional[float] = ..., variants: _Optional[_Iterable[_Union[VariantSummary, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[VariantMetric, _Mapping]]] = ..., comparisons: _Optional[_Iterable[_Union[Comparison, _Mapping]]] = ..., guardrails: _Optional[_Iterable[_Union[Guardrail, _Mapping]]] = ..., sample_ratio: _Optional[_Union[SampleRatio, _Mapping]] = ..., units: _Optional[int] = ..., min_samples: _Optional[int] = ..., winner: _Optional[str] = ..., should_ship: bool = ..., recommendation_kind: _Optional[_Union[RecommendationKind, str]] = ..., recommendation: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("key", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    organization: str
    def __init__(self, key: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class ExperimentReport(_message.Message):
    __slots__ = ("experiment", "analysis", "progress", "running_seconds", "todo")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TODO_FIELD_NUMBER: _ClassVar[int]
    experiment: _experiment_pb2.Experiment
    analysis: AnalysisResult
    progress: float
    running_seconds: float
    todo: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, experiment: _Optional[_Union[_experiment_pb2.Experiment, _Mapping]] = ..., analysis: _Optional[_Union[AnalysisResult, _Mapping]] = ..., progress: _Optional[float] = ..., running_seconds: _Optional[float] = ..., todo: _Optional[_Iterable[str]] = ...) -> None: ...

class ListStatusRequest(_message.Message):
    __slots__ = ("organization", "statuses", "page_size", "page_token")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    organization: str
    statuses: _containers.RepeatedScalarFieldContainer[_snapshot_pb2.ExperimentStatus]
    page_size: int
    page_token: str
    def __init__(self, organization: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[_snapshot_pb2.ExperimentStatus, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListStatusResponse(_message.Message):
    __slots__ = ("reports", "next_page_token")
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[ExperimentReport]
    next_page_token: str
    def __init__(self, reports: _Optional[_Iterable[_Union[ExperimentReport, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("day", "variant", "n", "mean", "new_units", "cumulative_n", "cumulative_mean", "cumulative_units", "cumulative_difference", "cumulative_interval")
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
    def __init__(self, day: _Optional[str] = ..., variant: _Optional[str] = ..., n: _Optional[int] = ..., mean: _Optional[float] = ..., new_units: _Optional[int] = ..., cumulative_n: _Optional[int] = ..., cumulative_mean: _Optional[float] = ..., cumulative_units: _Optional[int] = ..., cumulative_difference: _Optional[float] = ..., cumulative_interval: _Optional[_Union[Interval, _Mapping]] = ...) -> None: ...

class Series(_message.Message):
    __slots__ = ("metric", "points")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    metric: str
    points: _containers.RepeatedCompositeFieldContainer[SeriesPoint]
    def __init__(self, metric: _Optional[str] = ..., points: _Optional[_Iterable[_Union[SeriesPoint, _Mapping]]] = ...) -> None: ...

class PowerRequest(_message.Message):
    __slots__ = ("key", "plan", "organization")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    key: str
    plan: PowerPlan
    organization: str
    def __init__(self, key: _Optional[str] = ..., plan: _Optional[_Union[PowerPlan, _Mapping]] = ..., organization: _Optional[str] = ...) -> None: ...

class PowerPlan(_message.Message):
    __slots__ = ("kind", "baseline", "sd", "mde", "confidence", "power", "variants", "units_per_day")
    KIND_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    SD_FIELD_NUMBER: _ClassVar[int]
    MDE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    UNITS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    kind: _snapshot_pb2.MetricKind
    baseline: float
    sd: float
    mde: float
    confidence: float
    power: float
    variants: int
    units_per_day: float
    def __init__(self, kind: _Optional[_Union[_snapshot_pb2.MetricKind, str]] = ..., baseline: _Optional[float] = ..., sd: _Optional[float] = ..., mde: _Optional[float] = ..., confidence: _Optional[float] = ..., power: _Optional[float] = ..., variants: _Optional[int] = ..., units_per_day: _Optional[float] = ...) -> None: ...

class PowerResult(_message.Message):
    __slots__ = ("units_per_variant", "units_total", "achieved_power", "units_missing", "days", "reason")
    UNITS_PER_VARIANT_FIELD_NUMBER: _ClassVar[int]
    UNITS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ACHIEVED_POWER_FIELD_NUMBER: _ClassVar[int]
    UNITS_MISSING_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    units_per_variant: int
    units_total: int
    achieved_power: float
    units_missing: int
    days: float
    reason: str
    def __init__(self, units_per_variant: _Optional[int] = ..., units_total: _Optional[int] = ..., achieved_power: _Optional[float] = ..., units_missing: _Optional[int] = ..., days: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...
