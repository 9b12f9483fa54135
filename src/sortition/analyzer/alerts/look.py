"""One look at an experiment: everything that rules read, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sortition.analyzer.analyze import samples_of
from sortition.analyzer.compare import MetricComparison, compare_metric
from sortition.analyzer.history import History
from sortition.analyzer.policies import policy_for
from sortition.analyzer.result import SampleRatio
from sortition.analyzer.sample_ratio import judge_split
from sortition.model import ExperimentSpec
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["Look"]


@dataclass(frozen=True)
class Look:
    """An experiment's data at one time.

    Attributes:
        record: The experiment.
        data: Its aggregates.
        now: The time of the look.
        level: The level of every question.
    """

    record: ExperimentRecord
    data: ExperimentData
    now: datetime
    level: float
    _compared: dict[int, MetricComparison | None] = field(default_factory=dict)

    @property
    def spec(self) -> ExperimentSpec:
        """What was declared."""
        return self.record.spec

    @property
    def units(self) -> int:
        """Distinct exposed units over all variants."""
        return int(self.data.units.sum())

    @property
    def sample_ratio(self) -> SampleRatio:
        """Whether units are split as declared."""
        return judge_split(self.record, [int(held) for held in self.data.units], self.data.units_by_period)

    def compared(self, metric: int) -> MetricComparison | None:
        """Returns a metric, by its index, with every treatment beside the control; None while there is nothing yet."""
        if metric not in self._compared:
            control, treatments = samples_of(self.record, self.data, metric)
            there = control.n > 0 and any(one.n for one in treatments)
            policy = policy_for(self.spec, self.units, History(), self.now)
            self._compared[metric] = (
                compare_metric(self.spec.metrics[metric], control, treatments, policy) if there else None
            )
        return self._compared[metric]
