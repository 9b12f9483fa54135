"""How many units an experiment needs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from sortition.analyzer.analyze import samples_of
from sortition.analyzer.compare import compare_metric
from sortition.analyzer.design import Design
from sortition.analyzer.history import History
from sortition.analyzer.policies import policy_for
from sortition.analyzer.result import PowerResult
from sortition.analyzer.sample import Sample
from sortition.errors import InvalidArgument
from sortition.model import DecisionPolicy, ExperimentSpec, MetricKind, Spending, Variant
from sortition.model.decision import MAX_LOOKS
from sortition.model.names import MAX_VARIANTS
from sortition.stats import (
    BoolArray,
    FloatArray,
    ratio,
    sample_size_mean,
    sample_size_proportion,
    sample_size_quantile,
    unit_sd,
)
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["Plan", "draft_power", "experiment_power", "plan_power"]

_DAY = timedelta(days=1)
# The largest whole number that every reader of a result can hold exactly.
_MOST_UNITS = 2**53
_TOO_MANY = "more than 2**53 units would be needed"
# Dates end with the year 9999; nobody waits that long.
_MOST_DAYS = 365_000


@dataclass(frozen=True)
class Plan:
    """A comparison that is planned before there are data.

    Attributes:
        kind: Binary, or any other kind, which counts as continuous.
        baseline: The control's expected mean; its rate in (0, 1) for a binary metric, its value for a quantile.
        sd: The standard deviation per unit (per observation where units repeat), > 0; None for a binary metric and a
            quantile.
        mde: The relative difference to be found, > 0. For a rate the direction that needs more units is taken, since
            the plan does not say which; the other one where a rate cannot go there.
        confidence: In (0.5, 1).
        power: In (0.5, 1).
        variants: Variants that share the units equally, control included; 2 to 64.
        units_per_day: New units per day over all variants, > 0; None when unknown.
        policy: How it will be decided.
        looks: For planned looks: how many, evenly spaced; 1 to 20.
        spending: For planned looks: how they share the level.
        observations: Observations per unit, >= 1.
        correlation: The intraclass correlation of a unit's observations, in [0, 1].
        quantile: The quantile to compare, in (0, 1); None for the mean.
        density: For a quantile: the density of the distribution there, per unit of the metric, > 0.
    """

    kind: MetricKind
    baseline: float
    sd: float | None
    mde: float
    confidence: float = 0.95
    power: float = 0.8
    variants: int = 2
    units_per_day: float | None = None
    policy: DecisionPolicy = DecisionPolicy.FIXED_HORIZON
    looks: int = 1
    spending: Spending = Spending.OBRIEN_FLEMING
    observations: float = 1.0
    correlation: float = 0.0
    quantile: float | None = None
    density: float | None = None

    @property
    def binary(self) -> bool:
        """Whether rates are compared."""
        return self.kind is MetricKind.BINARY

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yields each argument that is outside its range, with what is wrong with it."""
        yield from self._measured()
        for name, value in (("confidence", self.confidence), ("power", self.power)):
            if not 0.5 < value < 1:
                yield name, f"must be between 0.5 and 1, but is {value}"
        if not 2 <= self.variants <= MAX_VARIANTS:
            yield "variants", f"must be from 2 to {MAX_VARIANTS}, but is {self.variants}"
        if self.units_per_day is not None and not _positive(self.units_per_day):
            yield "units_per_day", f"must be a finite number > 0, but is {self.units_per_day}"
        if not 1 <= self.looks <= MAX_LOOKS:
            yield "looks", f"must be from 1 to {MAX_LOOKS}, but is {self.looks}"
        if not (math.isfinite(self.observations) and self.observations >= 1):
            yield "observations_per_unit", f"must be a finite number >= 1, but is {self.observations}"
        if not 0 <= self.correlation <= 1:
            yield "correlation", f"must be in [0, 1], but is {self.correlation}"

    def _measured(self) -> Iterator[tuple[str, str]]:
        baseline, sd, mde = self.baseline, self.sd, self.mde
        if self.binary and not 0 < baseline < 1:
            yield "baseline", f"must be a rate between 0 and 1, but is {baseline}"
        if not self.binary and (not math.isfinite(baseline) or baseline == 0):
            yield "baseline", f"must be a finite number other than 0, but is {baseline}"
        if self.quantile is not None:
            if self.binary:
                yield "quantile", "is not for a binary metric; leave it out"
            if not 0 < self.quantile < 1:
                yield "quantile", f"must be between 0 and 1, but is {self.quantile}; write 0.95 for p95"
            if not (self.density is not None and _positive(self.density)):
                yield "density", f"must be a finite number > 0, but is {self.density}; a quantile's error depends on it"
        elif not self.binary and not (sd is not None and _positive(sd)):
            yield (
                "sd",
                f"must be a finite number > 0, but is {sd}; a continuous metric needs its standard deviation per unit",
            )
        if not _positive(mde):
            yield "mde", f"must be a finite number > 0, but is {mde}; write 0.05 for 5 %"
        elif self.binary and 0 < baseline < 1 and mde >= 1 and baseline * (1 + mde) >= 1:
            yield "mde", f"is {mde}, which takes the rate {baseline} out of (0, 1) either way; give a smaller one"

    def single_look(self, alpha: float) -> float:
        """Returns the units per variant that a single look at the level alpha needs."""
        repeats = 1 + (self.observations - 1) * self.correlation
        if self.binary:
            rates = [rate for rate in (self.baseline * (1 + self.mde), self.baseline * (1 - self.mde)) if 0 < rate < 1]
            if not rates:
                return math.inf
            # Observations of a unit tell less the more alike they are.
            needed = float(sample_size_proportion(self.baseline, rates, alpha, self.power).max())
            return max(2.0, math.ceil(needed * repeats / self.observations))
        difference = self.mde * abs(self.baseline)
        if self.quantile is not None:
            assert self.density is not None
            needed = float(
                sample_size_quantile(difference, self.quantile, self.density, alpha, self.power, design_effect=repeats)
            )
            return max(2.0, math.ceil(needed / self.observations))
        assert self.sd is not None
        spread = unit_sd(self.sd, self.observations, self.correlation)
        return float(sample_size_mean(difference, spread, alpha, self.power))


