"""Ramps: which step an experiment is at, and whether the next may follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sortition.analyzer.result import AnalysisResult, Comparison, Guardrail
from sortition.analyzer.words import percent, signed_percent
from sortition.model import DecisionPolicy, ExperimentStatus, Goal, MetricRole, RampStep, step_weights
from sortition.store.records import ExperimentRecord

__all__ = ["FEWEST", "Standing", "ramp_line", "standing"]

FEWEST = 100
"""Outcomes of each guardrail in each arm below which nobody can say that it passes."""

_HOUR_S = 3600


@dataclass(frozen=True)
class Standing:
    """Where an experiment stands on its ramp.

    Attributes:
        step: The step that it is at, counted from 0.
        steps: How many there are.
        left: Whether somebody changed the weights by hand: the ramp is over then.
        harmed: Guardrails that are harmed, one line each: the ramp stops.
        missing: What is missing for the next step, one line each; empty when it may follow, and on the last.
    """

    step: int
    steps: int
    left: bool = False
    harmed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def last(self) -> bool:
        """Whether no step follows."""
        return self.left or self.step == self.steps - 1

    @property
    def due(self) -> bool:
        """Whether the next step may follow."""
        return not (self.last or self.harmed or self.missing)


def standing(record: ExperimentRecord, result: AnalysisResult, now: datetime) -> Standing | None:
    """Returns where a started experiment stands on its ramp; None where it has none.

    A guardrail passes while no harm is shown of any treatment by a bound that holds at every look, whatever the policy,
    so that it may be looked at as often as one likes; and once there are outcomes enough to see any.

    Args:
        record: The experiment.
        result: Its analysis.
        now: The time.
    """
    ramp = record.spec.ramp
    if not ramp or not record.allocations:
        return None
    current = record.allocations[-1]
    step = current.ramp_step if current.generation > 1 else 0
    if step is None:
        return Standing(len(ramp) - 1, len(ramp), left=True)
    if step >= len(ramp) - 1:
        return Standing(step, len(ramp))
    missing = []
    if record.status is ExperimentStatus.PAUSED:
        missing.append("is paused: resume it")
    if record.announced is not None:
        missing.append("other weights are announced, and take effect within seconds")
    since = current.effective_at or record.started_at or now
    left = ramp[step].hold - max(0.0, (now - since).total_seconds()) / _HOUR_S
    if left > 0:
        missing.append(f"{_length(left)} of the {_length(ramp[step].hold)} for which this step is held")
    harmed = tuple(text for one in result.guardrails if (text := _harm(record, result, one)))
    missing += _unknown(record, result)
    return Standing(step, len(ramp), harmed=harmed, missing=tuple(missing))


def ramp_line(record: ExperimentRecord, at: Standing) -> str:
    """Returns one line that says at which step an experiment is, and what is missing for the next."""
    if at.left:
        return "ramp: left, the weights were changed by hand"
    ramp = record.spec.ramp
    here = f"ramp: step {at.step + 1} of {at.steps} ({_share(record, ramp[at.step])} in treatments)"
    if at.last:
        return f"{here}, the last one"
    if at.harmed:
        return f"{here}, stopped: {'; '.join(at.harmed)}"
    following = _share(record, ramp[at.step + 1])
    if at.missing:
        return f"{here}; missing for the next ({following}): {'; '.join(at.missing)}"
    return f"{here}; the next ({following}) may follow: automatic mode takes it"


def _share(record: ExperimentRecord, step: RampStep) -> str:
    weights = step_weights(step, record.spec.variants)
    control = record.spec.variants.index(record.spec.control)
    return percent((sum(weights) - weights[control]) / sum(weights))


def _length(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:.3g} days"
    return f"{hours:.2g} h" if hours >= 1 else f"{hours * 60:.2g} min"


def _harm(record: ExperimentRecord, result: AnalysisResult, one: Guardrail) -> str:
    """Returns what is harmed, by a bound that holds at every look; empty when nothing is."""
    if one.broken and result.policy is DecisionPolicy.SEQUENTIAL:
        return f"{one.metric} of {one.variant} {one.detail}"
    compared = _compared(result, one.metric, one.variant)
    metric = record.spec.metric(one.metric)
    if compared is None or compared.always_valid is None or metric is None:
        return ""
    bound, margin = compared.always_valid.relative_interval, metric.margin or 0.0
    worse = bound.upper < -margin if metric.goal is Goal.MAXIMIZE else bound.lower > margin
    if not worse:
        return ""
    return f"{one.metric} of {one.variant} is worse by more than {percent(margin)}: {signed_percent(compared.relative)}"


def _compared(result: AnalysisResult, metric: str, variant: str) -> Comparison | None:
    found = (one for one in result.comparisons if one.metric == metric and one.quantile is None)
    return next((one for one in found if one.variant == variant), None)


def _unknown(record: ExperimentRecord, result: AnalysisResult) -> list[str]:
    """Returns which outcomes are missing; of the primary metric where there are no guardrails."""
    judged = [one.name for one in record.spec.metrics if one.role is MetricRole.GUARDRAIL] or [result.primary_metric]
    counts = {(one.metric, one.variant): one.n for one in result.metrics}
    weights = dict(zip((one.name for one in record.spec.variants), record.weights, strict=True))
    return [
        f"{FEWEST - n:,} more outcomes of {metric} in {variant}"
        for metric in judged
        for variant, weight in weights.items()
        if weight and (n := counts.get((metric, variant), 0)) < FEWEST
    ]
