"""The analysis of one experiment: what is known about each variant, and in one line what to do."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.advice import current_status, next_command
from sortition.render.beliefs import belief_lines
from sortition.render.comparisons import other_figures, primary_figures
from sortition.render.figures import Figures
from sortition.render.numbers import count, p_value, quantile_name
from sortition.render.policy import policy_lines
from sortition.render.quality import quality_parts, quality_title
from sortition.render.segments import segment_figures
from sortition.render.words import clean, duration, plural, status_word
from sortition.rpc.v1.analysis_pb2 import AnalysisResult
from sortition.rpc.v1.experiment_pb2 import Experiment
from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

__all__ = ["analysis_table"]

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
        parts += belief_lines(figures)
        if others := other_figures(figures):
            parts += [Text(), others]
        if segments := segment_figures(figures):
            parts += [Text(), segments]
        parts += _unknowns(result)
        if (quality := quality_parts(result.quality)) is not None:
            parts += [Text(), quality]
    parts += policy_lines(result)
    # The table of the data's quality has said it.
    told = set() if brief else {part.detail for part in result.quality.parts}
    parts += [Text(f"! {clean(warning)}", style="yellow") for warning in result.warnings if warning not in told]
    parts.append(_advice(result, experiment))
    return Group(*parts)


def _title(result: AnalysisResult, experiment: Experiment) -> Text:
    words = [Text(clean(result.experiment), style="bold")]
    status = current_status(result, experiment)
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
    if (quality := quality_title(result.quality)) is not None:
        words.append(quality)
    return Text("   ").join(words)


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
    command = next_command(result, experiment)
    if command and "`sortition" not in result.recommendation:
        advice.append(f" `{command}`")
    return advice


def _equals(text: str) -> str:
    return text if text.startswith("<") else f"= {text}"
