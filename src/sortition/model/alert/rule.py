"""A rule: what somebody is told of, how loudly, beyond which threshold, after how long."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field, model_validator

from sortition.model.alert.trigger import Trigger, about
from sortition.model.base import Part, Refused, refuse
from sortition.model.experiment import ExperimentSpec
from sortition.model.metric import Number, word
from sortition.model.names import Key, Text

__all__ = ["FALSE_ALERTS", "MAX_RULES", "Rule", "Rules", "Severity"]

FALSE_ALERTS = 0.01
"""The chance that anything is ever alerted about one experiment without a reason, over all rules together."""
MAX_RULES = 100
_MAX_PATTERNS = 64
_DAY_S = 86_400.0

Seconds = Annotated[float, Field(ge=0, le=7 * _DAY_S)]
Pattern = Annotated[str, Field(min_length=1, max_length=128)]
Patterns = Annotated[tuple[Pattern, ...], Field(strict=False, max_length=_MAX_PATTERNS)]


class Severity(str, Enum):
    """How soon somebody should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    def __str__(self) -> str:
        return self.value


class Rule(Part):
    """What somebody is told of.

    Attributes:
        name: Unique among the rules.
        trigger: What it is about.
        severity: How soon somebody should look.
        threshold: Beyond which value, in the trigger's own measure; the trigger's usual one when absent.
        metrics: The metrics it looks at, by name, with the wildcards of file names; the trigger's usual ones when
            empty.
        experiments: The experiments it looks at, by key, with wildcards.
        hold_s: Seconds that it has to be so before somebody is told.
        resolve_s: Seconds that it has to be over before somebody is told of that.
        enabled: Whether it is in force; false takes a usual rule away.
        description: For people.
    """

    name: Key
    trigger: Annotated[Trigger, word(Trigger)]
    severity: Annotated[Severity, word(Severity)] = Severity.WARNING
    threshold: Number | None = None
    metrics: Patterns = ()
    experiments: Patterns = ("*",)
    hold_s: Seconds = 0.0
    resolve_s: Seconds = 600.0
    enabled: bool = True
    description: Text = ""

    @property
    def limit(self) -> float | None:
        """The threshold in force; None where the experiment's own limit is."""
        return about(self.trigger).usual if self.threshold is None else self.threshold

    def metrics_of(self, spec: ExperimentSpec) -> tuple[int, ...]:
        """Returns which of an experiment's metrics it looks at, by index."""
        known = about(self.trigger)
        if not known.by_metric:
            return ()
        return tuple(
            index
            for index, metric in enumerate(spec.metrics)
            if (
                metric.kind in known.kinds and any(fnmatchcase(metric.name, one) for one in self.metrics)
                if self.metrics
                else known.looks_at(metric)
            )
        )

    def is_about(self, spec: ExperimentSpec) -> bool:
        """Returns whether it looks at an experiment."""
        return self.trigger is not Trigger.SYSTEM and any(fnmatchcase(spec.key, one) for one in self.experiments)

    def questions(self, spec: ExperimentSpec) -> int:
        """Returns how many questions it asks about an experiment whose answers could be chance."""
        known = about(self.trigger)
        if not known.chance or not self.is_about(spec):
            return 0
        variants = len(spec.variants) - (0 if known.of_control else 1)
        return len(self.metrics_of(spec)) * variants if known.by_metric else 1

    @model_validator(mode="after")
    def _consistent(self) -> Rule:
        known, found = about(self.trigger), list[Refused]()
        if self.threshold is not None:
            if not known.threshold:
                found.append((("threshold",), f"has no meaning for {self.trigger}; remove it", None))
            elif not known.lowest < self.threshold <= known.highest:
                text = (
                    f"is {known.threshold}: above {known.lowest:g} and at most {known.highest:g},"
                    f" but is {self.threshold:g}"
                )
                found.append((("threshold",), text, self.threshold))
        if self.metrics and not known.by_metric:
            found.append((("metrics",), f"have no meaning for {self.trigger}; remove them", None))
        if not self.experiments:
            found.append((("experiments",), "is empty; write ['*'] for all, or enabled = false", None))
        refuse(found)
        return self


class Rules(Part):
    """The rules in force.

    Attributes:
        false_alerts: The chance that anything is ever alerted about one experiment without a reason, over all rules,
            metrics, variants and looks together, in (0, 0.1].
        rules: The rules; those that are not enabled among them.
    """

    false_alerts: Annotated[Number, Field(gt=0, le=0.1)] = FALSE_ALERTS
    rules: Annotated[tuple[Rule, ...], Field(strict=False, max_length=MAX_RULES)] = ()

    @property
    def enabled(self) -> tuple[Rule, ...]:
        """The rules that are in force."""
        return tuple(rule for rule in self.rules if rule.enabled)

    def level(self, spec: ExperimentSpec) -> float:
        """Returns the level of every question about an experiment: all share the chance of false alerts alike."""
        return self.false_alerts / max(1, sum(rule.questions(spec) for rule in self.enabled))

    def named(self, name: str) -> Rule | None:
        """Returns the rule of that name; None where there is none."""
        return next((rule for rule in self.rules if rule.name == name), None)

    @model_validator(mode="after")
    def _unique(self) -> Rules:
        counted = Counter(rule.name for rule in self.rules)
        refuse(
            (("rules",), f"has {count} rules named {name!r}; names must be unique", None)
            for name, count in counted.items()
            if count > 1
        )
        return self
