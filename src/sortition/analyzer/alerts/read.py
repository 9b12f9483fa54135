"""Reads all rules about one experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

from sortition.analyzer.alerts.anomalies import anomalous_day, anomalous_split
from sortition.analyzer.alerts.differences import early_significance, error_rate, regression, satisfaction
from sortition.analyzer.alerts.facts import data_quality, duration, max_samples
from sortition.analyzer.alerts.look import Look
from sortition.analyzer.alerts.reading import Reading
from sortition.model.alert import Rule, Rules, Trigger
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["READERS", "read_rules"]

Reader: TypeAlias = Callable[[Rule, Look], Iterator[Reading]]

READERS: Final[Mapping[Trigger, Reader]] = MappingProxyType(
    {
        Trigger.EARLY_SIGNIFICANCE: early_significance,
        Trigger.DATA_QUALITY: data_quality,
        Trigger.MAX_SAMPLES: max_samples,
        Trigger.ERROR_RATE: error_rate,
        Trigger.SATISFACTION: satisfaction,
        Trigger.REGRESSION: regression,
        Trigger.ANOMALOUS_SPLIT: anomalous_split,
        Trigger.ANOMALOUS_DAY: anomalous_day,
        Trigger.DURATION: duration,
    }
)
"""Who reads a trigger; whether a sidecar is well is read by itself, and by nobody else."""


def read_rules(
    rules: Rules,
    record: ExperimentRecord,
    data: ExperimentData,
    now: datetime,
    readers: Mapping[Trigger, Reader] = READERS,
) -> tuple[Reading, ...]:
    """Returns what every rule says about an experiment, where it can say anything.

    Args:
        rules: The rules in force.
        record: The experiment.
        data: Its aggregates; units that are not known are 0.
        now: The time of the look.
        readers: Who reads each trigger.
    """
    look = Look(record, data, now, rules.level(record.spec))
    return tuple(
        reading for rule in rules.enabled if rule.is_about(record.spec) for reading in readers[rule.trigger](rule, look)
    )