def plan_power(
    kind: MetricKind,
    baseline: float,
    sd: float | None,
    mde: float,
    confidence: float = 0.95,
    power: float = 0.8,
    variants: int = 2,
    units_per_day: float | None = None,
    **more: object,
) -> PowerResult:
    """Returns how many units a planned experiment needs.

    Every treatment is compared with the control at the level (1 - confidence) / treatments: the first step of Holm's
    correction, so that each of them has the wanted power whatever the others show. Looking more than once costs units:
    the figure is the most that are needed, and a real effect is usually found before.

    Args:
        kind: As in `Plan`, like all that follow.
        baseline: The control's expected mean.
        sd: The standard deviation per unit.
        mde: The relative difference to be found.
        confidence: In (0.5, 1).
        power: In (0.5, 1).
        variants: 2 to 64.
        units_per_day: New units per day; None when unknown, and then `days` is NaN.
        more: What else `Plan` takes.

    Raises:
        InvalidArgument: Lists every argument that is outside its range.
    """
    plan = Plan(kind, baseline, sd, mde, confidence, power, variants, units_per_day, **more)  # type: ignore[arg-type]
    problems = [*plan.problems()]
    if problems:
        raise InvalidArgument.of(problems)
    alpha = (1 - confidence) / (variants - 1)
    steps = tuple((1 + look) / plan.looks for look in range(plan.looks))
    design = Design(plan.policy, alpha, power, information=steps, spending=plan.spending)
    inflation = 1.0 if plan.policy is DecisionPolicy.FIXED_HORIZON else design.inflation
    needed = plan.single_look(alpha) * inflation
    total = needed * variants
    if not total <= _MOST_UNITS:
        raise InvalidArgument.of([("mde", f"is {mde}, which would take more than 2**53 units; give a larger one")])
    needed = math.ceil(round(needed, 6))
    days = needed * variants / units_per_day if units_per_day else math.nan
    return PowerResult(
        units_per_variant=needed,
        units_total=needed * variants,
        days=days,
        reason="" if units_per_day else "without units per day the days are unknown",
        policy=plan.policy,
        units_per_day=units_per_day or math.nan,
    )


