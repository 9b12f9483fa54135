"""A metric over time: one line for each variant and day, and a plot of how the difference settles."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.known import known
from sortition.render.numbers import Scale, count
from sortition.render.plots import interval_plot
from sortition.render.tables import Fitting, quiet_table
from sortition.render.words import clean, goal_arrow, plural
from sortition.rpc.v1.analysis_pb2 import Interval, Series, SeriesPoint
from sortition.rpc.v1.experiment_pb2 import Experiment, Metric
from sortition.rpc.v1.snapshot_pb2 import MetricKind

__all__ = ["series_view"]


def series_view(series: Series, experiment: Experiment) -> RenderableType:
    """Returns a metric by UTC day and accumulated.

    Args:
        series: The metric over time.
        experiment: The experiment it belongs to; gives the unit of measurement and the goal.
    """
    name = clean(series.metric)
    metric = next((each for each in experiment.spec.metrics if each.name == series.metric), Metric(name=series.metric))
    title = Text(clean(experiment.spec.key), style="bold").append(f"   {name} {goal_arrow(metric.goal)}", style="")
    if not series.points:
        return Group(title, Text("no outcomes yet"))
    units = plural(clean(experiment.spec.unit or "session"))
    wide = quiet_table(
        "day (UTC)", "variant", f"new {units}", "that day", f"{units} so far", "so far", "difference", "interval", "",
        right=(f"new {units}", f"{units} so far"),
    )  # fmt: skip
    narrow = quiet_table("day (UTC)\nvariant", f"new {units}\nso far", "that day\nso far", "difference\ninterval", "")
    scale, reach, day = _scale(series, metric), _reach(series), ""
    for point in series.points:
        date = clean(point.day) if point.day != day else ""
        day = point.day
        variant, new, so_far = clean(point.variant), count(point.new_units), count(point.cumulative_units)
        value, whole = scale.value(known(point, "mean")), scale.value(known(point, "cumulative_mean"))
        difference, interval, plot = _difference(point, scale, reach)
        wide.add_row(*map(Text, (date, variant, new, value, so_far, whole, difference, interval, plot)))
        stacks = (f"{date}\n{variant}", f"{new}\n{so_far}", f"{value}\n{whole}", f"{difference}\n{interval}", plot)
        narrow.add_row(*map(Text, stacks))
    return Group(title, Fitting(wide, narrow))


def _scale(series: Series, metric: Metric) -> Scale:
    values = [known(point, field) for point in series.points for field in ("mean", "cumulative_mean")]
    # About a standard error: enough digits to tell the ends of the intervals apart.
    errors = [(interval.upper - interval.lower) / 4 for interval in _intervals(series)]
    return Scale(values, errors, unit=clean(metric.unit), rate=metric.kind == MetricKind.METRIC_KIND_BINARY)


def _reach(series: Series) -> float:
    """Returns the end of the plots' axis: every interval is on it, and all share it."""
    ends = [abs(end) for interval in _intervals(series) for end in (interval.lower, interval.upper)]
    return max(ends, default=0.0)


def _intervals(series: Series) -> list[Interval]:
    return [point.cumulative_interval for point in series.points if point.HasField("cumulative_interval")]


def _difference(point: SeriesPoint, scale: Scale, reach: float) -> tuple[str, str, str]:
    """Returns the accumulated difference, its interval, and its plot; all empty for the control."""
    if not point.HasField("cumulative_difference"):
        return "", "", ""
    value, interval = point.cumulative_difference, point.cumulative_interval
    if not point.HasField("cumulative_interval"):
        return scale.difference(value), "–", ""
    plot = interval_plot(interval.lower, value, interval.upper, reach)
    return scale.difference(value), scale.interval(interval.lower, interval.upper), plot
