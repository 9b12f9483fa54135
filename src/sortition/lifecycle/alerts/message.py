"""What is told of an alert: one message, the same for every channel and every attempt."""

from __future__ import annotations

from datetime import datetime

from sortition.lifecycle.alerts.transitions import Transition
from sortition.model import JsonObject
from sortition.store.alerts import DeliveryRecord

__all__ = ["LOG", "WEBHOOK", "deliveries", "message", "message_id"]

LOG = "log"
WEBHOOK = "webhook"


def message_id(told: Transition) -> str:
    """Returns the id of what is told: whoever gets it twice can tell by it."""
    return f"alert_{told.alert.id}_{told.told}"


def message(told: Transition, now: datetime) -> JsonObject:
    """Returns what is told, as plain JSON: a type, a time, and the alert."""
    alert = told.alert
    return {
        "type": f"alert.{told.told}",
        "timestamp": now.isoformat(),
        "data": {
            "id": alert.id,
            "organization": alert.organization,
            "experiment": alert.experiment,
            "rule": alert.rule,
            "trigger": alert.trigger,
            "severity": alert.severity,
            "metric": alert.metric,
            "variant": alert.variant,
            "value": alert.value,
            "bound": alert.bound,
            "limit": alert.threshold,
            "reason": alert.reason,
            "count": alert.count,
            "opened_at": _moment(alert.opened_at),
            "resolved_at": _moment(alert.resolved_at),
        },
    }


def deliveries(told: Transition, channels: tuple[str, ...], now: datetime) -> list[DeliveryRecord]:
    """Returns what has to be sent of a transition, by each channel."""
    if not told.told:
        return []
    payload = message(told, now)
    return [DeliveryRecord(message_id(told), channel, told.alert.id, payload, now, now) for channel in channels]


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