@dataclass(frozen=True)
class _Spread:
    """What the outcomes vary by: variances of a unit's share of the mean, in the metric's unit squared.

    Attributes:
        mean: The control's mean.
        control: The control's variance per unit.
        treatments: The treatments'.
    """

    mean: float
    control: float
    treatments: FloatArray


def experiment_power(record: ExperimentRecord, data: ExperimentData, now: datetime) -> PowerResult:
    """Returns how many units a stored experiment needs to find its minimum detectable effect on the primary metric.

    The baseline is the control's mean, and each arm's variance per unit follows from its standard error under the
    method that decides, so that units that repeat, ratios and covariates count as what they are. Shares are the
    declared weights; `units_per_variant` is the average. As for a plan, every treatment is tested at
    alpha / treatments, and by the policy that decides. `units_missing` counts up to the minimum sample if that is more,
    and `days` goes by the units per day since the start.

    Args:
        record: The experiment.
        data: All its aggregates.
        now: The time until which units were counted.

    Raises:
        InvalidArgument: The experiment's decision policy does not exist.
    """
    spec = record.spec
    control, treatments = samples_of(record, data, spec.metrics.index(spec.primary))
    policy = policy_for(spec, 0, History(), now)
    found = compare_metric(spec.primary, control, treatments, policy).difference
    held = np.array([sample.units for sample in treatments], dtype=np.float64)
    # One control for all: adjusted by a covariate it has an error of its own beside each treatment.
    spread = _Spread(
        control.mean, float((found.control_error**2).max()) * control.units, found.treatment_error**2 * held
    )
    result = _needed(spec, spread)
    if not result.units_total:
        return result
    result = replace(result, baseline=f"{control.variant} in this experiment")
    running = _shares(spec)[1] > 0
    design = Design.of(spec.decision, len(treatments))
    errors = np.hypot(found.control_error, found.treatment_error)[running]
    units = int(data.units.sum())
    missing = max(result.units_total, spec.decision.min_samples) - units
    rate, without = _rate(record, units, missing, now)
    return _dated(
        replace(
            result,
            achieved_power=float(design.achieved(spec.decision.mde * abs(control.mean), errors).min()),
            mde=float(design.smallest(errors).max()) / abs(control.mean),
            units_missing=max(missing, 0),
            reason=without,
        ),
        missing,
        rate,
        now,
    )


def draft_power(
    spec: ExperimentSpec, earlier: tuple[ExperimentRecord, ExperimentData] | None, now: datetime
) -> PowerResult:
    """Returns how many units an experiment needs that has no outcomes yet.

    The baseline and the rate are those of an earlier experiment on the same subject that measured the primary metric:
    of the variant that it shipped, else of its control.

    Args:
        spec: The experiment.
        earlier: The earlier one with its data; None when there is none.
        now: The time from which the date is counted.
    """
    metric = spec.primary
    none = f"no earlier experiment on {spec.subject} has outcomes of {metric.name}"
    if earlier is None:
        return PowerResult(0, 0, reason=f"{none}; plan with a baseline instead", policy=spec.decision.policy)
    record, data = earlier
    index, variant = _standing(record, metric.name)
    place = record.spec.variants.index(variant)
    sample = Sample(variant.name, metric, int(data.units[place]), data.cells.get((place, index)))
    estimate = ratio(sample.buckets)
    variance = float(estimate.error**2) * sample.units
    spread = _Spread(float(estimate.value), variance, np.full(len(spec.variants) - 1, variance))
    result = _needed(spec, spread)
    if not result.units_total:
        return result
    result = replace(result, baseline=f"{variant.name} in {record.spec.key}")
    missing = max(result.units_total, spec.decision.min_samples)
    units, until = int(data.units.sum()), record.ended_at or now
    elapsed = (until - record.started_at) / _DAY if record.started_at else 0.0
    rate = units / elapsed if elapsed > 0 else math.nan
    return _dated(replace(result, units_missing=missing), missing, rate, now)


