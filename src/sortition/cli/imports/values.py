"""Which values a metric takes: what the sidecar would refuse is found before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from sortition.cli.imports.rows import Check
from sortition.rpc.v1.experiment_pb2 import Metric
from sortition.rpc.v1.snapshot_pb2 import MetricKind

__all__ = ["accept_all", "check_against"]

_NOT_NEGATIVE = {MetricKind.METRIC_KIND_DURATION: "duration", MetricKind.METRIC_KIND_COUNT: "count"}


def accept_all(_index: int, _value: float) -> str | None:
    """Takes every number, for metrics that are yet to be declared."""
    return None


def check_against(metrics: Sequence[Metric]) -> Check:
    """Returns a check of values against `metrics`, in the order of the columns."""

    def check(index: int, value: float) -> str | None:
        metric = metrics[index]
        if metric.kind == MetricKind.METRIC_KIND_BINARY and value not in (0, 1):
            return f"must be 0 or 1, but is {value:g}"
        if metric.kind in _NOT_NEGATIVE and value < 0:
            return f"is a {_NOT_NEGATIVE[metric.kind]} and must not be negative, but is {value:g}"
        if metric.kind == MetricKind.METRIC_KIND_COUNT and not value.is_integer():
            return f"is a count and must be a whole number, but is {value:g}"
        if metric.HasField("min") and value < metric.min:
            return f"is {value:g}, below the metric's min {metric.min:g}"
        if metric.HasField("max") and value > metric.max:
            return f"is {value:g}, above the metric's max {metric.max:g}"
        return None

    return check
