"""Periods: the units of one allocation of a re-weighted experiment, which alone are compared with each other.

While weights change, so do the times at which the variants' units come, and whatever else is different then (a trend, a
day of the week) would be taken for an effect: Simpson's paradox. Among the units that were first exposed under one
allocation all variants were drawn at the same times, so they are compared within each period and the comparisons are
combined. A unit belongs to the period of its first exposure for good, whenever its outcomes come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sortition.analyzer.methods import Compared, Method, compare_observations, compare_proportions, method_for, resolved
from sortition.analyzer.sample import Sample
from sortition.core import Cell
from sortition.stats import Difference, FloatArray
from sortition.stats.difference import compare
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["BY_PERIOD", "FEWEST", "Period", "compare_by_period", "effective_observations", "has_periods", "periods_of"]

BY_PERIOD: Final = "by_period"
FEWEST: Final = 30
"""Outcomes in each arm below which a period is left out: its variance would not be known."""


@dataclass(frozen=True)
class Period:
    """The units that were first exposed under one allocation.

    Attributes:
        generation: The number of the allocation.
        weights: The weights of its variants in basis points, in declared order.
        units: Distinct exposed units, shape (variants,); 0 where they are not known.
        cells: Their outcomes by (variant index, metric index).
    """

    generation: int
    weights: tuple[int, ...]
    units: NDArray[np.int64]
    cells: Mapping[tuple[int, int], Cell]


def periods_of(record: ExperimentRecord, data: ExperimentData) -> tuple[Period, ...]:
    """Returns the periods of an experiment, oldest first; none while its weights were never changed."""
    if len(record.allocations) < 2:
        return ()
    variants = len(record.spec.variants)
    first = dict(data.cells)
    for (variant, metric, _), cell in data.periods.items():
        # What is kept of the first allocation is what the others leave: most experiments have no other.
        first[variant, metric] = first[variant, metric].without(cell)
    found = []
    for allocation in record.allocations:
        later = {
            (variant, metric): cell
            for (variant, metric, generation), cell in data.periods.items()
            if generation == allocation.generation
        }
        cells = first if allocation is record.allocations[0] else later
        none = np.zeros(variants, dtype=np.int64)
        units = data.units_by_period.get(allocation.generation, none)
        found.append(Period(allocation.generation, allocation.weights(variants), units, cells))
    return tuple(found)


def has_periods(control: Sample, treatments: tuple[Sample, ...]) -> bool:
    """Returns whether arms have outcomes of more than one period, so that together they say nothing."""
    arms = (control, *treatments)
    return sum(any(arm.periods[place].n for arm in arms) for place in range(len(control.periods))) > 1


def compare_by_period(control: Sample, treatments: tuple[Sample, ...], confidence: float) -> Compared:
    """Compares the treatments with the control within each period, and combines.

    Source: Cochran, "Some methods for strengthening the common χ² tests", Biometrics 10 (1954), section 5 (the weights
    of Mantel and Haenszel 1959): a period counts as n_c·n_t / (n_c + n_t), by its sizes alone and never by its
    outcomes, for both arms alike. So a period in which one arm has almost nobody counts for almost nothing.
    """
    method = method_for(control.metric, _parts(control, treatments))
    if method is compare_proportions:
        # The arms' own variances add up over periods; exact tests do not.
        method = compare_observations
    found = [_one(control, one, method, confidence) for one in treatments]
    difference, plain = _together([each[0] for each in found]), _together([each[1] for each in found])
    reductions = [each[2] for each in found]
    known = not any(one is None for one in reductions)
    return Compared(
        resolved(difference),
        tuple(f"{each[3]}, {BY_PERIOD}" for each in found),
        resolved(plain),
        variance_reduction=np.array(reductions, dtype=np.float64) if known else None,
    )


def effective_observations(control: Sample, treatment: Sample) -> tuple[float, float]:
    """Returns how many observations of each arm would make a plain mean as certain as the combined one."""
    pairs = _pairs(control, treatment)
    shares = _shares(pairs)
    arms = ([_size(one) for one, _ in pairs], [_size(other) for _, other in pairs])
    base, other = (1 / float(np.sum(np.square(shares) / np.array(sizes))) for sizes in arms)
    return base, other


def _parts(control: Sample, treatments: tuple[Sample, ...]) -> tuple[Sample, ...]:
    return tuple(part for arm in (control, *treatments) for part in arm.periods if part.n)


def _pairs(control: Sample, treatment: Sample) -> list[tuple[Sample, Sample]]:
    """Returns the periods with enough outcomes in both arms; the largest alone where none has."""
    pairs = [pair for pair in zip(control.periods, treatment.periods, strict=True) if min(pair[0].n, pair[1].n) > 0]
    enough = [pair for pair in pairs if min(pair[0].n, pair[1].n) >= FEWEST]
    if enough or not pairs:
        return enough or [(control.periods[-1], treatment.periods[-1])]
    return [max(pairs, key=lambda pair: _weight(*pair))]


def _size(sample: Sample) -> float:
    return max(float(sample.buckets.denominator.sum()), 1.0)


def _weight(control: Sample, treatment: Sample) -> float:
    base, other = _size(control), _size(treatment)
    return base * other / (base + other)


def _shares(pairs: list[tuple[Sample, Sample]]) -> FloatArray:
    weights = np.array([_weight(*pair) for pair in pairs])
    return np.asarray(weights / weights.sum())


def _one(
    control: Sample, treatment: Sample, method: Method, confidence: float
) -> tuple[Difference, Difference, float | None, str]:
    """Returns one treatment's combined difference, the same without the covariate, and how they were made."""
    pairs = _pairs(control, treatment)
    compared = [method(one, (other,), confidence) for one, other in pairs]
    shares = _shares(pairs)
    reductions = [one.variance_reduction for one in compared]
    reduction = None
    if not any(one is None for one in reductions):
        reduction = float(np.sum(shares * np.array([one[0] for one in reductions if one is not None])))
    return (
        _combined([one.difference for one in compared], shares, confidence),
        _combined([one.plain for one in compared], shares, confidence),
        reduction,
        compared[0].methods[0],
    )


