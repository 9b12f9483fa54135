"""What an analysis says. NaN stands for a figure that cannot be known; `reason` says why."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import NamedTuple

from sortition.model import DecisionPolicy, ExperimentStatus

__all__ = [
    "AlwaysValid",
    "AnalysisResult",
    "Comparison",
    "DataQuality",
    "Guardrail",
    "Interval",
    "Look",
    "Posterior",
    "PowerResult",
    "QualityPart",
    "ReachedDecision",
    "RecommendationKind",
    "SampleRatio",
    "Segment",
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
class Posterior:
    """What is believed of a difference after the outcomes; informs, and does not decide.

    Attributes:
        chance_to_beat: The probability that the treatment is better.
        expected_lift: The expected treatment - control, in the metric's unit.
        expected_loss: How much worse the treatment is expected to be, counting being better as 0, in the metric's unit.
        interval: Holds the difference with the experiment's confidence.
        chance_of_practical: The probability that it is better by at least the minimum detectable effect.
        prior: The prior, in plain words.
    """

    chance_to_beat: float = _UNKNOWN
    expected_lift: float = _UNKNOWN
    expected_loss: float = _UNKNOWN
    interval: Interval = _NOWHERE
    chance_of_practical: float = _UNKNOWN
    prior: str = ""


@dataclass(frozen=True)
class AlwaysValid:
    """Figures that stay valid however often, and whenever, one looks.

    Attributes:
        method: Such as "asymptotic_cs" or "bernoulli_cs".
        interval: The confidence sequence of treatment - control at the experiment's confidence, uncorrected.
        relative_interval: That of the relative difference.
        p_value: Two-sided, uncorrected.
    """

    method: str = ""
    interval: Interval = _NOWHERE
    relative_interval: Interval = _NOWHERE
    p_value: float = _UNKNOWN


@dataclass(frozen=True)
class Comparison:
    """A treatment compared with the control on one metric.

    Attributes:
        variant: The treatment's name.
        metric: The metric's name.
        method: Such as "ratio_delta", "welch_t", "two_proportion_z", "cuped" or "quantile_difference"; where the
            figures are valid at every look, followed by how, as in "ratio_delta, asymptotic_cs".
        quantile: The quantile compared; None when means are.
        difference: Treatment - control, in the metric's unit.
        interval: Its interval at the experiment's confidence under the policy that decides, uncorrected.
        relative: difference / |control|.
        relative_interval: Its interval by the delta method, under the same policy.
        p_value: Two-sided, under the same policy.
        p_adjusted: After correction over the comparisons that share its role.
        df: Degrees of freedom, for methods that have them.
        effect_size: Cohen's d with the pooled standard deviation of observations.
        chance_to_beat: The probability that the treatment is better: the posterior's.
        significant: Whether the corrected p-value is below alpha.
        improvement: Whether the difference is in the goal's direction.
        reason: Why a figure is NaN; empty when none is.
        posterior: Bayesian figures; None for quantiles, and where they cannot be known.
        always_valid: What stays valid at every look, whatever the policy; None where it cannot be known.
        variance_reduction: The share of the difference's variance that the covariate took away; NaN without one.
        standard_error: The standard error of `difference`.
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
    posterior: Posterior | None = None
    always_valid: AlwaysValid | None = None
    variance_reduction: float = _UNKNOWN
    standard_error: float = _UNKNOWN


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
    """Whether units were split as declared.

    Attributes:
        p_value: The chi-square test's.
        verdict: "ok", "yellow" (p < 0.01), "red" (p < 0.001) or "unknown".
        sequential_p_value: The always-valid one, for watching continuously.
        log_e_value: The evidence against the declared split, as a natural logarithm of the e-value.
    """

    p_value: float
    verdict: str
    sequential_p_value: float = _UNKNOWN
    log_e_value: float = _UNKNOWN


@dataclass(frozen=True)
class QualityPart:
    """One part of the data's quality: `score` from 0 (unusable) to 1, NaN when not judged; `detail` in plain words."""

    name: str
    score: float
    detail: str


@dataclass(frozen=True)
class DataQuality:
    """How far the data can be trusted: `score` from 0 to 1, NaN when nothing can be judged, and what it is made of."""

    score: float
    parts: tuple[QualityPart, ...] = ()


@dataclass(frozen=True)
class Look:
    """A planned look.

    Attributes:
        planned_units: The distinct exposed units at which it was due.
        units: Those there were when it was taken; 0 while it is to come.
        at: When it was taken; None while it is to come.
        information: The share of the planned information, in (0, 1].
        boundary: How many standard errors a difference has to be away from 0.
        level: The same as a two-sided p-value.
        spent: The part of the significance level that is spent after it.
    """

    planned_units: int
    units: int = 0
    at: datetime | None = None
    information: float = _UNKNOWN
    boundary: float = _UNKNOWN
    level: float = _UNKNOWN
    spent: float = _UNKNOWN


@dataclass(frozen=True)
class ReachedDecision:
    """A decision that was reached and does not flip back. Fields as in the message ReachedDecision."""

    id: str
    at: datetime
    units: int
    kind: RecommendationKind
    winner: str
    recommendation: str


@dataclass(frozen=True)
class Segment:
    """One level of one declared dimension.

    Attributes:
        dimension: Its name.
        level: As declared, or "other".
        metrics: Every metric of every variant, without quantiles.
        comparisons: Every treatment on every metric, corrected over all levels of all dimensions together.
    """

    dimension: str
    level: str
    metrics: tuple[VariantMetric, ...] = ()
    comparisons: tuple[Comparison, ...] = ()


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
    policy: DecisionPolicy = DecisionPolicy.FIXED_HORIZON
    provisional: bool = False
    horizon: int = 0
    looks: tuple[Look, ...] = ()
    reached: ReachedDecision | None = None
    settled: bool = False
    quality: DataQuality | None = None
    segments: tuple[Segment, ...] = ()


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
    cumulative_always_valid: Interval = _NOWHERE


@dataclass(frozen=True)
class PowerResult:
    """How many units are needed. Fields as in the message PowerResult."""

    units_per_variant: int
    units_total: int
    achieved_power: float = _UNKNOWN
    units_missing: int = 0
    days: float = _UNKNOWN
    reason: str = ""
    policy: DecisionPolicy = DecisionPolicy.FIXED_HORIZON
    mde: float = _UNKNOWN
    expected_at: datetime | None = None
    units_per_day: float = _UNKNOWN
    baseline: str = ""
