"""What an analysis says. NaN stands for a figure that cannot be known; `reason` says why."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import NamedTuple

from sortition.model import ExperimentStatus

__all__ = [
    "AnalysisResult",
    "Comparison",
    "Guardrail",
    "Interval",
    "PowerResult",
    "RecommendationKind",
    "SampleRatio",
    "SeriesPoint",
    "VariantMetric",
    "VariantSummary",
]

_UNKNOWN = math.nan


class RecommendationKind(str, Enum):
    """What an analysis advises."""

    NEED_MORE_DATA = "need_more_data"
    NOT_SIGNIFICANT = "not_significant"
    SHIP = "ship"
    BELOW_MDE = "below_mde"
    REGRESSION = "regression"
    INVALID = "invalid"

    def __str__(self) -> str:
        return self.value


class Interval(NamedTuple):
    """An interval; both ends NaN when it cannot be known."""

    lower: float = _UNKNOWN
    upper: float = _UNKNOWN


_NOWHERE = Interval()


@dataclass(frozen=True)
class VariantSummary:
    """How one variant stands as a whole: `weight` and `share` in [0, 1], `units` are distinct and exposed."""

    name: str
    control: bool
    weight: float
    units: int
    share: float


@dataclass(frozen=True)
class VariantMetric:
    """One metric in one variant, in the metric's unit.

    Attributes:
        variant: The variant's name.
        metric: The metric's name.
        n: Observations.
        mean: Their mean; for ratio metrics the ratio of sums.
        sd: The standard deviation of observations.
        se: The standard error of `mean` under the method that decides.
        min: The smallest observation.
        max: The largest observation.
        quantiles: Pairs (q, value).
        refused: Values that were refused.
        clamped: Values that were moved to a cap.
        late: Values that came when the experiment was over.
    """

    variant: str
    metric: str
    n: int
    mean: float = _UNKNOWN
    sd: float = _UNKNOWN
    se: float = _UNKNOWN
    min: float = _UNKNOWN
    max: float = _UNKNOWN
    quantiles: tuple[tuple[float, float], ...] = ()
    refused: int = 0
    clamped: int = 0
    late: int = 0


@dataclass(frozen=True)
class Comparison:
    """A treatment compared with the control on one metric.

    Attributes:
        variant: The treatment's name.
        metric: The metric's name.
        method: Such as "ratio_delta", "welch_t", "two_proportion_z" or "quantile_difference".
        quantile: The quantile compared; None when means are.
        difference: Treatment - control, in the metric's unit.
        interval: Its interval at the experiment's confidence, uncorrected.
        relative: difference / |control|.
        relative_interval: Its interval by the delta method.
        p_value: Two-sided.
        p_adjusted: After correction over the comparisons that share its role.
        df: Degrees of freedom, for methods that have them.
        effect_size: Cohen's d with the pooled standard deviation of observations.
        chance_to_beat: The probability that the treatment is better, under a flat prior and the normal approximation.
        significant: Whether the corrected p-value is below alpha.
        improvement: Whether the difference is in the goal's direction.
        reason: Why a figure is NaN; empty when none is.
    """

    variant: str
    metric: str
    method: str
    quantile: float | None = None
    difference: float = _UNKNOWN
    interval: Interval = _NOWHERE
    relative: float = _UNKNOWN
    relative_interval: Interval = _NOWHERE
    p_value: float = _UNKNOWN
    p_adjusted: float = _UNKNOWN
    df: float = _UNKNOWN
    effect_size: float = _UNKNOWN
    chance_to_beat: float = _UNKNOWN
    significant: bool = False
    improvement: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Guardrail:
    """A guardrail's state for one treatment.

    Attributes:
        metric: The metric's name.
        variant: The treatment's name.
        intact: Whether it is intact.
        detail: Its state in plain words, to be read after its name.
        unknown: Whether there are too few outcomes to judge it by; it is not intact then, and not broken either.
    """

    metric: str
    variant: str
    intact: bool
    detail: str
    unknown: bool = False

    @property
    def broken(self) -> bool:
        """Whether it is known not to be intact."""
        return not (self.intact or self.unknown)


@dataclass(frozen=True)
class SampleRatio:
    """Whether units were split as declared: `verdict` is "ok", "yellow" (p < 0.01), "red" (p < 0.001) or "unknown"."""

    p_value: float
    verdict: str


@dataclass(frozen=True)
class AnalysisResult:
    """What the outcomes of one experiment say. Fields as in the message AnalysisResult."""

    experiment: str
    organization: str
    status: ExperimentStatus
    analyzed_at: datetime
    primary_metric: str
    confidence: float
    alpha: float
    variants: tuple[VariantSummary, ...]
    metrics: tuple[VariantMetric, ...]
    comparisons: tuple[Comparison, ...]
    guardrails: tuple[Guardrail, ...]
    sample_ratio: SampleRatio
    units: int
    min_samples: int
    winner: str
    should_ship: bool
    recommendation_kind: RecommendationKind
    recommendation: str
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class SeriesPoint:
    """One UTC day of one variant, and everything up to and including it. Fields as in the message SeriesPoint."""

    day: date
    variant: str
    n: int
    mean: float
    new_units: int
    cumulative_n: int
    cumulative_mean: float
    cumulative_units: int
    cumulative_difference: float = _UNKNOWN
    cumulative_interval: Interval = _NOWHERE


@dataclass(frozen=True)
class PowerResult:
    """How many units are needed. Fields as in the message PowerResult."""

    units_per_variant: int
    units_total: int
    achieved_power: float = _UNKNOWN
    units_missing: int = 0
    days: float = _UNKNOWN
    reason: str = ""
