"""Everything that a report shows, of one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sortition.analyzer.distribution import distributions
from sortition.analyzer.plots import Distribution, PowerCurve
from sortition.analyzer.power_curve import power_curve
from sortition.analyzer.result import PowerResult, SeriesPoint
from sortition.analyzer.series import series
from sortition.lifecycle.report import Report, report

if TYPE_CHECKING:
    from datetime import datetime

    from sortition.analyzer.result import AnalysisResult
    from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["FullReport", "full_report"]


@dataclass(frozen=True)
class FullReport:
    """Everything that a report shows.

    Attributes:
        report: The experiment, its analysis, and where it stands.
        metric: The name of the metric that `series` is of: the primary one.
        series: That metric by day and accumulated.
        distributions: Of every metric that keeps its own.
        power: How many units it needs.
        curve: What more units would find.
    """

    report: Report
    metric: str
    series: tuple[SeriesPoint, ...]
    distributions: tuple[Distribution, ...]
    power: PowerResult
    curve: PowerCurve


def full_report(
    record: ExperimentRecord, data: ExperimentData, analysis: AnalysisResult, power: PowerResult, now: datetime
) -> FullReport:
    """Returns everything that a report shows.

    Args:
        record: The experiment.
        data: All its aggregates.
        analysis: Its analysis; of a completed one, the stored one, which may know less than `data`.
        power: How many units it needs.
        now: The time.
    """
    return FullReport(
        report=report(record, analysis, now),
        metric=record.spec.primary.name,
        series=tuple(series(record, data)),
        distributions=tuple(distributions(record, data)),
        power=power,
        curve=power_curve(record.spec, power, int(data.units.sum())),
    )
