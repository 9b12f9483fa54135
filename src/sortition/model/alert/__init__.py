"""What somebody is told of without asking: rules, the usual ones and a file's."""

from __future__ import annotations

from sortition.model.alert.file import load_rules
from sortition.model.alert.rule import FALSE_ALERTS, Rule, Rules, Severity
from sortition.model.alert.trigger import Trigger, about
from sortition.model.alert.usual import USUAL, usual_rules

__all__ = [
    "FALSE_ALERTS",
    "USUAL",
    "Rule",
    "Rules",
    "Severity",
    "Trigger",
    "about",
    "load_rules",
    "usual_rules",
]
