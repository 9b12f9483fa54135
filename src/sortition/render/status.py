"""Where experiments stand: progress bars, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sortition.render.analysis import analysis_table
from sortition.render.experiments import experiment_view
from sortition.render.numbers import count
from sortition.render.tables import quiet_table
from sortition.render.words import clean, duration, plural, status_text
from sortition.rpc.v1.analysis_pb2 import ExperimentReport

__all__ = ["progress_bar", "status_table", "status_view"]

_WIDTH = 10


def progress_bar(progress: float) -> str:
    """Returns a bar of ten blocks with its figure: ``█████░░░░░  52 %``.

    Only what is complete is shown as complete.
    """
    share = min(max(progress, 0.0), 1.0)
    full = int(share * _WIDTH)
    return f"{'█' * full}{'░' * (_WIDTH - full)} {int(share * 100):>3} %"


def status_table(reports: Iterable[ExperimentReport]) -> Table:
    """Returns one line for each experiment."""
    table = quiet_table(
        "experiment", "status", "progress", "units", "running", "winner", "to do",
        right=("units", "running"),
    )  # fmt: skip
    for report in reports:
        spec, analysis = report.experiment.spec, report.analysis
        todo = "; ".join(report.todo) or analysis.recommendation or "–"
        table.add_row(
            Text(clean(spec.key)), status_text(report.experiment.status), progress_bar(report.progress),
            f"{count(analysis.units)} of {count(analysis.min_samples)} {plural(clean(spec.unit or 'session'))}",
            duration(report.running_seconds), Text(clean(analysis.winner or "–")), Text(clean(todo)),
        )  # fmt: skip
    return table


def status_view(report: ExperimentReport, *, brief: bool = False) -> RenderableType:
    """Returns the state of one experiment: its analysis, its progress and what is to be done.

    Args:
        report: The state.
        brief: Without what does not decide: other metrics and quantiles.
    """
    if not report.HasField("analysis"):
        return Group(experiment_view(report.experiment), *_todo(report))
    bar = Text(progress_bar(report.progress))
    return Group(analysis_table(report.analysis, report.experiment, brief=brief), bar, *_todo(report))


def _todo(report: ExperimentReport) -> list[Text]:
    return [Text(f"• {clean(line)}") for line in report.todo]
