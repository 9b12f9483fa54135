"""Whether treatments keep the guardrails."""

from __future__ import annotations

import math

from sortition.analyzer.compare import MetricComparison
from sortition.analyzer.result import Guardrail
from sortition.analyzer.words import p_value, percent, signed_percent
from sortition.model import ExperimentSpec, Goal, MetricRole
from sortition.stats import NonInferiority, asymptotic_cs, non_inferiority

__all__ = ["guardrail_states"]


def guardrail_states(spec: ExperimentSpec, compared: dict[str, MetricComparison]) -> tuple[Guardrail, ...]:
    """Judges every guardrail of every treatment.

    A guardrail is broken when the treatment is worse than the control by more than the margin, and chance does not
    explain it: one-sided at 1 - confidence, neither corrected for the number of guardrails nor sharpened by a high
    risk, since both would make harm harder to see. It is reported as excluded when the opposite is shown
    (non-inferiority). Where the policy looks more than once, both are shown by bounds that hold at every look. Without
    variance the values themselves are compared. One without outcomes is unknown, which is not intact.
    """
    return tuple(
        _state(spec, compared[metric.name], index)
        for metric in spec.metrics
        if metric.role is MetricRole.GUARDRAIL
        for index in range(len(compared[metric.name].treatments))
    )


def _state(spec: ExperimentSpec, compared: MetricComparison, index: int) -> Guardrail:
    metric, found = compared.metric, compared.difference
    margin = metric.margin or 0.0
    level = 1 - spec.decision.confidence
    control, treatment = compared.control, compared.treatments[index]
    test = non_inferiority(
        found.control[index],
        found.control_error[index],
        found.treatment[index],
        found.treatment_error[index],
        math.inf if math.isnan(found.df[index]) else found.df[index],
        margin,
        maximize=metric.goal is Goal.MAXIMIZE,
    )
    p_broken, p_kept = _at_every_look(compared, index, test) if compared.policy.watches else _once(test)
    change = signed_percent(float(compared.relative.value[index]))
    beyond = f"more than {percent(margin)}" if margin else "the control"

    def state(intact: bool, detail: str, *, unknown: bool = False) -> Guardrail:
        return Guardrail(metric.name, treatment.variant, intact, detail, unknown)

    if min(control.n, treatment.n) == 0:
        return state(False, "is unknown: no outcomes yet", unknown=True)
    if min(control.n, treatment.n) < 2 or math.isnan(test.error):
        reason = str(found.reason[index]) or str(test.reason)
        return state(False, f"is unknown: {reason}", unknown=True)
    if test.error == 0:
        intact = bool(test.reserve >= 0)
        return state(intact, "is intact: no variance, not worse" if intact else f"is broken: {change}, no variance")
    if p_broken < level:
        worse = f"worse by {beyond}" if margin else f"worse than {beyond}"
        return state(False, f"is broken: {change}, {worse} (one-sided {p_value(p_broken)})")
    worsening = f"a worsening of {beyond}" if margin else "any worsening"
    if p_kept < level:
        return state(True, f"is intact: {change}, {worsening} is excluded (one-sided {p_value(p_kept)})")
    return state(True, f"is intact: {change}, {worsening} is neither shown nor excluded")


def _once(test: NonInferiority) -> tuple[float, float]:
    """Returns the p-values for being broken and for being kept, at a single look."""
    return float(test.p_broken), float(test.p_kept)


def _at_every_look(compared: MetricComparison, index: int, test: NonInferiority) -> tuple[float, float]:
    """Returns the same, valid however often one looks."""
    df = compared.difference.df[index]
    progress = compared.sequences.progress[index]
    error = test.error * compared.sequences.widening[index]
    alpha = 1 - compared.policy.decision.confidence
    freedom = math.inf if math.isnan(df) else df
    above = asymptotic_cs(test.reserve, error, progress, planned_n=1.0, alpha=alpha, df=freedom, side="lower")
    below = asymptotic_cs(test.reserve, error, progress, planned_n=1.0, alpha=alpha, df=freedom, side="upper")
    return float(below.p_value), float(above.p_value)
