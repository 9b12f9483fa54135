"""Differences with figures that stay valid however often, and whenever, one looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.analyzer.methods import Compared
from sortition.analyzer.sample import Sample
from sortition.stats import (
    BoolArray,
    ConfidenceSequence,
    Counts,
    FloatArray,
    RelativeLift,
    asymptotic_cs,
    bernoulli_cs,
    guarded_error,
    proportion_cs,
)

__all__ = ["ASYMPTOTIC", "BERNOULLI", "Sequences", "confidence_sequences", "planned_share"]

ASYMPTOTIC = "asymptotic_cs"
BERNOULLI = "bernoulli_cs"


@dataclass(frozen=True)
class Sequences:
    """Confidence sequences of shape (treatments,).

    Attributes:
        methods: How each was made.
        difference: Of treatment - control.
        relative: Of the same, relative to the control.
        progress: Units over planned units in control and treatment together: what sequences are tuned by.
        spread: The standard errors of the relative differences.
        widening: How many times the standard errors are widened where arms are far from equal; 1 elsewhere.
    """

    methods: tuple[str, ...]
    difference: ConfidenceSequence
    relative: ConfidenceSequence
    progress: FloatArray
    spread: FloatArray
    widening: FloatArray


def planned_share(control: Sample, treatments: tuple[Sample, ...], planned_units: FloatArray) -> FloatArray:
    """Returns how far each comparison is on the way to its planned units.

    The units of both arms count, but no more than there are outcomes: a unit without any has told nothing yet. Above 0.

    Args:
        control: The control's sample.
        treatments: The treatments' samples.
        planned_units: Units planned for control and treatment together.
    """
    told = [_told(control) + _told(one) for one in treatments]
    return np.asarray(np.maximum(told, 1) / planned_units)


def _told(sample: Sample) -> int:
    return min(sample.units or sample.n, sample.n)


def confidence_sequences(
    compared: Compared,
    lift: RelativeLift,
    spread: FloatArray,
    progress: FloatArray,
    planned_units: FloatArray,
    observations: tuple[FloatArray, FloatArray],
    alpha: float,
) -> Sequences:
    """Returns the confidence sequences that belong to differences: exact ones where counts are small.

    Where arms are far from equal, the standard errors are no smaller than the arms' pooled variance makes them.

    Args:
        compared: The differences.
        lift: The same, relative to the control.
        spread: The lifts' standard errors.
        progress: As `planned_share` returns it.
        planned_units: Units planned for control and treatment together.
        observations: The control's and the treatments' observations; of ratios the sums of denominators.
        alpha: 1 - confidence.
    """
    difference = compared.difference
    # A difference that was settled by exact counts has no degrees of freedom.
    df = np.where(np.isnan(difference.df), np.inf, difference.df)
    usual = np.where(difference.reason == "", difference.standard_error, np.nan)
    base, others = observations
    error = guarded_error(difference.control_error, base, difference.treatment_error, others)
    error = np.where(error > usual, error, usual)
    with np.errstate(all="ignore"):
        wider = np.where(usual > 0, error / usual, 1.0)
    found = asymptotic_cs(difference.difference, error, progress, planned_n=1.0, alpha=alpha, df=df)
    relative = asymptotic_cs(lift.value, spread * wider, progress, planned_n=1.0, alpha=alpha, df=df)
    methods = (ASYMPTOTIC,) * len(progress)
    few = compared.few
    if compared.counts is None or not few.any():
        return Sequences(methods, found, relative, progress, spread, wider)
    counts = [_repeated(one, len(progress)) for one in compared.counts]
    exact = bernoulli_cs(*counts, alpha=alpha, planned_n=planned_units)
    # Both rates at once, each at half the level: the corners of their box bound the lift.
    control, treatment = (proportion_cs(one, alpha=alpha / 2, planned_n=planned_units / 2) for one in counts)
    with np.errstate(all="ignore"):
        scaled = ConfidenceSequence(
            lift.value,
            np.where(control.upper > 0, treatment.lower / control.upper - 1, np.nan),
            np.where(control.lower > 0, treatment.upper / control.lower - 1, np.nan),
            exact.p_value,
            lift.reason,
        )
    return Sequences(
        tuple(BERNOULLI if one else ASYMPTOTIC for one in few),
        _chosen(few, exact, found),
        _chosen(few, scaled, relative),
        progress,
        spread,
        wider,
    )


def _repeated(counts: Counts, treatments: int) -> Counts:
    """Returns the counts of one arm beside each of so many treatments."""
    return Counts(*(np.broadcast_to(part, (treatments,)) for part in (counts.successes, counts.trials)))


def _chosen(where: BoolArray, one: ConfidenceSequence, other: ConfidenceSequence) -> ConfidenceSequence:
    return ConfidenceSequence(
        np.where(where, one.estimate, other.estimate),
        np.where(where, one.lower, other.lower),
        np.where(where, one.upper, other.upper),
        np.where(where, one.p_value, other.p_value),
        np.where(where, one.reason, other.reason),
    )
