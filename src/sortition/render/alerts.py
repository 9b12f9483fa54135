"""Alerts, and what the rules say."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from sortition.render.tables import quiet_table
from sortition.render.words import clean, moment
from sortition.rpc.v1.admin_pb2 import Alert, AlertReading, AlertSeverity

__all__ = ["alert_table", "reading_table"]

_STYLE = {"critical": "bold red", "warning": "yellow", "info": ""}


def alert_table(alerts: Iterable[Alert]) -> Table:
    """Returns one line for each alert."""
    table = quiet_table("opened", "severity", "what about", "rule", "variant", "metric", "resolved", "why")
    for alert in alerts:
        table.add_row(
            moment(alert.opened_at),
            _severity(alert.severity),
            Text(clean(alert.experiment or "sidecar")),
            Text(clean(alert.rule)),
            Text(clean(alert.variant)),
            Text(clean(alert.metric)),
            moment(alert.resolved_at) if alert.HasField("resolved_at") else Text("active"),
            Text(clean(alert.reason)),
        )
    return table


def reading_table(readings: Iterable[AlertReading]) -> Table:
    """Returns one line for each thing that a rule says, those that fire marked by a word."""
    table = quiet_table("experiment", "rule", "severity", "variant", "metric", "now", "why")
    for reading in readings:
        table.add_row(
            Text(clean(reading.experiment)),
            Text(clean(reading.rule)),
            _severity(reading.severity) if reading.firing else Text(_word(reading.severity)),
            Text(clean(reading.variant)),
            Text(clean(reading.metric)),
            Text("FIRING", style="bold") if reading.firing else Text("quiet"),
            Text(clean(reading.reason)),
        )
    return table


def _severity(number: AlertSeverity) -> Text:
    word = _word(number)
    return Text(word, style=_STYLE.get(word, ""))


def _word(number: AlertSeverity) -> str:
    return AlertSeverity.Name(number).removeprefix("ALERT_SEVERITY_").lower()
