"""What is shown of treatments beside the control, which has its outcomes at the same time, by bounds for every look."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sortition.analyzer.alerts.look import Look
from sortition.analyzer.alerts.reading import Reading
from sortition.analyzer.compare import MetricComparison
from sortition.analyzer.harm import FEWEST, worsening
from sortition.analyzer.words import count, percent, signed_percent
from sortition.model import Goal, Metric, MetricKind, MetricRole
from sortition.model.alert import Rule
from sortition.stats import Counts, NonInferiority, asymptotic_cs, non_inferiority, proportion_cs

__all__ = ["early_significance", "error_rate", "regression", "satisfaction"]

# An estimate of a rate is about normal once there are so many of the rarer outcomes in both arms together.
_RARE = 20
# Evidence that has faded to so many times its level shows nothing any more.
_FADED = 10.0


def early_significance(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads whether a metric differs before the minimum sample is there."""
    least = look.spec.decision.min_samples
    early = look.units < least
    for metric, compared in _compared(rule, look):
        for place, treatment in enumerate(compared.treatments):
            p = _p_value(compared, place, look.level)
            change = float(compared.relative.value[place])
            yield Reading(
                rule.name, early and p < look.level, not early or p >= _FADED * look.level, metric.name,
                treatment.variant, change, p, look.level, look.level,
                f"{metric.name} of {treatment.variant} {signed_percent(change)} at {count(look.units, look.spec.unit)}"
                f" of {least:,} at least (p = {p:.2g}, at every look)",
            )  # fmt: skip


