"""How many units an experiment needs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from sortition.analyzer.analyze import samples_of
from sortition.analyzer.compare import compare_metric
from sortition.analyzer.methods import policy_named
from sortition.analyzer.result import PowerResult
from sortition.errors import InvalidArgument
from sortition.model import MetricKind
from sortition.model.names import MAX_VARIANTS
from sortition.stats import error_power, mean_sample_size, needed_error, proportion_sample_size
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["experiment_power", "plan_power"]

_DAY = timedelta(days=1)
# The largest whole number that every reader of a result can hold exactly.
_MOST_UNITS = 2**53


def plan_power(
    kind: MetricKind,
    baseline: float,
    sd: float | None,
    mde: float,
    confidence: float = 0.95,
    power: float = 0.8,
    variants: int = 2,
    units_per_day: float | None = None,
) -> PowerResult:
    """Returns how many units a planned experiment needs.

    Every treatment is compared with the control at the level (1 - confidence) / treatments: the first step of Holm's
    correction, so that each of them has the wanted power whatever the others show.

    Args:
        kind: Binary, or any other kind, which counts as continuous.
        baseline: The control's expected mean; its rate in (0, 1) for a binary metric.
        sd: The standard deviation per unit, > 0; None for a binary metric.
        mde: The relative difference to be found, > 0. For a rate the direction that needs more units is taken, since
            the plan does not say which; the other one where a rate cannot go there.
        confidence: In (0.5, 1).
        power: In (0.5, 1).
        variants: Variants that share the units equally, control included; 2 to 64.
        units_per_day: New units per day over all variants, > 0; None when unknown, and then `days` is NaN.

    Raises:
        InvalidArgument: Lists every argument that is outside its range.
    """
    binary = kind is MetricKind.BINARY
    problems = [*_problems(binary, baseline, sd, mde, confidence, power, variants, units_per_day)]
    if problems:
        raise InvalidArgument.of(problems)
    alpha = (1 - confidence) / (variants - 1)
    if binary:
        rates = [rate for rate in (baseline * (1 + mde), baseline * (1 - mde)) if 0 < rate < 1]
        needed = float(proportion_sample_size(baseline, rates, alpha, power).max()) if rates else math.inf
    else:
        needed = float(mean_sample_size(mde * baseline, sd or math.nan, alpha, power))
    total = needed * variants
    if not total <= _MOST_UNITS:
        raise InvalidArgument.of([("mde", f"is {mde}, which would take more than 2**53 units; give a larger one")])
    days = total / units_per_day if units_per_day else math.nan
    return PowerResult(
        units_per_variant=int(needed),
        units_total=int(total),
        days=days,
        reason="" if units_per_day else "without units per day the days are unknown",
    )


def _problems(
    binary: bool,
    baseline: float,
    sd: float | None,
    mde: float,
    confidence: float,
    power: float,
    variants: int,
    units_per_day: float | None,
) -> Iterator[tuple[str, str]]:
    if binary and not 0 < baseline < 1:
        yield "baseline", f"must be a rate between 0 and 1, but is {baseline}"
    if not binary and (not math.isfinite(baseline) or baseline == 0):
        yield "baseline", f"must be a finite number other than 0, but is {baseline}"
    if not binary and not (sd is not None and math.isfinite(sd) and sd > 0):
        yield (
            "sd",
            f"must be a finite number > 0, but is {sd}; a continuous metric needs its standard deviation per unit",
        )
    if not (math.isfinite(mde) and mde > 0):
        yield "mde", f"must be a finite number > 0, but is {mde}; write 0.05 for 5 %"
    elif binary and 0 < baseline < 1 and mde >= 1 and baseline * (1 + mde) >= 1:
        yield "mde", f"is {mde}, which takes the rate {baseline} out of (0, 1) either way; give a smaller one"
    for name, value in (("confidence", confidence), ("power", power)):
        if not 0.5 < value < 1:
            yield name, f"must be between 0.5 and 1, but is {value}"
    if not 2 <= variants <= MAX_VARIANTS:
        yield "variants", f"must be from 2 to {MAX_VARIANTS}, but is {variants}"
    if units_per_day is not None and not (math.isfinite(units_per_day) and units_per_day > 0):
        yield "units_per_day", f"must be a finite number > 0, but is {units_per_day}"


def experiment_power(record: ExperimentRecord, data: ExperimentData, now: datetime) -> PowerResult:
    """Returns how many units a stored experiment needs to find its minimum detectable effect on the primary metric.

    The baseline is the control's mean, and each arm's variance per unit follows from its standard error under the
    method that decides, so that units that repeat count as what they are. Shares are the declared weights;
    `units_per_variant` is the average. As for a plan, every treatment is tested at alpha / treatments. `units_missing`
    counts up to the minimum sample if that is more, and `days` goes by the units per day since the start.

    Args:
        record: The experiment.
        data: All its aggregates.
        now: The time until which units were counted.

    Raises:
        InvalidArgument: The experiment's decision policy does not exist.
    """
    spec = record.spec
    weights = [variant.basis_points / 10_000 for variant in spec.variants]
    control, treatments = samples_of(record, data, spec.metrics.index(spec.primary))
    policy = policy_named(spec.decision.policy.value)
    found = compare_metric(spec.primary, control, treatments, policy, round(1 - spec.decision.alpha, 12)).difference
    place = spec.variants.index(spec.control)
    base_share = weights.pop(place)
    shares = np.array(weights)
    alpha = spec.decision.alpha / len(treatments)
    effect = spec.decision.mde * abs(control.mean)
    reason = _obstacle(effect, base_share, shares, found.control_error, found.treatment_error)
    if reason:
        return PowerResult(0, 0, reason=reason)
    running = shares > 0
    held = np.array([sample.units for sample in treatments])
    with np.errstate(all="ignore"):
        variance = found.control_error**2 * control.units / base_share + found.treatment_error**2 * held / shares
    total = math.ceil(float(variance[running].max()) / float(needed_error(effect, alpha, spec.decision.power)) ** 2)
    if total > _MOST_UNITS:
        return PowerResult(0, 0, reason="more than 2**53 units would be needed")
    achieved = error_power(effect, np.hypot(found.control_error, found.treatment_error)[running], alpha).min()
    units = int(data.units.sum())
    missing = max(total, spec.decision.min_samples) - units
    days, without = _days(record, units, missing, now)
    return PowerResult(
        units_per_variant=math.ceil(total / (1 + int(running.sum()))),
        units_total=total,
        achieved_power=float(achieved),
        units_missing=max(missing, 0),
        days=days,
        reason=without,
    )


def _obstacle(
    effect: float,
    base_share: float,
    shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    control_error: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    treatment_error: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> str:
    if base_share == 0 or not (shares > 0).any():
        return "the control or every treatment has a weight of 0"
    if math.isnan(effect):
        return "the control has no outcomes yet"
    if effect == 0:
        return "the minimum detectable effect is 0: it is relative to the control's mean, and one of the two is 0"
    errors = np.hypot(control_error, treatment_error)[shares > 0]
    if np.isnan(errors).any():
        return "a variant has too few outcomes yet to know how they vary"
    if (errors == 0).any():
        return "the outcomes have not varied yet"
    return ""


def _days(record: ExperimentRecord, units: int, missing: int, now: datetime) -> tuple[float, str]:
    if missing <= 0:
        return 0.0, ""
    if record.started_at is None or units == 0:
        return math.nan, "no unit was exposed yet, so the days are unknown"
    if record.ended_at is not None:
        return math.nan, "the experiment is over, so no more units will come"
    elapsed = (now - record.started_at) / _DAY
    return (missing * elapsed / units, "") if elapsed > 0 else (math.nan, "no time has passed since the start")
