"""Many experiments at once: those that are under way, those that are over, and what came of all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.advice import next_command
from sortition.render.experiments import experiment_title
from sortition.render.figures import Figures
from sortition.render.numbers import Scale, count, percent, relative
from sortition.render.status import progress_bar
from sortition.render.tables import Fitting, quiet_table
from sortition.render.words import clean, duration, goal_arrow, moment, plural, status_text
from sortition.rpc.v1.analysis_pb2 import Comparison, EndingKind, ExperimentReport, Gain, Interval, Summary
from sortition.rpc.v1.experiment_pb2 import Goal
from sortition.rpc.v1.snapshot_pb2 import MetricKind

__all__ = ["change_line", "ending_text", "finished_table", "result_text", "status_table", "summary_view"]

_NOTHING: Final = "–"
_SHIPPED = EndingKind.ENDING_KIND_SHIPPED
_ROLLED_BACK = EndingKind.ENDING_KIND_ROLLED_BACK
_CANCELLED = EndingKind.ENDING_KIND_CANCELLED
_STYLES: Final = {_SHIPPED: "green", _ROLLED_BACK: "red", EndingKind.ENDING_KIND_EXPIRED: "yellow", _CANCELLED: "dim"}


def _todo(report: ExperimentReport) -> Iterable[str]:
    return report.todo or [report.analysis.recommendation]


_REMARKS: Final[tuple[Callable[[ExperimentReport], Iterable[str]], ...]] = (_todo,)
"""What is said of an experiment that is under way, beside its figures; each gives lines, the first ones first."""


def status_table(reports: Iterable[ExperimentReport]) -> RenderableType:
    """Returns experiments under way: how far they are, what they say so far, what is missing, and what to do.

    Where the terminal is narrow, each has a paragraph of its own.
    """
    wide = quiet_table(
        "experiment", "status", "progress", "units", "running", "result so far", "to do", "",
        right=("units", "running"),
    )  # fmt: skip
    narrow: list[Text] = []
    for report in reports:
        title, state = Text(experiment_title(report.experiment)), status_text(report.experiment.status)
        bar, result, units = progress_bar(report.progress), result_text(report), _units_of(report)
        command = next_command(report.analysis, report.experiment)
        said = [clean(line) for remarks in _REMARKS for line in remarks(report) if line]
        wide.add_row(
            title, state, bar, units, duration(report.running_seconds), Text(result),
            Text("; ".join(said) or _NOTHING), Text(command),
        )  # fmt: skip
        head = Text("   ").join([Text(title.plain, style="bold"), state, Text(duration(report.running_seconds))])
        narrow += [head, Text(f"  {bar}  {units}"), Text(f"  {result}"), *(Text(f"  • {line}") for line in said)]
        narrow += [Text(f"  {command}")] if command else []
    return Fitting(wide, Group(*narrow))


def finished_table(reports: Iterable[ExperimentReport]) -> RenderableType:
    """Returns experiments that are over: how each ended, and its final result."""
    wide = quiet_table("experiment", "ended", "how", "units", "final result", "why", right=("units",))
    narrow: list[Text] = []
    for report in reports:
        title = Text(experiment_title(report.experiment))
        at = moment(report.experiment.ended_at) if report.experiment.HasField("ended_at") else _NOTHING
        how, result, units = ending_text(report), result_text(report), count(report.analysis.units)
        why = clean("; ".join(report.ending.reasons)) or _NOTHING
        wide.add_row(title, at, how, units, Text(result), Text(why))
        narrow += [Text("   ").join([Text(title.plain, style="bold"), how]), Text(f"  {at}, {_units_of(report)}")]
        narrow += [Text(f"  {result}")] if result != _NOTHING else []
        narrow += [Text(f"  • {clean(line)}") for line in report.ending.reasons]
    return Fitting(wide, Group(*narrow))


def ending_text(report: ExperimentReport) -> Text:
    """Returns how an experiment ended, and whether by itself or by hand."""
    ending = report.ending
    shipped = f"shipped {clean(ending.variant)}{', forced' if ending.forced else ''}"
    by = "by itself" if ending.automatic else "by hand"
    words = {
        _SHIPPED: f"{shipped}, {by}",
        _ROLLED_BACK: f"{shipped}, rolled back by hand"
        if ending.taken_back and not (ending.automatic and _is_control(report, ending.variant))
        else f"rolled back, {by}",
        EndingKind.ENDING_KIND_EXPIRED: f"expired, {by}",
        EndingKind.ENDING_KIND_NOT_SHIPPED: "nothing shipped",
        _CANCELLED: "cancelled",
    }
    return Text(words.get(ending.kind, _NOTHING), style=_STYLES.get(ending.kind, ""))


def result_text(report: ExperimentReport) -> str:
    """Returns what an experiment says of its primary metric: ``combined −57.8 %  −1.11 s [−1.20, −1.02]``.

    It is of the variant that was shipped, else of the winner, else of the best treatment so far; of the worst one where
    harm has ended it.
    """
    found = None if report.ending.kind == _CANCELLED else _telling(report)
    if found is None:
        return _NOTHING
    scale = Figures(report.analysis, report.experiment).scale(found.metric)
    ends = found.interval
    interval = scale.interval(ends.lower, ends.upper) if found.HasField("interval") else _NOTHING
    share = f"{relative(found.relative)}  " if found.HasField("relative") else ""
    text = f"{clean(found.variant)} {share}{scale.difference(found.difference)} {interval}"
    return f"{text}, provisional" if report.analysis.provisional and not report.HasField("ending") else text


def change_line(report: ExperimentReport) -> str:
    """Returns where an experiment stands, on one line, and without what changes by itself such as the time."""
    words = [experiment_title(report.experiment), status_text(report.experiment.status).plain]
    if report.HasField("ending"):
        words.append(ending_text(report).plain)
    words += [progress_bar(report.progress), _units_of(report), result_text(report)]
    if not report.HasField("ending"):
        words += [clean(line) for remarks in _REMARKS for line in remarks(report) if line]
    return "   ".join(" ".join(each.split("\n")) for each in words)


def summary_view(summary: Summary, *, monthly_volume: float = 0.0) -> RenderableType:
    """Returns what came of all experiments together.

    Args:
        summary: The summary.
        monthly_volume: The outcomes per month that it was asked for; 0 for none.
    """
    ended = [
        ("finished", summary.finished), ("shipped", summary.shipped), ("rolled back", summary.rolled_back),
        ("expired", summary.expired), ("nothing shipped", summary.not_shipped),
    ]  # fmt: skip
    head = Text("   ").join(Text(f"{word} {count(number)}") for word, number in ended)
    beside = [("cancelled", summary.cancelled), ("of all archived", summary.archived)]
    if more := ", ".join(f"{word} {count(number)}" for word, number in beside if number):
        head.append(f"   ({more})")
    lines: list[RenderableType] = [head]
    if summary.HasField("success_rate"):
        lines.append(
            Text(
                f"success rate {percent(summary.success_rate)}   {_percents(summary.success_interval)}"
                f"   {count(summary.won)} of {count(summary.finished)} shipped their winner"
            )
        )
    if summary.gains:
        lines += [Text(), _gains(summary, monthly_volume)]
    return Group(*lines, *(Text(f"! {clean(remark)}", style="yellow") for remark in summary.remarks))


def _gains(summary: Summary, volume: float) -> RenderableType:
    interval = f"{round(summary.confidence * 100, 6):g} % interval"
    month = f"at {volume:,.0f} a month" if volume else ""
    columns = ["gain of", "shipped", "estimate", interval, "", *([month, interval] if volume else [])]
    wide = quiet_table(*columns, right=("shipped",))
    narrow = quiet_table("gain of\nshipped", f"estimate\n{interval}", *([f"{month}\n{interval}"] if volume else []))
    for gain in summary.gains:
        name = f"{clean(gain.metric)} {goal_arrow(gain.goal)}"
        rate = gain.kind == MetricKind.METRIC_KIND_BINARY
        each = _figures(gain, "total", gain.interval, unit=clean(gain.unit), rate=rate)
        # A share of outcomes times outcomes is a number of them.
        month_figures = _figures(gain, "monthly", gain.monthly_interval, unit="" if rate else clean(gain.unit))
        how_many, mark = count(gain.experiments + gain.unknown), _mark(gain)
        style = {"better": "green", "worse": "red"}.get(mark)
        months = month_figures if volume else ()
        wide.add_row(*map(Text, (name, how_many, *each, mark, *months)), style=style)
        stacked = [f"{name}\n{how_many}", f"{each[0]} {mark}\n{each[1]}", *(["\n".join(months)] if volume else [])]
        narrow.add_row(*map(Text, stacked), style=style)
    return Fitting(wide, narrow)


def _figures(gain: Gain, field: str, interval: Interval, *, unit: str, rate: bool = False) -> tuple[str, str]:
    if not gain.HasField(field):
        return _NOTHING, _NOTHING
    value: float = getattr(gain, field)
    scale = Scale([value], [(interval.upper - interval.lower) / 4], unit=unit, rate=rate)
    return scale.difference(value), scale.interval(interval.lower, interval.upper)


def _mark(gain: Gain) -> str:
    if not gain.HasField("total"):
        return ""
    if gain.interval.lower <= 0 <= gain.interval.upper:
        return "unclear"
    return "better" if (gain.total < 0) == (gain.goal == Goal.GOAL_MINIMIZE) else "worse"


def _telling(report: ExperimentReport) -> Comparison | None:
    """Returns the comparison on the primary metric that says most; None without any."""
    result, ending = report.analysis, report.ending
    known = [
        each
        for each in result.comparisons
        if each.metric == result.primary_metric and not each.HasField("quantile") and each.HasField("difference")
    ]
    for name in (ending.variant, result.winner):
        if found := next((each for each in known if each.variant == name), None):
            return found
    goal = next((each.goal for each in report.experiment.spec.metrics if each.name == result.primary_metric), 0)
    sign = -1.0 if goal == Goal.GOAL_MINIMIZE else 1.0
    if ending.kind == _ROLLED_BACK:
        sign = -sign
    return max(known, key=lambda each: sign * each.difference, default=None)


def _is_control(report: ExperimentReport, name: str) -> bool:
    return any(each.control and each.name == name for each in report.experiment.spec.variants)


def _units_of(report: ExperimentReport) -> str:
    result, unit = report.analysis, plural(clean(report.experiment.spec.unit or "session"))
    return f"{count(result.units)} of {count(result.min_samples)} {unit}"


def _percents(interval: Interval) -> str:
    if math.isnan(interval.lower):
        return _NOTHING
    return f"[{percent(interval.lower).removesuffix(' %')}, {percent(interval.upper).removesuffix(' %')}]"
