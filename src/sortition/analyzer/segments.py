"""Breaks an experiment's outcomes down by the levels of its declared dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sortition.analyzer.always_valid import Sequences, confidence_sequences, planned_share
from sortition.analyzer.methods import RATIO_DELTA, Compared, resolved
from sortition.analyzer.policies import Deciding, Policy, single_look
from sortition.analyzer.result import AlwaysValid, Comparison, Interval, Segment, VariantMetric
from sortition.analyzer.sample import Sample
from sortition.analyzer.words import count
from sortition.model import Goal, MetricRole
from sortition.model.dimension import OTHER
from sortition.stats import (
    BucketSums,
    Difference,
    FloatArray,
    RelativeLift,
    benjamini_hochberg,
    chance_to_beat,
    ratio_delta,
    relative_lift,
)
from sortition.stats.distributions import critical
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["MAX_COMPARISONS", "Breakdown", "break_down"]

MAX_COMPARISONS = 1_024
"""Comparisons at levels in one analysis; corrected for more of them, nothing would stand out any more."""

_RANK = {MetricRole.PRIMARY: 0, MetricRole.GUARDRAIL: 1, MetricRole.SECONDARY: 2}


class Breakdown(NamedTuple):
    """What every level says, and what the reader should know about that."""

    segments: tuple[Segment, ...]
    warnings: tuple[str, ...]


class _Pair(NamedTuple):
    """A treatment and the control at one level."""

    level: int
    control: Sample
    treatment: Sample


class _Table(NamedTuple):
    """All pairs compared; arrays of shape (pairs,)."""

    difference: Difference
    lift: RelativeLift
    sequences: Sequences
    shown: Deciding
    chance: FloatArray
    p_adjusted: FloatArray


def break_down(record: ExperimentRecord, data: ExperimentData, policy: Policy) -> Breakdown:
    """Compares every treatment with the control at every level of every dimension, one level at a time.

    Means are compared by sums over buckets of units, since how many units a level has is not known, with the figures
    that the policy shows of what never decides. All comparisons of all levels are one family, corrected by
    Benjamini–Hochberg: of the levels that stand out, at most a share of alpha is expected to be chance. A level that
    stands out is a reason for an experiment about it, not a decision.

    A metric without outcomes at a level is not compared there, and "other" is left out while nothing was recorded at
    it. Where there would be more than `MAX_COMPARISONS`, the primary metric and the guardrails come first, and a
    warning says how many metrics are compared.

    Args:
        record: The experiment.
        data: All its aggregates.
        policy: How it is decided.
    """
    spec = record.spec
    if not spec.dimensions:
        return Breakdown((), ())
    metrics, warnings = _metrics(record)
    samples = {
        (level, index): _samples(record, data, level, index)
        for level in range(1, len(spec.levels) + 1)
        for index in metrics
    }
    pairs = [
        _Pair(level, arms[0], treatment)
        for (level, _), arms in samples.items()
        if any(one.n for one in arms)
        for treatment in arms[1:]
    ]
    table = _compared(pairs, policy) if pairs else None
    segments = tuple(
        Segment(
            dimension=dimension,
            level=name,
            metrics=tuple(_described(samples, pairs, table, level)),
            comparisons=tuple(_comparisons(pairs, table, level, policy.alpha)),
        )
        for level, (dimension, name) in enumerate(spec.levels, start=1)
        if name != OTHER or any(pair.level == level for pair in pairs)
    )
    return Breakdown(segments, (*warnings, *_unplaced(record, data)))


def _metrics(record: ExperimentRecord) -> tuple[list[int], list[str]]:
    """Returns the indexes of the metrics to compare, in declared order, and what there is to say about the others."""
    spec = record.spec
    each = len(spec.levels) * (len(spec.variants) - 1)
    most = max(1, MAX_COMPARISONS // each)
    first = sorted(range(len(spec.metrics)), key=lambda index: (_RANK[spec.metrics[index].role], index))[:most]
    if len(first) == len(spec.metrics):
        return sorted(first), []
    text = f"segments: {count(len(first), 'metric')} of {len(spec.metrics)} compared; the limit is {MAX_COMPARISONS:,}"
    return sorted(first), [f"{text} comparisons"]


def _samples(record: ExperimentRecord, data: ExperimentData, level: int, index: int) -> list[Sample]:
    """Returns the control's sample, then the treatments' in declared order."""
    spec = record.spec
    # The units of a level are not known, so nothing says that they do not repeat.
    samples = [
        Sample(variant.name, spec.metrics[index], 0, data.levels.get((place, index, level)))
        for place, variant in enumerate(spec.variants)
    ]
    control = samples.pop(spec.variants.index(spec.control))
    return [control, *samples]


def _compared(pairs: Sequence[_Pair], policy: Policy) -> _Table:
    controls, treatments = _sums(pair.control for pair in pairs), _sums(pair.treatment for pair in pairs)
    difference = resolved(ratio_delta(controls, treatments, policy.confidence))
    df = np.where(np.isnan(difference.df), np.inf, difference.df)
    lift = relative_lift(
        difference.control, difference.control_error, difference.treatment, difference.treatment_error, df,
        policy.confidence,
    )  # fmt: skip
    unknown = difference.reason != ""
    lift = replace(lift, lower=np.where(unknown, np.nan, lift.lower), upper=np.where(unknown, np.nan, lift.upper))
    planned = np.array([max(policy.planned_units(pair.control.variant, pair.treatment.variant), 2) for pair in pairs])
    progress = np.array([planned_share(pair.control, (pair.treatment,), np.ones(1))[0] for pair in pairs]) / planned
    spread = np.asarray((lift.upper - lift.lower) / 2 / critical(policy.confidence, df))
    compared = Compared(difference, (RATIO_DELTA,) * len(pairs), difference)
    observations = controls.denominator.sum(axis=-1), treatments.denominator.sum(axis=-1)
    sequences = confidence_sequences(compared, lift, spread, progress, planned, observations, policy.alpha)
    shown = policy.informing(single_look(difference, lift), sequences)
    better = chance_to_beat(difference.difference, difference.standard_error, maximize=True)
    maximize = np.array([pair.treatment.metric.goal is Goal.MAXIMIZE for pair in pairs])
    chance = np.where(maximize, better, 1 - better)
    return _Table(difference, lift, sequences, shown, chance, benjamini_hochberg(shown.p_value))


def _sums(samples: Iterable[Sample]) -> BucketSums:
    sums = [sample.buckets for sample in samples]
    return BucketSums.of([one.denominator for one in sums], [one.total for one in sums])


def _comparisons(pairs: Sequence[_Pair], table: _Table | None, level: int, alpha: float) -> Iterator[Comparison]:
    if table is None:
        return
    difference, lift, sequences, shown, chance, p_adjusted = table
    for index, pair in enumerate(pairs):
        if pair.level != level:
            continue
        how, df, value = shown.how[index], float(difference.df[index]), float(difference.difference[index])
        maximize = pair.treatment.metric.goal is Goal.MAXIMIZE
        yield Comparison(
            variant=pair.treatment.variant,
            metric=pair.treatment.metric.name,
            method=f"{RATIO_DELTA}, {how}" if how else RATIO_DELTA,
            difference=value,
            interval=_interval(shown.lower, shown.upper, index),
            relative=float(lift.value[index]),
            relative_interval=_interval(shown.relative_lower, shown.relative_upper, index),
            p_value=float(shown.p_value[index]),
            p_adjusted=float(p_adjusted[index]),
            df=df if math.isfinite(df) else math.nan,
            chance_to_beat=float(chance[index]),
            significant=bool(p_adjusted[index] < alpha),
            improvement=value > 0 if maximize else value < 0,
            reason=str(difference.reason[index]) or str(lift.reason[index]),
            always_valid=_always_valid(sequences, index),
            standard_error=float(difference.standard_error[index]),
        )


def _always_valid(sequences: Sequences, index: int) -> AlwaysValid | None:
    found, relative = sequences.difference, sequences.relative
    if math.isnan(found.p_value[index]):
        return None
    return AlwaysValid(
        method=sequences.methods[index],
        interval=_interval(found.lower, found.upper, index),
        relative_interval=_interval(relative.lower, relative.upper, index),
        p_value=float(found.p_value[index]),
    )


def _interval(lower: FloatArray, upper: FloatArray, index: int) -> Interval:
    return Interval(float(lower[index]), float(upper[index]))


def _described(
    samples: dict[tuple[int, int], list[Sample]], pairs: Sequence[_Pair], table: _Table | None, level: int
) -> Iterator[VariantMetric]:
    """Yields every variant of every metric with outcomes: the control, then the treatments in declared order."""
    if table is None:
        return
    errors: dict[int, float] = {}
    for index, pair in enumerate(pairs):
        errors[id(pair.control)] = float(table.difference.control_error[index])
        errors[id(pair.treatment)] = float(table.difference.treatment_error[index])
    for (at, _), arms in samples.items():
        for sample in arms if at == level else ():
            if id(sample) in errors:
                yield VariantMetric(
                    variant=sample.variant,
                    metric=sample.metric.name,
                    n=sample.n,
                    mean=sample.mean,
                    sd=sample.variance**0.5,
                    se=errors[id(sample)],
                    min=sample.lowest,
                    max=sample.highest,
                    clamped=sample.cell.clamped if sample.cell else 0,
                )


def _unplaced(record: ExperimentRecord, data: ExperimentData) -> Iterator[str]:
    """Yields one line for each dimension at which not every outcome of the primary metric was counted."""
    spec = record.spec
    primary = spec.metrics.index(spec.primary)
    everyone = sum(cell.n for (_, metric), cell in data.cells.items() if metric == primary)
    for dimension in spec.dimensions:
        numbers = {number for number, (name, _) in enumerate(spec.levels, start=1) if name == dimension.name}
        placed = sum(
            cell.n for (_, metric, level), cell in data.levels.items() if metric == primary and level in numbers
        )
        if placed < everyone:
            missing = count(everyone - placed, "outcome")
            yield f"{dimension.name}: {missing} of {spec.primary.name} came through a sidecar that knows no dimensions"
