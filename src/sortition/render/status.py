"""Where one experiment stands: its progress bar, and what is missing."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.analysis import analysis_table
from sortition.render.experiments import experiment_view
from sortition.render.words import clean
from sortition.rpc.v1.analysis_pb2 import ExperimentReport

__all__ = ["progress_bar", "status_view"]

_WIDTH = 10


def progress_bar(progress: float) -> str:
    """Returns a bar of ten blocks with its figure: ``█████░░░░░  52 %``.

    Only what is complete is shown as complete.
    """
    share = min(max(progress, 0.0), 1.0)
    full = int(share * _WIDTH)
    return f"{'█' * full}{'░' * (_WIDTH - full)} {int(share * 100):>3} %"


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
