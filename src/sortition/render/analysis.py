"""The analysis of one experiment: what is known about each variant, and in one line what to do."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sortition.render.numbers import Scale, count, p_value, probability, quantile_name, relative
from sortition.render.tables import quiet_table
from sortition.render.words import clean, duration, goal_arrow, plural, role_word, status_word
from sortition.rpc.v1.analysis_pb2 import AnalysisResult, Comparison, Interval, RecommendationKind, VariantMetric
from sortition.rpc.v1.experiment_pb2 import Experiment, Metric, MetricRole
from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus, MetricKind

__all__ = ["analysis_table"]

_CONTROL = "◆"
_WINNER = "← winner"
_OPEN = (ExperimentStatus.EXPERIMENT_STATUS_RUNNING, ExperimentStatus.EXPERIMENT_STATUS_PAUSED)
_VERDICT_STYLE = {"ok": "green", "yellow": "yellow", "red": "bold red"}


def analysis_table(result: AnalysisResult, experiment: Experiment) -> RenderableType:
    """Returns the whole picture: a title line, the variants on the primary metric, all other metrics, and what to do.

    Args:
        result: What the outcomes say.
        experiment: The experiment they belong to; gives units of measurement, goals and the running time.
    """
    view = _View(result, experiment)
    parts: list[RenderableType] = [_title(result, experiment), _variants(view)]
    if others := _others(view):
        parts += [Text(), others]
    parts += [Text(f"! {clean(warning)}", style="yellow") for warning in result.warnings]
    parts.append(_advice(result, experiment))
    return Group(*parts)


class _View:
    """Finds figures by variant, metric and quantile."""

    def __init__(self, result: AnalysisResult, experiment: Experiment) -> None:
        self.result = result
        self.unit = experiment.spec.unit or "session"
        self.specs = {metric.name: metric for metric in experiment.spec.metrics}
        self.primary = result.primary_metric
        self.control = next((variant.name for variant in result.variants if variant.control), "")
        self._metrics = {(each.variant, each.metric): each for each in result.metrics}
        self._comparisons = {
            (each.variant, each.metric, each.quantile if each.HasField("quantile") else None): each
            for each in result.comparisons
        }

    def metric(self, name: str) -> Metric:
        return self.specs.get(name, Metric(name=name))

    def figures(self, variant: str, metric: str) -> VariantMetric:
        return self._metrics.get((variant, metric), VariantMetric(variant=variant, metric=metric))

    def value(self, variant: str, metric: str, quantile: float | None) -> float:
        figures = self.figures(variant, metric)
        if quantile is None:
            return figures.mean if figures.HasField("mean") else math.nan
        return next((each.value for each in figures.quantiles if each.q == quantile), math.nan)

    def error(self, variant: str, metric: str) -> float:
        figures = self.figures(variant, metric)
        return figures.se if figures.HasField("se") else math.nan

    def comparison(self, variant: str, metric: str, quantile: float | None) -> Comparison:
        return self._comparisons.get((variant, metric, quantile), Comparison(variant=variant, metric=metric))

    def scale(self, name: str, quantile: float | None = None) -> Scale:
        metric = self.metric(name)
        variants = [variant.name for variant in self.result.variants]
        values = [self.value(variant, name, quantile) for variant in variants]
        errors = [] if quantile is not None else [self.error(variant, name) for variant in variants]
        return Scale(values, errors, unit=clean(metric.unit), rate=metric.kind == MetricKind.METRIC_KIND_BINARY)

    def confidence(self) -> str:
        return f"{round(self.result.confidence * 100, 6):g} % interval"


def _known(comparison: Comparison, field: str) -> float:
    value: float = getattr(comparison, field) if comparison.HasField(field) else math.nan
    return value


def _interval(scale: Scale, interval: Interval, known: bool) -> str:
    return scale.interval(interval.lower, interval.upper) if known else "–"


def _title(result: AnalysisResult, experiment: Experiment) -> Text:
    words = [Text(clean(result.experiment), style="bold")]
    status = _status(result, experiment)
    state = status_word(status)
    if status == ExperimentStatus.EXPERIMENT_STATUS_RUNNING and experiment.HasField("started_at"):
        state += f" {duration(result.analyzed_at.seconds - experiment.started_at.seconds)}"
    words.append(Text(state))
    unit = plural(clean(experiment.spec.unit or "session"))
    words.append(Text(f"{count(result.units)} of {count(result.min_samples)} {unit}"))
    verdict = result.sample_ratio.verdict or "unknown"
    ratio = Text(f"SRM {verdict}", style=_VERDICT_STYLE.get(verdict, ""))
    if verdict in ("yellow", "red"):
        ratio.append(f" (p {_equals(p_value(result.sample_ratio.p_value))})")
    words.append(ratio)
    return Text("   ").join(words)


def _status(result: AnalysisResult, experiment: Experiment) -> ExperimentStatus:
    """Returns where the experiment stands now; the analysis may have been made before that."""
    return experiment.status or result.status


def _variants(view: _View) -> Table:
    unit, interval = plural(clean(view.unit)), view.confidence()
    metric = clean(view.primary)
    table = quiet_table(
        "variant", unit, metric, "vs control", "", interval, "beats control", "",
        right=(unit,),
    )  # fmt: skip
    scale = view.scale(view.primary)
    for variant in view.result.variants:
        name = Text(clean(variant.name) + (f" {_CONTROL}" if variant.control else ""))
        figure = scale.value(view.value(variant.name, view.primary, None), view.error(variant.name, view.primary))
        if variant.control:
            table.add_row(name, count(variant.units), figure)
            continue
        compared = view.comparison(variant.name, view.primary, None)
        winner = variant.name == view.result.winner
        mark = _WINNER if winner else _mark(compared)
        table.add_row(
            name, count(variant.units), figure,
            relative(_known(compared, "relative")), scale.difference(_known(compared, "difference")),
            _interval(scale, compared.interval, compared.HasField("interval")),
            probability(_known(compared, "chance_to_beat")), mark,
            style="bold green" if winner else "red" if mark == "worse" else None,
        )  # fmt: skip
    return table


def _mark(compared: Comparison) -> str:
    if not compared.significant:
        return ""
    return "better" if compared.improvement else "worse"


def _others(view: _View) -> Table | None:
    """Returns every figure that does not decide: other metrics, and the quantiles of all."""
    interval = view.confidence()
    table = quiet_table(
        "metric", "control", "variant", "value", "vs control", "", interval, "p", "",
    )  # fmt: skip
    names = dict.fromkeys([view.primary, *view.specs, *(each.metric for each in view.result.metrics)])
    for name in names:
        declared = {each.q for variant in view.result.variants for each in view.figures(variant.name, name).quantiles}
        for quantile in [*([] if name == view.primary else [None]), *sorted(declared)]:
            _other(table, view, name, quantile)
    return table if table.row_count else None


def _other(table: Table, view: _View, name: str, quantile: float | None) -> None:
    metric = view.metric(name)
    scale = view.scale(name, quantile)
    title = f"{clean(name)}{f' {quantile_name(quantile)}' if quantile is not None else ''} {goal_arrow(metric.goal)}"
    guardrail = metric.role == MetricRole.METRIC_ROLE_GUARDRAIL and quantile is None
    if guardrail:
        title += f" {role_word(metric.role)}"
    error = math.nan if quantile is not None else view.error(view.control, name)
    control = scale.value(view.value(view.control, name, quantile), error)
    for variant in view.result.variants:
        if variant.control:
            continue
        compared = view.comparison(variant.name, name, quantile)
        mark = _guardrail(view, variant.name, name) if guardrail else _mark(compared)
        table.add_row(
            Text(title), control, Text(clean(variant.name)),
            scale.value(
                view.value(variant.name, name, quantile),
                math.nan if quantile is not None else view.error(variant.name, name),
            ),
            relative(_known(compared, "relative")), scale.difference(_known(compared, "difference")),
            _interval(scale, compared.interval, compared.HasField("interval")),
            p_value(_known(compared, "p_adjusted")), mark,
            style="red" if mark in ("worse", "BROKEN") else "green" if mark == "better" else None,
        )  # fmt: skip
        title = control = ""


def _guardrail(view: _View, variant: str, metric: str) -> str:
    for guardrail in view.result.guardrails:
        if (guardrail.variant, guardrail.metric) == (variant, metric):
            return "intact" if guardrail.intact else "BROKEN"
    return ""


def _advice(result: AnalysisResult, experiment: Experiment) -> Text:
    advice = Text(clean(result.recommendation), style="bold")
    command = _next_command(result, _status(result, experiment))
    if command and "`sortition" not in result.recommendation:
        organization = experiment.spec.organization
        option = f" --organization {organization}" if organization not in ("", "default") else ""
        advice.append(f" `sortition {command}{option}`")
    return advice


def _next_command(result: AnalysisResult, status: ExperimentStatus) -> str:
    """Returns the command that follows the advice; empty where none does."""
    if status not in _OPEN:
        return ""
    commands = {
        RecommendationKind.RECOMMENDATION_KIND_NEED_MORE_DATA: "watch",
        RecommendationKind.RECOMMENDATION_KIND_NOT_SIGNIFICANT: "complete",
        RecommendationKind.RECOMMENDATION_KIND_SHIP: "promote",
        RecommendationKind.RECOMMENDATION_KIND_BELOW_MDE: "complete",
        RecommendationKind.RECOMMENDATION_KIND_REGRESSION: "complete",
        RecommendationKind.RECOMMENDATION_KIND_INVALID: "pause",
    }
    command = commands.get(result.recommendation_kind)
    return f"{command} {clean(result.experiment)}" if command else ""


def _equals(text: str) -> str:
    return text if text.startswith("<") else f"= {text}"