def regression(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads whether a treatment is worse than the control by more than is tolerated."""
    for metric, compared in _compared(rule, look):
        limit = rule.limit
        if limit is None:
            own = metric.margin or 0.0 if metric.role is MetricRole.GUARDRAIL else 0.0
            limit = max(look.spec.decision.max_regression, own)
        for place, treatment in enumerate(compared.treatments):
            worse = _worse(metric, float(compared.relative.value[place]))
            # A bound lies on this side of its estimate.
            shown = 0.0 if worse <= limit else worsening(compared, place, limit, look.level)
            yield Reading(
                rule.name, shown > limit, worse <= limit, metric.name, treatment.variant, worse, shown, limit,
                look.level,
                f"{metric.name} of {treatment.variant} {signed_percent(float(compared.relative.value[place]))}, worse"
                f" by {percent(round(shown, 3))} at least (limit {percent(limit)}, at every look)",
            )  # fmt: skip


def error_rate(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads whether a treatment fails that many times as often as the control; failing is what the goal is not."""
    times = rule.limit
    assert times is not None
    for metric, compared in _compared(rule, look):
        for place, treatment in enumerate(compared.treatments):
            control, rate = _rates(compared, place)
            seen = rate / control if control > 0 else math.inf if rate > 0 else math.nan
            shown = seen > times and _fails_so_often(compared, place, times, look.level)
            yield Reading(
                rule.name, shown, not seen > times, metric.name, treatment.variant, seen,
                times if shown else math.nan, times, look.level,
                f"{treatment.variant} fails {metric.name} in {percent(round(rate, 4))}, the control in"
                f" {percent(round(control, 4))} ({'more than' if shown else 'not shown to be'} {times:g} times, at"
                " every look)",
            )  # fmt: skip


def satisfaction(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads whether a variant's mean lies in the lower part of the metric's range, the control's too."""
    share = rule.limit
    assert share is not None
    for metric, compared in _compared(rule, look):
        lowest, highest = _range(metric)
        floor = lowest + share * (highest - lowest)
        plain = compared.compared.plain
        arms = [(compared.control, plain.control[0], plain.control_error[0])]
        arms += zip(compared.treatments, plain.treatment, plain.treatment_error, strict=True)
        for place, (sample, mean, error) in enumerate(arms):
            df = _freedom(float(plain.df[max(place - 1, 0)]))
            progress = float(compared.sequences.progress[max(place - 1, 0)])
            bound = math.nan
            if sample.n >= FEWEST and error > 0:
                bound = float(
                    asymptotic_cs(
                        float(mean), float(error), progress, planned_n=1.0, alpha=look.level, df=df, side="upper"
                    ).upper
                )
            yield Reading(
                rule.name, bound < floor, not mean < floor, metric.name, sample.variant, float(mean), bound, floor,
                look.level,
                f"{metric.name} of {sample.variant} is {mean:.4g},{_below(bound)} limit {floor:g}",
            )  # fmt: skip


def _compared(rule: Rule, look: Look) -> Iterator[tuple[Metric, MetricComparison]]:
    for index in rule.metrics_of(look.spec):
        compared = look.compared(index)
        if compared is not None:
            yield look.spec.metrics[index], compared


def _p_value(compared: MetricComparison, place: int, level: float) -> float:
    """Returns the p-value of a difference that holds at every look; 1 while nothing can be said."""
    found, sequences = compared.difference, compared.sequences
    if compared.compared.few[place] and compared.compared.counts is not None:
        return _or_one(float(sequences.difference.p_value[place]))
    if min(compared.control.n, compared.treatments[place].n) < FEWEST or found.reason[place]:
        return 1.0
    error = float(found.standard_error[place]) * float(sequences.widening[place])
    test = asymptotic_cs(
        float(found.difference[place]), error, float(sequences.progress[place]), planned_n=1.0, alpha=level,
        df=_freedom(float(found.df[place])),
    )  # fmt: skip
    return _or_one(float(test.p_value))


def _fails_so_often(compared: MetricComparison, place: int, times: float, level: float) -> bool:
    counts = compared.compared.counts
    if counts is not None and compared.compared.few[place]:
        return _exactly(compared, counts, place, times, level)
    control, treatment = compared.control, compared.treatments[place]
    if min(control.n, treatment.n) < FEWEST:
        return False
    rates = _rates(compared, place)
    failures, successes = (
        sum(one.n * (rate if failed else 1 - rate) for one, rate in zip((control, treatment), rates, strict=True))
        for failed in (True, False)
    )
    if min(failures, successes) < _RARE:
        return False
    found = compared.compared.plain
    test = non_inferiority(
        rates[0], found.control_error[place], rates[1], found.treatment_error[place], _freedom(float(found.df[place])),
        times - 1, maximize=False,
    )  # fmt: skip
    return _broken(compared, place, test, level)


def _broken(compared: MetricComparison, place: int, test: NonInferiority, level: float) -> bool:
    error = np.where(test.reason == "", test.error, np.nan) * compared.sequences.widening[place]
    below = asymptotic_cs(
        test.reserve, error, compared.sequences.progress[place], planned_n=1.0, alpha=level,
        df=_freedom(float(compared.compared.plain.df[place])), side="upper",
    )  # fmt: skip
    return bool(np.asarray(below.p_value) < level)


def _exactly(compared: MetricComparison, counts: tuple[Counts, Counts], place: int, times: float, level: float) -> bool:
    """Returns whether the exact bounds of both rates, each at half the level, are so far apart."""
    control, treatments = counts
    arms = (
        Counts(np.ravel(control.successes)[0], np.ravel(control.trials)[0]),
        Counts(np.atleast_1d(treatments.successes)[place], np.atleast_1d(treatments.trials)[place]),
    )
    planned = max(compared.policy.planned_units(compared.control.variant, compared.treatments[place].variant), 2)
    failed = [
        arm if compared.metric.goal is Goal.MINIMIZE else Counts(arm.trials - arm.successes, arm.trials) for arm in arms
    ]
    base, rate = (proportion_cs(one, alpha=level / 2, planned_n=planned / 2) for one in failed)
    return float(rate.lower) > times * float(base.upper)


def _rates(compared: MetricComparison, place: int) -> tuple[float, float]:
    """Returns how often the control and a treatment fail."""
    plain = compared.compared.plain
    rates = float(plain.control[place]), float(plain.treatment[place])
    return rates if compared.metric.goal is Goal.MINIMIZE else (1 - rates[0], 1 - rates[1])


def _worse(metric: Metric, relative: float) -> float:
    return relative if metric.goal is Goal.MINIMIZE else -relative


def _range(metric: Metric) -> tuple[float, float]:
    """Returns a metric's range: the declared one, or that of a share."""
    if metric.kind is MetricKind.BINARY:
        return 0.0, 1.0
    return 0.0 if metric.min is None else metric.min, 1.0 if metric.max is None else metric.max


def _freedom(df: float) -> float:
    return math.inf if math.isnan(df) else df


def _below(bound: float) -> str:
    return "" if math.isnan(bound) else f" below {bound:.4g} at every look,"


def _or_one(p: float) -> float:
    return 1.0 if math.isnan(p) else p