def _standing(record: ExperimentRecord, metric: str) -> tuple[int, Variant]:
    """Returns the index of a metric, and the variant that stands since the experiment."""
    spec = record.spec
    index = next(place for place, one in enumerate(spec.metrics) if one.name == metric)
    shipped = spec.variant(record.winner) if record.shipped_version else None
    return index, shipped or spec.control


def _shares(spec: ExperimentSpec) -> tuple[float, FloatArray]:
    """Returns the control's share of the units, and the treatments'."""
    shares = [variant.basis_points / 10_000 for variant in spec.variants]
    base = shares.pop(spec.variants.index(spec.control))
    return base, np.array(shares)


def _needed(spec: ExperimentSpec, spread: _Spread) -> PowerResult:
    """Returns how many units are needed in all, whatever there are already."""
    decision = spec.decision
    base, shares = _shares(spec)
    running = shares > 0
    effect = decision.mde * abs(spread.mean)
    unknown = PowerResult(0, 0, policy=decision.policy)
    reason = _obstacle(effect, base, running, spread)
    if reason:
        return replace(unknown, reason=reason)
    with np.errstate(all="ignore"):
        variance = spread.control / base + spread.treatments / shares
    needed = float(Design.of(decision, len(shares)).needed_error(effect))
    total = float(variance[running].max()) / needed**2
    if not total <= _MOST_UNITS:
        return replace(unknown, reason=_TOO_MANY)
    whole = math.ceil(total)
    return replace(unknown, units_per_variant=math.ceil(whole / (1 + int(running.sum()))), units_total=whole)


def _obstacle(effect: float, base: float, running: BoolArray, spread: _Spread) -> str:
    if base == 0 or not running.any():
        return "the control or every treatment has a weight of 0"
    if math.isnan(effect):
        return "the control has no outcomes yet"
    if effect == 0:
        return "the minimum detectable effect is 0: it is relative to the control's mean, and one of the two is 0"
    variances = spread.control + spread.treatments[running]
    if np.isnan(variances).any():
        return "a variant has too few outcomes yet to know how they vary"
    if (variances == 0).any():
        return "the outcomes have not varied yet"
    return ""


def _rate(record: ExperimentRecord, units: int, missing: int, now: datetime) -> tuple[float, str]:
    """Returns the units per day so far, and why nothing follows from it; empty when something does."""
    if record.started_at is None or units == 0:
        return math.nan, "no unit was exposed yet, so the days are unknown" if missing > 0 else ""
    elapsed = ((record.ended_at or now) - record.started_at) / _DAY
    rate = units / elapsed if elapsed > 0 else math.nan
    if missing <= 0:
        return rate, ""
    if record.ended_at is not None:
        return rate, "the experiment is over, so no more units will come"
    return rate, "" if elapsed > 0 else "no time has passed since the start"


def _dated(result: PowerResult, missing: int, rate: float, now: datetime) -> PowerResult:
    """Returns the result with the days until all units are there, and the date of it."""
    if missing <= 0:
        return replace(result, days=0.0, units_per_day=rate)
    if result.reason or math.isnan(rate) or rate <= 0:
        return replace(result, units_per_day=rate)
    days = missing / rate
    return replace(
        result,
        days=days,
        units_per_day=rate,
        expected_at=now + timedelta(days=days) if days < _MOST_DAYS else None,
    )


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
