"""Words for what a comparison comes to, and cells with figures."""

from __future__ import annotations

import math

from sortition.render.known import known
from sortition.render.numbers import Scale, p_value, probability, relative
from sortition.report.document import Cell, Tone, cell
from sortition.report.source import Source
from sortition.rpc.v1.analysis_pb2 import Comparison, Guardrail, Interval
from sortition.rpc.v1.experiment_pb2 import DecisionPolicy, MetricRole

__all__ = [
    "axis_title",
    "chance",
    "guardrail_cell",
    "interval_text",
    "metric_title",
    "outcome",
    "p_text",
    "policy_text",
    "relative_interval",
]

_POLICIES = {
    DecisionPolicy.DECISION_POLICY_SEQUENTIAL: "sequential",
    DecisionPolicy.DECISION_POLICY_FIXED_HORIZON: "fixed horizon",
    DecisionPolicy.DECISION_POLICY_GROUP_SEQUENTIAL: "planned looks",
}


def policy_text(policy: DecisionPolicy) -> str:
    """Names how decisions are reached."""
    return _POLICIES.get(policy, "unknown")


def outcome(comparison: Comparison) -> Cell:
    """Says what a comparison comes to: better, worse, or no difference that chance cannot explain."""
    if not comparison.HasField("p_value"):
        return Cell("not known")
    if not comparison.significant:
        return Cell("not significant")
    return Cell("better", Tone.GOOD) if comparison.improvement else Cell("worse", Tone.BAD)


def guardrail_cell(guardrail: Guardrail | None) -> Cell:
    """Says how a guardrail stands."""
    if guardrail is None:
        return cell("")
    if guardrail.unknown:
        return Cell("unknown", Tone.DOUBT)
    return Cell("intact", Tone.GOOD) if guardrail.intact else Cell("BROKEN", Tone.BAD)


def interval_text(message: object, field: str, scale: Scale) -> str:
    """Writes an interval of a message; a dash where it is absent."""
    found = _interval(message, field)
    return "–" if found is None else scale.interval(found.lower, found.upper)


def relative_interval(message: object, field: str) -> str:
    """Writes an interval of relative differences: ``[−12.0 %, +3.1 %]``."""
    found = _interval(message, field)
    if found is None or not (math.isfinite(found.lower) and math.isfinite(found.upper)):
        return "–"
    return f"[{relative(found.lower)}, {relative(found.upper)}]"


def _interval(message: object, field: str) -> Interval | None:
    holds: bool = message.HasField(field)  # type: ignore[attr-defined]
    return getattr(message, field) if holds else None


def chance(comparison: Comparison) -> str:
    """Writes the probability that a treatment is better."""
    return probability(known(comparison, "chance_to_beat"))


def p_text(comparison: Comparison) -> str:
    """Writes the corrected p-value."""
    return p_value(known(comparison, "p_adjusted"))


def metric_title(source: Source, metric: str, quantile: float | None = None) -> str:
    """Names a metric with the direction that is better, and says whether it is a guardrail."""
    guards = quantile is None and source.role(metric) == MetricRole.METRIC_ROLE_GUARDRAIL
    better = source.better(metric)
    return f"{source.name(metric, quantile)} ({better} is better{', guardrail' if guards else ''})"


def axis_title(source: Source, metric: str) -> str:
    """Names a metric with its unit of measurement: ``total_time in s``."""
    unit = source.unit(metric)
    return f"{metric} in {unit}" if unit else metric
