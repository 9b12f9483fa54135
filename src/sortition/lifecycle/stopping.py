"""When an experiment is decided and when it stops, in words."""

from __future__ import annotations

from typing import Final

from sortition.analyzer.words import count, listed, noun, percent
from sortition.model import Correction, Decision, DecisionPolicy, ExperimentSpec, Spending

__all__ = ["stopping_rule"]

_SPENDING: Final = {
    Spending.OBRIEN_FLEMING: "O'Brien-Fleming spending",
    Spending.POCOCK: "Pocock spending",
    Spending.KIM_DEMETS: "Kim-DeMets spending",
}
_CORRECTION: Final = {
    Correction.HOLM: " after Holm's correction",
    Correction.BENJAMINI_HOCHBERG: " after Benjamini and Hochberg's correction",
    Correction.NONE: ", uncorrected",
}


def stopping_rule(spec: ExperimentSpec) -> str:
    """Returns when `spec` is decided and when it stops, as it is registered."""
    parts = [_looks(spec), _winner(spec), _end(spec), _automatic(spec.decision)]
    return " ".join(part for part in parts if part)


def _looks(spec: ExperimentSpec) -> str:
    decision, level = spec.decision, f"level {spec.decision.alpha:g}"
    if decision.policy is DecisionPolicy.FIXED_HORIZON:
        return (
            f"One look decides, at {count(decision.min_samples, spec.unit)} and {level}; earlier ones decide nothing."
        )
    if decision.policy is DecisionPolicy.GROUP_SEQUENTIAL:
        looks = listed([f"{units:,}" for units in decision.looks])
        spending = _SPENDING[decision.spending]
        if decision.spending is Spending.KIM_DEMETS:
            spending += f" of power {decision.spending_power:g}"
        planned = f"{len(decision.looks)} planned {noun(len(decision.looks), 'look')}"
        return (
            f"{planned}, at {looks} {noun(2, spec.unit)}, share {level} by {spending}; looks between them decide"
            " nothing."
        )
    return (
        f"Every look may decide, from {count(decision.min_samples, spec.unit)} on; all of them together keep {level}."
    )


def _winner(spec: ExperimentSpec) -> str:
    decision = spec.decision
    correction = _CORRECTION[decision.correction] if len(spec.variants) > 2 else ""
    return (
        f"A treatment wins when it improves {spec.primary.name} by at least {percent(decision.mde)} and"
        f" significantly{correction}, no guardrail is broken and the split is as declared."
    )


def _end(spec: ExperimentSpec) -> str:
    decision = spec.decision
    days = f"{decision.max_days:g} {'day' if decision.max_days == 1 else 'days'}"
    units = "" if decision.max_samples is None else f" or {count(decision.max_samples, spec.unit)}"
    return f"It is time to stop after {days}{units}."


def _automatic(decision: Decision) -> str:
    acts = []
    if decision.auto_promote:
        least = max(decision.mde, decision.improvement_threshold)
        size = f" and Cohen's d of {decision.min_effect_size:g}" if decision.min_effect_size else ""
        acts.append(f"ships a winner of at least {percent(least)}{size}")
    if decision.auto_rollback:
        acts.append(f"rolls back what is worse by more than {percent(decision.max_regression)}")
    if decision.expire:
        acts.append("ends what is over with the control for everybody")
    return f"Automatic mode {listed(acts)}." if acts else ""
