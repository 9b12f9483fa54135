"""Whether units were split as declared."""

from __future__ import annotations

import math

from sortition.analyzer.quality.scores import AS_SEEN, Weighing, unjudged
from sortition.analyzer.result import QualityPart, SampleRatio
from sortition.analyzer.words import noun, p_value
from sortition.store.records import ExperimentRecord

__all__ = ["is_split_here", "split", "why_not_judged"]

_NAME = "split"


def is_split_here(record: ExperimentRecord) -> bool:
    """Returns whether all units were split by one set of weights, here."""
    return not record.spec.external_assignment and len(record.allocations) <= 1


def why_not_judged(record: ExperimentRecord) -> str:
    """Returns why the split of such an experiment is not judged, where `is_split_here` is false."""
    if record.spec.external_assignment:
        return "variants are chosen elsewhere"
    return "the weights were changed on the way"


def split(record: ExperimentRecord, sample_ratio: SampleRatio, weighing: Weighing = AS_SEEN) -> QualityPart:
    """Judges the split by its chi-square test, and by the test that stays valid while somebody watches."""
    if not is_split_here(record):
        return unjudged(_NAME, why_not_judged(record))
    if sample_ratio.verdict == "unknown":
        return unjudged(_NAME, f"too few {noun(2, record.spec.unit)} to tell")
    watched = sample_ratio.sequential_p_value
    found = f"{p_value(sample_ratio.p_value)} at this look"
    if math.isnan(watched):
        return QualityPart(_NAME, weighing.by_p_value(sample_ratio.p_value), found)
    score = weighing.by_p_value(min(sample_ratio.p_value, watched))
    return QualityPart(_NAME, score, f"{found}, {p_value(watched)} however often one looks")
