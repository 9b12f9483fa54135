"""What is not up to chance: units, days, and data that went wrong beyond it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sortition.analyzer.alerts.look import Look
from sortition.analyzer.alerts.reading import Reading
from sortition.analyzer.quality import STEADY, quality_of
from sortition.analyzer.words import count
from sortition.model.alert import Rule

__all__ = ["data_quality", "duration", "max_samples"]

_DAY_S = 86_400
# A score that moves about the threshold is one alert, and not one each time it crosses.
_SCORE_ABOVE = 0.05


def max_samples(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads whether there are as many units as were planned at most."""
    planned, times = look.spec.decision.max_samples, rule.limit
    if planned is None or times is None:
        return
    limit = math.ceil(planned * times)
    reached = look.units >= limit
    yield Reading(
        rule.name, reached, not reached, value=look.units, bound=look.units, limit=limit,
        reason=f"has {count(look.units, look.spec.unit)} of {limit:,} at most",
    )  # fmt: skip


def duration(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads whether the experiment runs for longer than planned."""
    started, times = look.record.started_at, rule.limit
    if started is None or times is None:
        return
    # A clock that was set back makes no negative time.
    days = max(0.0, (look.now - started).total_seconds()) / _DAY_S
    limit = look.spec.decision.max_days * times
    yield Reading(
        rule.name, days >= limit, days < limit, value=days, bound=days, limit=limit,
        reason=f"runs for {days:.3g} days of {limit:g} at most",
    )  # fmt: skip


def data_quality(rule: Rule, look: Look) -> Iterator[Reading]:
    """Reads the score of the data, of which only what is beyond chance counts."""
    limit = rule.limit
    assert limit is not None
    ratio = look.sample_ratio
    shown = quality_of(look.record, look.data, ratio, STEADY)
    if math.isnan(shown.score):
        return
    seen = quality_of(look.record, look.data, ratio).score
    low = sorted((part for part in shown.parts if part.score < 1), key=lambda part: part.score)
    details = "; ".join(part.detail for part in low) or "nothing that chance does not explain"
    yield Reading(
        rule.name, shown.score < limit, shown.score >= min(1.0, limit + _SCORE_ABOVE), value=seen, bound=shown.score,
        limit=limit, reason=f"data quality is {_floor(shown.score)}: {details}",
    )  # fmt: skip


def _floor(score: float) -> str:
    """Writes a score; what is not quite 1 is not written as 1."""
    return f"{math.floor(score * 100 + 1e-9) / 100:.2f}"
