"""How experiments are decided: which figures decide, and at which looks. The one place where a policy is added."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sortition.analyzer.always_valid import Sequences
from sortition.analyzer.evidence import Evidence, Verdict
from sortition.analyzer.history import History
from sortition.analyzer.planned_looks import PlannedLooks
from sortition.analyzer.result import Look, RecommendationKind
from sortition.errors import InvalidArgument
from sortition.model import Decision, DecisionPolicy, ExperimentSpec, Metric, MetricRole
from sortition.stats import Difference, FloatArray, RelativeLift

__all__ = [
    "POLICIES",
    "Deciding",
    "FixedHorizon",
    "GroupSequential",
    "Policy",
    "Sequential",
    "policy_for",
    "single_look",
]


GROUP_SEQUENTIAL = "group_sequential"


@dataclass(frozen=True)
class Deciding:
    """The figures that decide; arrays of shape (treatments,).

    Attributes:
        how: What is added to the method's name for each; empty where it is a single look's.
        lower: The lower ends of the differences' intervals.
        upper: Their upper ends.
        relative_lower: The lower ends of the relative differences' intervals.
        relative_upper: Their upper ends.
        p_value: Two-sided.
    """

    how: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    relative_lower: FloatArray
    relative_upper: FloatArray
    p_value: FloatArray


def single_look(difference: Difference, lift: RelativeLift) -> Deciding:
    """Returns the figures of a single look."""
    none = ("",) * len(difference.p_value)
    return Deciding(none, difference.lower, difference.upper, lift.lower, lift.upper, difference.p_value)


def always(sequences: Sequences) -> Deciding:
    """Returns the figures that are valid at every look."""
    found, lift = sequences.difference, sequences.relative
    return Deciding(sequences.methods, found.lower, found.upper, lift.lower, lift.upper, found.p_value)


class Policy:
    """How one experiment is decided at one look.

    Attributes:
        decision: What was declared.
        units: Distinct exposed units at this look.
        provisional: Whether this look comes before one that may decide.
        final: Whether it is the last one that may.
    """

    # Whether guardrails are watched at every look, and so need bounds that hold at every look.
    watches = True

    def __init__(self, spec: ExperimentSpec, units: int, history: History, at: datetime) -> None:
        """Takes a look.

        Args:
            spec: The experiment.
            units: Distinct exposed units.
            history: The looks before this one.
            at: The time of this one.
        """
        self.decision: Decision = spec.decision
        self.alpha = spec.decision.alpha
        self.units = units
        self.provisional = units < spec.decision.min_samples
        self.final = False
        self.looks: tuple[Look, ...] = ()
        self._spec = spec

    @property
    def confidence(self) -> float:
        """1 - the significance level."""
        return round(1 - self.alpha, 12)

    def planned_units(self, control: str, treatment: str) -> float:
        """Returns the units at which an arm and the control have together what the minimum sample gives them."""
        weights = {variant.name: variant.basis_points / 10_000 for variant in self._spec.variants}
        return self.decision.min_samples * (weights[control] + weights[treatment])

    def deciding(self, metric: Metric, difference: Difference, lift: RelativeLift, sequences: Sequences) -> Deciding:
        """Returns the figures of a metric's mean that decide, or, where it does not decide, that are shown."""
        return always(sequences)

    def informing(self, single: Deciding, sequences: Sequences) -> Deciding:
        """Returns the figures that are shown of what never decides, such as quantiles."""
        return always(sequences)

    def settles(self, verdict: Verdict, evidence: Evidence) -> bool:
        """Returns whether a verdict is reached for good."""
        if self.provisional:
            return False
        if self.final:
            return verdict.kind not in (RecommendationKind.NEED_MORE_DATA, RecommendationKind.INVALID)
        if verdict.kind is RecommendationKind.SHIP:
            return True
        return verdict.kind is RecommendationKind.REGRESSION and _none_left(evidence)


class Sequential(Policy):
    """Decides by confidence sequences, at any look from the minimum sample on."""


class FixedHorizon(Policy):
    """Decides at one look, the first with the minimum sample."""

    watches = False

    def __init__(self, spec: ExperimentSpec, units: int, history: History, at: datetime) -> None:
        """Takes a look."""
        super().__init__(spec, units, history, at)
        self.final = not self.provisional

    def deciding(self, metric: Metric, difference: Difference, lift: RelativeLift, sequences: Sequences) -> Deciding:
        """Returns a single look's figures."""
        return single_look(difference, lift)

    def informing(self, single: Deciding, sequences: Sequences) -> Deciding:
        """Returns a single look's figures."""
        return single


class GroupSequential(Policy):
    """Decides at planned looks that share the significance level."""

    def __init__(self, spec: ExperimentSpec, units: int, history: History, at: datetime) -> None:
        """Takes a look: a planned one when it is due, else one that only shows."""
        super().__init__(spec, units, history, at)
        self._plan = PlannedLooks(spec.decision, units, history.looks, at)
        self.looks = self._plan.looks
        self.provisional = not self._plan.due
        self.final = self._plan.last

    def deciding(self, metric: Metric, difference: Difference, lift: RelativeLift, sequences: Sequences) -> Deciding:
        """Returns the primary metric's figures at a planned look; else those that are valid at every look."""
        if self.provisional or metric.role is not MetricRole.PRIMARY:
            return always(sequences)
        # A difference that was settled by exact counts has no degrees of freedom.
        df = np.where(np.isnan(difference.df), np.inf, difference.df)
        found = self._plan.interval(difference.difference, difference.standard_error, df)
        relative = self._plan.interval(lift.value, sequences.spread, df)
        return Deciding(
            (GROUP_SEQUENTIAL,) * len(df),
            found.lower,
            found.upper,
            relative.lower,
            relative.upper,
            self._plan.p_values(difference.p_value),
        )


POLICIES: Mapping[str, Callable[[ExperimentSpec, int, History, datetime], Policy]] = {
    DecisionPolicy.SEQUENTIAL.value: Sequential,
    DecisionPolicy.FIXED_HORIZON.value: FixedHorizon,
    DecisionPolicy.GROUP_SEQUENTIAL.value: GroupSequential,
}
"""The decision policies that exist, by name."""


def policy_for(spec: ExperimentSpec, units: int, history: History, at: datetime) -> Policy:
    """Returns the policy of an experiment, at a look.

    Args:
        spec: The experiment.
        units: Distinct exposed units.
        history: The looks before this one.
        at: The time of this one.

    Raises:
        InvalidArgument: There is no such policy; names those that there are.
    """
    name = str(spec.decision.policy)
    found = POLICIES.get(name)
    if found is None:
        raise InvalidArgument.of([("decision.policy", f"{name!r} is not available; use one of: {', '.join(POLICIES)}")])
    return found(spec, units, history, at)


def _none_left(evidence: Evidence) -> bool:
    """Returns whether every treatment has done harm, so that waiting for another one has no purpose."""
    return all(
        (one.significant and not one.improvement and not math.isnan(one.p_adjusted))
        or any(guardrail.broken for guardrail in evidence.guardrails_of(one.variant))
        for one in evidence.primary
    )
