"""The analysis of one experiment: what is known about each variant, and in one line what to do."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.comparisons import other_figures, primary_figures
from sortition.render.figures import Figures
from sortition.render.numbers import count, p_value, quantile_name
from sortition.render.words import clean, duration, plural, status_word
from sortition.rpc.v1.analysis_pb2 import AnalysisResult, RecommendationKind
from sortition.rpc.v1.experiment_pb2 import Experiment
from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

__all__ = ["analysis_table"]

_OPEN = (ExperimentStatus.EXPERIMENT_STATUS_RUNNING, ExperimentStatus.EXPERIMENT_STATUS_PAUSED)
_VERDICT_STYLE = {"ok": "green", "yellow": "yellow", "red": "bold red"}


def analysis_table(result: AnalysisResult, experiment: Experiment, *, brief: bool = False) -> RenderableType:
    """Returns the whole picture: a title line, the variants on the primary metric, all other metrics, and what to do.

    Args:
        result: What the outcomes say.
        experiment: The experiment they belong to; gives units of measurement, goals and the running time.
        brief: Without what does not decide: other metrics and quantiles.
    """
    figures = Figures(result, experiment)
    parts: list[RenderableType] = [_title(result, experiment), primary_figures(figures)]
    if not brief:
        if others := other_figures(figures):
            parts += [Text(), others]
        parts += _unknowns(result)
    parts += [Text(f"! {clean(warning)}", style="yellow") for warning in result.warnings]
    parts.append(_advice(result, experiment))
    return Group(*parts)


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


def _unknowns(result: AnalysisResult) -> list[Text]:
    """Returns one line for each reason why figures are not known; none while nothing is."""
    if not result.units:
        return []
    reasons: dict[str, dict[str, None]] = {}
    for each in result.comparisons:
        if each.reason:
            name = f"{each.metric} {quantile_name(each.quantile)}" if each.HasField("quantile") else each.metric
            reasons.setdefault(each.reason, {})[name] = None
    return [Text(clean(f"– {', '.join(names)}: {reason}"), style="dim") for reason, names in reasons.items()]


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
