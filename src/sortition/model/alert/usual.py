"""The rules that are there without a file."""

from __future__ import annotations

from typing import Final

from sortition.model.alert.rule import Rule, Rules, Severity
from sortition.model.alert.trigger import Trigger

__all__ = ["USUAL", "usual_rules"]

_QUARTER_S: Final = 900.0

USUAL: Final[tuple[Rule, ...]] = (
    Rule(
        name="early-significance", trigger=Trigger.EARLY_SIGNIFICANCE, severity=Severity.INFO,
        description="The primary metric differs before the minimum sample is there.",
    ),
    Rule(
        name="data-quality", trigger=Trigger.DATA_QUALITY, severity=Severity.WARNING, hold_s=_QUARTER_S,
        description="The data cannot be trusted far.",
    ),
    Rule(
        name="max-samples", trigger=Trigger.MAX_SAMPLES, severity=Severity.INFO,
        description="There are as many units as were planned at most.",
    ),
    Rule(
        name="system-unhealthy", trigger=Trigger.SYSTEM, severity=Severity.CRITICAL, hold_s=30.0, resolve_s=30.0,
        description="A sidecar cannot store what it records.",
    ),
    Rule(
        name="error-rate", trigger=Trigger.ERROR_RATE, severity=Severity.CRITICAL,
        description="A treatment fails more than twice as often as the control.",
    ),
    Rule(
        name="low-satisfaction", trigger=Trigger.SATISFACTION, severity=Severity.WARNING,
        description="Satisfaction is below half of its range.",
    ),
    Rule(
        name="regression", trigger=Trigger.REGRESSION, severity=Severity.CRITICAL,
        description="A treatment is worse than the control by more than is tolerated.",
    ),
    Rule(
        name="anomalous-split", trigger=Trigger.ANOMALOUS_SPLIT, severity=Severity.CRITICAL,
        description="Units are not split as declared.",
    ),
    Rule(
        name="anomalous-day", trigger=Trigger.ANOMALOUS_DAY, severity=Severity.INFO,
        description="The last whole day's difference is not that of the days before.",
    ),
    Rule(
        name="duration", trigger=Trigger.DURATION, severity=Severity.WARNING,
        description="The experiment runs for longer than planned.",
    ),
)  # fmt: skip
"""What is told where nobody says otherwise; every trigger has one."""


def usual_rules() -> Rules:
    """Returns the rules that are in force without a file."""
    return Rules(rules=USUAL)