def _combined(parts: list[Difference], shares: FloatArray, confidence: float) -> Difference:
    """Returns the weighted mean of independent differences, with the degrees of freedom by Satterthwaite (1946)."""
    if len(parts) == 1:
        return parts[0]

    def mean(values: list[FloatArray]) -> FloatArray:
        return np.asarray(np.sum(shares[:, None] * np.array([np.ravel(one) for one in values]), axis=0))

    def error(values: list[FloatArray]) -> FloatArray:
        return np.asarray(np.sqrt(np.sum(np.square(shares[:, None] * np.array([np.ravel(v) for v in values])), axis=0)))

    variances = np.square(shares * np.array([float(np.ravel(one.standard_error)[0]) for one in parts]))
    freedom = np.array([float(np.ravel(one.df)[0]) for one in parts])
    with np.errstate(all="ignore"):
        spread = np.sum(np.square(variances) / freedom)
        df = np.inf if spread == 0 else np.square(variances.sum()) / spread
    reasons = [str(np.ravel(one.reason)[0]) for one in parts]
    return compare(
        mean([one.control for one in parts]),
        error([one.control_error for one in parts]),
        mean([one.treatment for one in parts]),
        error([one.treatment_error for one in parts]),
        np.array([df]),
        confidence,
        np.array([next((one for one in reasons if one), "")]),
    )


def _together(differences: list[Difference]) -> Difference:
    """Returns one difference of shape (treatments,) for the treatments' own."""
    fields = differences[0].__dataclass_fields__
    return replace(
        differences[0],
        **{name: np.concatenate([np.ravel(getattr(one, name)) for one in differences]) for name in fields},
    )
