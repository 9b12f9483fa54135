"""Alerts: what the rules say is written down, told by every channel once it changes, and resolved when it is over."""

from __future__ import annotations

from sortition.lifecycle.alerts.book import AlertBook
from sortition.lifecycle.alerts.courier import Courier, LogLines
from sortition.lifecycle.alerts.message import LOG, WEBHOOK
from sortition.lifecycle.alerts.secret import read_secret
from sortition.lifecycle.alerts.sidecar import Problem, SidecarAlerts
from sortition.lifecycle.alerts.watch import Watch
from sortition.lifecycle.alerts.webhook import Sender, Webhook

__all__ = [
    "LOG",
    "WEBHOOK",
    "AlertBook",
    "Courier",
    "LogLines",
    "Problem",
    "Sender",
    "SidecarAlerts",
    "Watch",
    "Webhook",
    "read_secret",
]
