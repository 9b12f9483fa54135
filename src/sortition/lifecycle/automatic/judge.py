"""What an experiment's data ask for: promote, roll back, expire, take the next step, or go on; and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sortition.analyzer.harm import Harm
from sortition.analyzer.result import AnalysisResult, Comparison
from sortition.analyzer.words import noun, percent, signed_percent
from sortition.lifecycle.ramp import ramp_line, standing
from sortition.lifecycle.report import report
from sortition.model import Decision, ExperimentStatus
from sortition.store.records import ExperimentRecord

__all__ = ["Act", "Judgement", "judge"]

_DAY_S = 86_400


class Act(str, Enum):
    """What can be done about an experiment."""

    CONTINUE = "continue"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    EXPIRE = "expire"
    ADVANCE = "advance"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Judgement:
    """What is to be done, and why.

    Attributes:
        act: What is to be done.
        variant: The variant that is for everybody then; empty while the experiment goes on.
        reasons: Why, one line each.
        missing: What is missing for anything else, one line each.
    """

    act: Act
    variant: str = ""
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def allowed_by(self, policy: Decision) -> bool:
        """Returns whether a policy lets automatic mode do it by itself."""
        return {
            Act.PROMOTE: policy.auto_promote,
            Act.ROLLBACK: policy.auto_rollback,
            Act.EXPIRE: policy.expire,
            # Who declares a ramp asks for it.
            Act.ADVANCE: True,
        }.get(self.act, False)


def judge(record: ExperimentRecord, result: AnalysisResult, harm: tuple[Harm, ...], now: datetime) -> Judgement:
    """Judges a running or paused experiment.

    A winner comes first: it ends the harm of the others too, and is for everybody then. What somebody has paused is
    neither promoted nor left to expire: it answers with the control already.

    Args:
        record: The experiment.
        result: Its analysis.
        harm: What is shown of its treatments.
        now: The time.
    """
    spec = record.spec
    running = record.status is ExperimentStatus.RUNNING
    best = next((one for one in _primary(result) if one.variant == result.winner), None)
    short = _short(spec.decision, best)
    ready = running and result.should_ship and best is not None and not short
    ramp = standing(record, result, now)
    # Who promotes by hand takes their time, and the ramp goes on meanwhile.
    waits = ramp is not None and ramp.due and not spec.decision.auto_promote and not harm
    if ready and not waits and not any(one.variant == result.winner for one in harm):
        return Judgement(Act.PROMOTE, result.winner, (result.recommendation,))
    if harm:
        return Judgement(Act.ROLLBACK, spec.control.name, tuple(str(one) for one in harm))
    if running and (over := _over(record, result, now)):
        return Judgement(Act.EXPIRE, spec.control.name, over, _missing(record, result, short, now))
    missing = _missing(record, result, short, now)
    if ramp is None:
        return Judgement(Act.CONTINUE, missing=missing)
    line = ramp_line(record, ramp)
    return Judgement(Act.ADVANCE, "", (line,)) if ramp.due else Judgement(Act.CONTINUE, missing=(line, *missing))


def _primary(result: AnalysisResult) -> list[Comparison]:
    return [one for one in result.comparisons if one.metric == result.primary_metric and one.quantile is None]


def _short(policy: Decision, best: Comparison | None) -> tuple[str, ...]:
    """Returns what a winner lacks of what the policy promotes."""
    if best is None:
        return ()
    lines = []
    if math.isnan(best.relative) or abs(best.relative) < policy.improvement_threshold:
        lines.append(
            f"{best.variant}: an improvement of {percent(policy.improvement_threshold)} is promoted, it has"
            f" {signed_percent(best.relative)}"
        )
    if policy.min_effect_size and not abs(best.effect_size) >= policy.min_effect_size:
        has = "none that is known" if math.isnan(best.effect_size) else f"{abs(best.effect_size):.3g}"
        lines.append(f"{best.variant}: an effect size of {policy.min_effect_size:g} is promoted, it has {has}")
    return tuple(lines)


def _over(record: ExperimentRecord, result: AnalysisResult, now: datetime) -> tuple[str, ...]:
    """Returns which ends an experiment has reached without a winner to promote."""
    policy, unit = record.spec.decision, record.spec.unit
    seconds = report(record, result, now).running_seconds
    lines = []
    if seconds >= policy.max_days * _DAY_S:
        lines.append(f"ran for {seconds / _DAY_S:.3g} days; max_days is {policy.max_days:g}")
    if policy.max_samples is not None and result.units >= policy.max_samples:
        lines.append(f"has {result.units:,} {noun(result.units, unit)}; max_samples is {policy.max_samples:,}")
    return tuple(lines)


def _missing(
    record: ExperimentRecord, result: AnalysisResult, short: tuple[str, ...], now: datetime
) -> tuple[str, ...]:
    if record.status is ExperimentStatus.PAUSED:
        return ("is paused: resume or complete it",)
    missing = record.spec.decision.min_samples - result.units
    units = (f"{missing:,} more {noun(missing, record.spec.unit)}",) if missing > 0 else ()
    days = record.spec.decision.max_days - report(record, result, now).running_seconds / _DAY_S
    left = (f"{max(days, 0):.3g} days are left",)
    return (*units, *short, *((result.recommendation,) if not result.should_ship else ()), *left)
