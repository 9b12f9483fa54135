"""What an alert can be about: the triggers, what their thresholds mean, and which metrics they look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from sortition.model.metric import Metric, MetricKind, MetricRole

__all__ = ["About", "Trigger", "about"]


class Trigger(str, Enum):
    """What an alert is about."""

    EARLY_SIGNIFICANCE = "early_significance"
    DATA_QUALITY = "data_quality"
    MAX_SAMPLES = "max_samples"
    SYSTEM = "system"
    ERROR_RATE = "error_rate"
    SATISFACTION = "satisfaction"
    REGRESSION = "regression"
    ANOMALOUS_SPLIT = "anomalous_split"
    ANOMALOUS_DAY = "anomalous_day"
    DURATION = "duration"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class About:
    """What a trigger looks at.

    Attributes:
        threshold: What its threshold is, in plain words; empty where it has none.
        usual: The threshold of a rule that names none; None where the experiment's own limit is taken.
        lowest: The threshold is above it.
        highest: The threshold is at most this.
        chance: Whether it could be raised by chance, and so has to be shown at its share of the level.
        by_metric: Whether it looks at metrics, and so can be told which.
        kinds: The metrics it can look at, by kind.
        roles: The metrics it looks at where a rule names none, by role.
        named: The same, by a part of the name.
        of_control: Whether the control is looked at too, and not only treatments.
    """

    threshold: str = ""
    usual: float | None = None
    lowest: float = 0.0
    highest: float = 1.0
    chance: bool = False
    by_metric: bool = False
    kinds: frozenset[MetricKind] = frozenset(MetricKind)
    roles: frozenset[MetricRole] = frozenset(MetricRole)
    named: str = ""
    of_control: bool = False

    def looks_at(self, metric: Metric) -> bool:
        """Returns whether a rule that names no metrics looks at this one."""
        return metric.kind in self.kinds and metric.role in self.roles and self.named in metric.name


_GUARDED: Final = frozenset({MetricRole.PRIMARY, MetricRole.GUARDRAIL})

_ABOUT: Final[Mapping[Trigger, About]] = MappingProxyType(
    {
        Trigger.EARLY_SIGNIFICANCE: About(chance=True, by_metric=True, roles=frozenset({MetricRole.PRIMARY})),
        Trigger.DATA_QUALITY: About("the score below which somebody should look", usual=0.7, chance=False),
        Trigger.MAX_SAMPLES: About("times the experiment's max_samples", usual=1.0, highest=10.0),
        Trigger.SYSTEM: About(),
        Trigger.ERROR_RATE: About(
            "times the control's rate", usual=2.0, lowest=1.0, highest=100.0, chance=True, by_metric=True,
            kinds=frozenset({MetricKind.BINARY}),
        ),
        Trigger.SATISFACTION: About(
            "the share of the metric's range", usual=0.5, chance=True, by_metric=True,
            kinds=frozenset({MetricKind.BINARY, MetricKind.CONTINUOUS}), named="satisfaction", of_control=True,
        ),
        Trigger.REGRESSION: About(
            "the relative worsening that is tolerated", highest=10.0, chance=True, by_metric=True, roles=_GUARDED
        ),
        Trigger.ANOMALOUS_SPLIT: About(chance=True),
        Trigger.ANOMALOUS_DAY: About(chance=True, by_metric=True, roles=_GUARDED),
        Trigger.DURATION: About("times the experiment's max_days", usual=1.0, highest=10.0),
    }
)  # fmt: skip


def about(trigger: Trigger) -> About:
    """Returns what a trigger looks at."""
    return _ABOUT[trigger]
