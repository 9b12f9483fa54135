"""What a policy decides from, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass

from sortition.analyzer.result import Comparison, DataQuality, Guardrail, RecommendationKind, SampleRatio
from sortition.model import ExperimentSpec

__all__ = ["Evidence", "Verdict"]


@dataclass(frozen=True)
class Evidence:
    """All that a decision may depend on.

    Attributes:
        spec: What was declared.
        primary: The comparisons of the primary metric's mean, one for each treatment.
        guardrails: The state of every guardrail of every treatment.
        sample_ratio: Whether units were split as declared.
        units: Distinct exposed units over all variants.
        provisional: Whether this look comes before one that may decide.
        final: Whether it is the last one that may.
        next_look: The units at which the next planned look is due; 0 without.
        quality: How far the data can be trusted; not judged when None.
    """

    spec: ExperimentSpec
    primary: tuple[Comparison, ...]
    guardrails: tuple[Guardrail, ...]
    sample_ratio: SampleRatio
    units: int
    provisional: bool = False
    final: bool = False
    next_look: int = 0
    quality: DataQuality | None = None

    def guardrails_of(self, variant: str) -> tuple[Guardrail, ...]:
        """Returns the guardrails of one treatment."""
        return tuple(guardrail for guardrail in self.guardrails if guardrail.variant == variant)


@dataclass(frozen=True)
class Verdict:
    """A decision.

    Attributes:
        kind: The kind of advice.
        text: The advice in plain words.
        winner: The variant to ship; empty when there is none.
        warnings: What else the reader should know.
    """

    kind: RecommendationKind
    text: str
    winner: str = ""
    warnings: tuple[str, ...] = ()
