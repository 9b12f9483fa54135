"""What is asked about many experiments together, and the answer as messages."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Final

from sortition.analyzer.result import Interval
from sortition.errors import InvalidArgument
from sortition.lifecycle import EndingKind, Gain, GainKey, Summary
from sortition.lifecycle.summary import CONFIDENCE
from sortition.model import ExperimentStatus
from sortition.rpc.v1 import analysis_pb2

__all__ = ["moment_of", "summary_to_proto", "volume_of"]

_MAX_VOLUME: Final = 1e15


def moment_of(request: analysis_pb2.ListStatusRequest | analysis_pb2.SummarizeRequest, field: str) -> datetime | None:
    """Returns the time in a field; None where it is absent.

    Raises:
        InvalidArgument: It is outside the years 1 to 9999.
    """
    if not request.HasField("since"):
        return None
    try:
        return request.since.ToDatetime(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        raise InvalidArgument.of([(field, "is no time of the years 1 to 9999")]) from None


def volume_of(volume: float) -> float:
    """Checks a monthly volume; 0 stands for none.

    Raises:
        InvalidArgument: It is no number of outcomes.
    """
    if not 0 <= volume <= _MAX_VOLUME:
        text = f"is {volume:g}; it must be 0 to {_MAX_VOLUME:g} outcomes, 0 for none"
        raise InvalidArgument.of([("monthly_volume", text)])
    return volume


def summary_to_proto(summary: Summary, monthly_volume: float) -> analysis_pb2.Summary:
    """Returns what came of many experiments as its message.

    Args:
        summary: The summary.
        monthly_volume: Outcomes per month; gains are not turned into a month's when it is 0.
    """
    tally = summary.tally
    message = analysis_pb2.Summary(
        drafts=tally.statuses.get(ExperimentStatus.DRAFT, 0),
        running=tally.statuses.get(ExperimentStatus.RUNNING, 0),
        paused=tally.statuses.get(ExperimentStatus.PAUSED, 0),
        finished=summary.finished,
        won=tally.won,
        shipped=tally.endings.get(EndingKind.SHIPPED, 0),
        rolled_back=tally.endings.get(EndingKind.ROLLED_BACK, 0),
        expired=tally.endings.get(EndingKind.EXPIRED, 0),
        not_shipped=tally.endings.get(EndingKind.NOT_SHIPPED, 0),
        cancelled=tally.endings.get(EndingKind.CANCELLED, 0),
        archived=tally.archived,
        confidence=CONFIDENCE,
        gains=[_gain(key, gain, monthly_volume) for key, gain in summary.gains],
        remarks=summary.remarks,
    )
    if not math.isnan(summary.success_rate):
        message.success_rate = summary.success_rate
        message.success_interval.CopyFrom(_interval(summary.success_interval))
    return message


def _gain(key: GainKey, gain: Gain, volume: float) -> analysis_pb2.Gain:
    total = gain.total
    message = analysis_pb2.Gain(
        metric=key.metric,
        unit=key.unit,
        kind=f"METRIC_KIND_{key.kind.name}",
        goal=f"GOAL_{key.goal.name}",
        experiments=total.count,
        unknown=gain.unknown,
    )
    if total.count:
        message.total = total.value
        message.interval.CopyFrom(_interval(Interval(total.lower, total.upper)))
        if volume:
            message.monthly = total.value * volume
            message.monthly_interval.CopyFrom(_interval(Interval(total.lower * volume, total.upper * volume)))
    return message


def _interval(interval: Interval) -> analysis_pb2.Interval:
    return analysis_pb2.Interval(lower=interval.lower, upper=interval.upper)
