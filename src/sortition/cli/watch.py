"""``watch``: one experiment, live."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.experiments import Key
from sortition.cli.session import Output, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "watch")(watch)


def watch(
    session: Session,
    key: Key,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, max=3600, help="How often to look.")] = 2.0,
    times: Annotated[int, typer.Option(min=0, help="How many times to look; 0: until the experiment has ended.")] = 0,
) -> None:
    """Watch an experiment until it has ended. With -o json: one line of JSON per look."""
    from rich.live import Live

    from sortition.cli.output import console, print_document, to_document
    from sortition.render import status_view
    from sortition.rpc.v1.analysis_pb2 import ExperimentReport, GetStatusRequest
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

    request = GetStatusRequest(key=key, organization=session.organization)
    ended = (ExperimentStatus.EXPERIMENT_STATUS_COMPLETED, ExperimentStatus.EXPERIMENT_STATUS_CANCELLED)
    pause = threading.Event()

    def look() -> ExperimentReport:
        report: ExperimentReport = session.call(session.analysis.GetStatus, request)
        return report

    report, looks = look(), 1
    screen = console()
    # What cannot be drawn over gets every look below the one before.
    drawn = screen.is_terminal and not screen.is_dumb_terminal and session.output is not Output.JSON

    def view() -> RenderableType:
        whole = status_view(report)
        # What does not fit is cut off at the bottom, and that is where it says what to do.
        fits = len(screen.render_lines(whole, pad=False)) < screen.height
        return whole if fits else status_view(report, brief=True)

    live = Live(view(), console=screen, auto_refresh=False) if drawn else None
    with live or nullcontext():
        while True:
            if session.output is Output.JSON:
                print_document(to_document(report), indent=None)
            elif live:
                live.update(view(), refresh=True)
            else:
                screen.print(status_view(report))
            if report.experiment.status in ended or looks == times:
                return
            pause.wait(interval)
            report, looks = look(), looks + 1
