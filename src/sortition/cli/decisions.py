"""``decisions`` and ``replay``: what was decided, and whether it follows from what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.exit_codes import ExitCode
from sortition.cli.experiments import Key
from sortition.cli.session import Session

if TYPE_CHECKING:
    from sortition.rpc.v1.analysis_pb2 import ListDecisionsResponse, ReplayResponse

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "decisions")(decisions)
    command(app, "replay")(replay)


def decisions(session: Session, key: Key) -> None:
    """List the decisions about an experiment, newest first."""
    from sortition.render import decision_table
    from sortition.rpc.v1.analysis_pb2 import ListDecisionsRequest

    request = ListDecisionsRequest(key=key, organization=session.organization)
    answer: ListDecisionsResponse = session.call(session.analysis.ListDecisions, request)
    session.show(answer, lambda: decision_table(answer.decisions))


def replay(
    session: Session,
    decision: Annotated[
        str, typer.Argument(metavar="DECISION", help="The id of a decision; see `sortition decisions`.")
    ],
) -> None:
    """Compute a stored decision again from its stored inputs; exit with 1 unless it is identical to the last bit."""
    from sortition.render import replay_view
    from sortition.rpc.v1.analysis_pb2 import ReplayRequest

    answer: ReplayResponse = session.call(session.analysis.Replay, ReplayRequest(decision_id=decision))
    session.show(answer, lambda: replay_view(answer))
    if not answer.identical:
        raise typer.Exit(ExitCode.UNEXPECTED)
