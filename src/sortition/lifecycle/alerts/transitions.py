"""What becomes of alerts by what the rules say now. Pure: no clock, no database."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sortition.analyzer.alerts import Reading
from sortition.model.alert import Rule
from sortition.store.alerts import ACTIVE, PENDING, RESOLVED, AlertRecord

__all__ = ["OPENED", "REFRESH", "About", "Transition", "advance", "ended"]

REFRESH = timedelta(seconds=60)
"""What is only seen again is written down so often, and not at every look."""

OPENED: Final = "opened"


@dataclass(frozen=True)
class About:
    """Whom alerts are about: an experiment, or a sidecar, which has no id."""

    experiment_id: str = ""
    organization: str = ""
    experiment: str = ""


@dataclass(frozen=True)
class Transition:
    """What becomes of one alert.

    Attributes:
        alert: The alert as it is now.
        told: "opened" or "resolved" where somebody has to hear of it; empty otherwise.
        forgotten: Whether it was over before anybody was told.
    """

    alert: AlertRecord
    told: str = ""
    forgotten: bool = False


def advance(
    kept: Iterable[AlertRecord],
    readings: Iterable[Reading],
    rules: Iterable[Rule],
    about: About,
    now: datetime,
    new_id: Callable[[], str],
) -> list[Transition]:
    """Returns what changes; the same readings at the same time once more change nothing more.

    Args:
        kept: The alerts about it that are not resolved.
        readings: What the rules say, each question once, in any order.
        rules: The rules in force; an alert of any other is over.
        about: Whom they are about.
        now: The time of the look.
        new_id: Makes ids.
    """
    by_name = {rule.name: rule for rule in rules}
    held = {alert.question: alert for alert in kept}
    said = {reading.question: reading for reading in readings if reading.rule in by_name}
    found: list[Transition | None] = [
        _gone(alert, f"the rule {alert.rule} is not in force any more", now)
        for alert in held.values()
        if alert.rule not in by_name
    ]
    # In an order that does not depend on who read what first.
    for question in sorted(said):
        rule, before = by_name[question[0]], held.get(question)
        found.append(_asked(before, said[question], rule, about, now, new_id))
    return [one for one in found if one is not None]


def ended(kept: Iterable[AlertRecord], why: str, now: datetime) -> list[Transition]:
    """Returns the ends of alerts about what there is no more."""
    return [_gone(alert, why, now) for alert in kept]


def _asked(
    before: AlertRecord | None,
    reading: Reading,
    rule: Rule,
    about: About,
    now: datetime,
    new_id: Callable[[], str],
) -> Transition | None:
    if before is None:
        return _begun(reading, rule, about, now, new_id()) if reading.firing else None
    if reading.firing:
        return _seen(before, reading, rule, now)
    if before.state == PENDING:
        return Transition(before, forgotten=True)
    return _past(before, rule, reading, now)


def _begun(reading: Reading, rule: Rule, about: About, now: datetime, id: str) -> Transition:
    alert = AlertRecord(
        id=id,
        experiment_id=about.experiment_id,
        rule=rule.name,
        metric=reading.metric,
        variant=reading.variant,
        organization=about.organization,
        experiment=about.experiment,
        trigger=str(rule.trigger),
        severity=str(rule.severity),
        state=PENDING,
        value=_known(reading.value),
        bound=_known(reading.bound),
        threshold=_known(reading.limit),
        reason=reading.reason,
        count=1,
        since=now,
        last_seen_at=now,
    )
    return _opened(alert, now) if rule.hold_s == 0 else Transition(alert)


def _seen(before: AlertRecord, reading: Reading, rule: Rule, now: datetime) -> Transition | None:
    if now <= before.last_seen_at and before.over_since is None:
        return None
    after = replace(
        before,
        severity=str(rule.severity),
        value=_known(reading.value),
        bound=_known(reading.bound),
        threshold=_known(reading.limit),
        reason=reading.reason,
        count=before.count + 1,
        last_seen_at=now,
        over_since=None,
    )
    if before.state == PENDING:
        return _opened(after, now) if now >= before.since + timedelta(seconds=rule.hold_s) else None
    fresh = now >= before.last_seen_at + REFRESH or before.over_since is not None
    return Transition(after) if fresh or before.severity != after.severity else None


def _past(before: AlertRecord, rule: Rule, reading: Reading, now: datetime) -> Transition | None:
    if not reading.over:
        # Not shown any more, and not over either: it begins anew to be over.
        return None if before.over_since is None else Transition(replace(before, over_since=None))
    since = before.over_since or now
    if now >= since + timedelta(seconds=rule.resolve_s):
        alert = replace(before, value=_known(reading.value), bound=_known(reading.bound), over_since=since)
        return _gone(alert, reading.reason, now)
    return None if before.over_since is not None else Transition(replace(before, over_since=now))


def _opened(alert: AlertRecord, now: datetime) -> Transition:
    return Transition(replace(alert, state=ACTIVE, opened_at=now), OPENED)


def _gone(alert: AlertRecord, why: str, now: datetime) -> Transition:
    if alert.state == PENDING:
        return Transition(alert, forgotten=True)
    return Transition(replace(alert, state=RESOLVED, resolved_at=now, reason=why), RESOLVED)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
