"""The decision at one look: one rule for all policies, on the figures of the one that was declared."""

from __future__ import annotations

import math

from sortition.analyzer.evidence import Evidence, Verdict
from sortition.analyzer.quality import why_unusable
from sortition.analyzer.result import Comparison, Guardrail, RecommendationKind
from sortition.analyzer.words import count, listed, p_value, percent, signed_percent
from sortition.model import Goal

__all__ = ["decide"]

_CONTINUE = "Continue, or accept that there is none."


def decide(evidence: Evidence) -> Verdict:
    """Decides.

    The winner is the best variant in the goal's direction among those that are significant after correction, an
    improvement, at least the minimum detectable effect away from the control, and whose guardrails are all intact;
    there is none at a look that may not decide yet, nor when units were not split as declared or the data cannot be
    trusted otherwise.

    What is advised, the first that holds: invalid (the split, the data's quality) · need more data · ship · regression
    (a treatment is significantly worse, or a guardrail is broken) · need more data (for the primary metric, or for a
    guardrail) · below the minimum effect · not significant.
    """
    spec = evidence.spec
    if evidence.sample_ratio.verdict == "red":
        return Verdict(
            RecommendationKind.INVALID,
            f"Invalid: units were not split as declared ({p_value(evidence.sample_ratio.p_value)}). "
            "Find the cause before you decide anything.",
        )
    if unusable := why_unusable(evidence.quality):
        text = f"Invalid: {unusable}. Find the cause before you decide anything."
        return Verdict(RecommendationKind.INVALID, text)
    if evidence.provisional or evidence.units < spec.decision.min_samples:
        return Verdict(RecommendationKind.NEED_MORE_DATA, _more_units(evidence))

    better = _best_first(evidence, [one for one in evidence.primary if one.significant and one.improvement])
    worse = [one for one in evidence.primary if one.significant and not one.improvement]
    large = [one for one in better if abs(one.relative) >= spec.decision.mde]
    winner = next((one for one in large if _all_intact(evidence.guardrails_of(one.variant))), None)
    harm = [f"{_figure(one)} is worse than {spec.control.name}." for one in worse]
    if winner is not None:
        return Verdict(RecommendationKind.SHIP, _ship(evidence, winner), winner.variant, tuple(harm))

    broken = [guardrail for guardrail in evidence.guardrails if guardrail.broken]
    if broken or worse:
        return Verdict(RecommendationKind.REGRESSION, _stop(broken, better, worse))
    if all(math.isnan(comparison.p_adjusted) for comparison in evidence.primary):
        reasons = sorted({f"{comparison.variant}: {comparison.reason}" for comparison in evidence.primary})
        return Verdict(
            RecommendationKind.NEED_MORE_DATA,
            f"Need more data: {spec.primary.name} cannot be compared yet ({'; '.join(reasons)}).",
        )
    if large:
        return Verdict(RecommendationKind.NEED_MORE_DATA, _unknown_guardrails(evidence, large))
    if better:
        return Verdict(RecommendationKind.BELOW_MDE, _small(evidence, better[0]))
    return Verdict(RecommendationKind.NOT_SIGNIFICANT, _nothing(evidence))


def _best_first(evidence: Evidence, comparisons: list[Comparison]) -> list[Comparison]:
    return sorted(comparisons, key=lambda one: one.difference, reverse=evidence.spec.primary.goal is Goal.MAXIMIZE)


def _all_intact(guardrails: tuple[Guardrail, ...]) -> bool:
    return all(guardrail.intact for guardrail in guardrails)


def _figure(comparison: Comparison) -> str:
    """Such as "combined: total_time −57.8 % (p < 0.001)"; the p-value is the one that decides."""
    return (
        f"{comparison.variant}: {comparison.metric} {signed_percent(comparison.relative)} "
        f"({p_value(comparison.p_adjusted)})"
    )


def _more_units(evidence: Evidence) -> str:
    spec = evidence.spec
    missing = spec.decision.min_samples
    if evidence.units >= missing:
        # Only planned looks keep somebody waiting who has the minimum sample.
        missing = evidence.next_look
    text = f"Need more data: {evidence.units:,} of {count(missing, spec.unit)}."
    known = [one for one in evidence.primary if not math.isnan(one.p_adjusted)]
    return f"{text} So far, and not to be decided from, {'; '.join(map(_figure, known))}." if known else text


def _ship(evidence: Evidence, winner: Comparison) -> str:
    names = [guardrail.metric for guardrail in evidence.guardrails_of(winner.variant)]
    kept = f", guardrail{'s' if len(names) > 1 else ''} {listed(names)} intact" if names else ""
    return f"Ship {_figure(winner)}{kept}."


def _stop(broken: list[Guardrail], better: list[Comparison], worse: list[Comparison]) -> str:
    sentences = [f"Stop {_figure(one)} is a regression." for one in worse]
    for variant in dict.fromkeys(guardrail.variant for guardrail in broken):
        details = "; ".join(
            f"guardrail {guardrail.metric} {guardrail.detail}" for guardrail in broken if guardrail.variant == variant
        )
        gain = next((f"{_figure(one)}, but " for one in better if one.variant == variant), f"{variant}: ")
        sentences.append(f"Do not ship {gain}{details}.")
    return " ".join(sentences)


def _unknown_guardrails(evidence: Evidence, large: list[Comparison]) -> str:
    missing = [
        f"guardrail {guardrail.metric} {guardrail.detail}"
        for guardrail in evidence.guardrails_of(large[0].variant)
        if guardrail.unknown
    ]
    return f"Need more data: {_figure(large[0])}, but {'; '.join(missing)}."


def _small(evidence: Evidence, best: Comparison) -> str:
    if math.isnan(best.relative):
        text = f"is a real improvement of unknown size: {best.reason}"
    else:
        text = f"is a real improvement, but below the minimum effect of {percent(evidence.spec.decision.mde)}"
    return f"{_figure(best)} {text}; consider whether it is worth shipping."


def _nothing(evidence: Evidence) -> str:
    spec = evidence.spec
    seen = "; ".join(map(_figure, evidence.primary))
    # Whoever goes on after the last look tests once more than was planned for.
    advice = "Accept that there is none, or plan a larger experiment." if evidence.final else _CONTINUE
    return (
        f"No significant difference in {spec.primary.name} after {count(evidence.units, spec.unit)} ({seen}). {advice}"
    )
