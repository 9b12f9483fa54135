"""What becomes of a decision that was reached: it stays, unless shipping is unsafe now."""

from __future__ import annotations

from dataclasses import replace

from sortition.analyzer.evidence import Evidence, Verdict
from sortition.analyzer.quality import why_unusable
from sortition.analyzer.result import Guardrail, ReachedDecision, RecommendationKind
from sortition.analyzer.words import count, p_value

__all__ = ["after"]


def after(reached: ReachedDecision | None, evidence: Evidence, now: Verdict) -> Verdict:
    """Returns the verdict of a look that comes after a decision was reached.

    Args:
        reached: The decision; None when there is none yet.
        evidence: What is known now.
        now: What would be decided now.
    """
    if reached is None:
        return now
    unit = evidence.spec.unit
    when = f"Decided at {count(reached.units, unit)} on {reached.at:%Y-%m-%d}"
    kept = Verdict(reached.kind, f"{reached.recommendation} ({when}; later outcomes do not change it.)", reached.winner)
    if evidence.sample_ratio.verdict == "red":
        text = f"units are not split as declared now ({p_value(evidence.sample_ratio.p_value)})"
        return replace(kept, kind=RecommendationKind.INVALID, text=_held(reached, when, text))
    if unusable := why_unusable(evidence.quality):
        return replace(kept, kind=RecommendationKind.INVALID, text=_held(reached, when, unusable))
    broken = [guardrail for guardrail in evidence.guardrails_of(reached.winner) if guardrail.broken]
    if broken:
        return replace(kept, kind=RecommendationKind.REGRESSION, text=_held(reached, when, _described(broken)))
    return kept


def _described(broken: list[Guardrail]) -> str:
    return "; ".join(f"guardrail {guardrail.metric} {guardrail.detail}" for guardrail in broken)


def _held(reached: ReachedDecision, when: str, why: str) -> str:
    return f"Do not ship now: {why}. {when}: {reached.recommendation}"
