"""Alerts as messages."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sortition.analyzer.alerts import Reading
from sortition.api.convert import timestamp
from sortition.errors import InvalidArgument, Violation
from sortition.model.alert import Rules, Severity
from sortition.rpc.v1 import admin_pb2
from sortition.store.alerts import AlertRecord
from sortition.store.records import ExperimentRecord

__all__ = ["alert_to_proto", "reading_to_proto", "severities_from_proto"]

_SEVERITY = {
    Severity.INFO: admin_pb2.ALERT_SEVERITY_INFO,
    Severity.WARNING: admin_pb2.ALERT_SEVERITY_WARNING,
    Severity.CRITICAL: admin_pb2.ALERT_SEVERITY_CRITICAL,
}
_WORD: dict[int, Severity] = {number: severity for severity, number in _SEVERITY.items()}


def severities_from_proto(numbers: Iterable[int]) -> tuple[Severity, ...]:
    """Returns the severities of a filter.

    Raises:
        InvalidArgument: One is none; lists every one.
    """
    wanted = list(numbers)
    wrong = [
        Violation(f"severities[{index}]", f"is {number}, which is no severity")
        for index, number in enumerate(wanted)
        if number not in _WORD
    ]
    if wrong:
        raise InvalidArgument.of(wrong)
    return tuple(_WORD[number] for number in wanted)


def alert_to_proto(alert: AlertRecord) -> admin_pb2.Alert:
    """Returns an alert as its message."""
    return admin_pb2.Alert(
        id=alert.id,
        organization=alert.organization,
        experiment=alert.experiment,
        rule=alert.rule,
        trigger=alert.trigger,
        severity=_SEVERITY[Severity(alert.severity)],
        metric=alert.metric,
        variant=alert.variant,
        value=alert.value,
        bound=alert.bound,
        limit=alert.threshold,
        reason=alert.reason,
        count=alert.count,
        since=timestamp(alert.since),
        opened_at=timestamp(alert.opened_at),
        last_seen_at=timestamp(alert.last_seen_at),
        resolved_at=timestamp(alert.resolved_at),
    )


def reading_to_proto(record: ExperimentRecord, reading: Reading, rules: Rules) -> admin_pb2.AlertReading:
    """Returns what a rule says about an experiment as its message."""
    rule = rules.named(reading.rule)
    return admin_pb2.AlertReading(
        organization=record.spec.organization,
        experiment=record.spec.key,
        rule=reading.rule,
        trigger=str(rule.trigger) if rule else "",
        severity=_SEVERITY[rule.severity] if rule else admin_pb2.ALERT_SEVERITY_UNSPECIFIED,
        metric=reading.metric,
        variant=reading.variant,
        firing=reading.firing,
        value=_known(reading.value),
        bound=_known(reading.bound),
        limit=_known(reading.limit),
        level=reading.level,
        reason=reading.reason,
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
