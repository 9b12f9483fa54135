"""``audit``: who did what, when and why."""

from __future__ import annotations

from typing import Annotated

import typer

from sortition.cli.command import command
from sortition.cli.pages import collect
from sortition.cli.session import Session

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "audit")(audit)


def audit(
    session: Session,
    subject_of: Annotated[
        str, typer.Option("--object", metavar="OBJECT", help="Only about this, such as experiment/search-strategy.")
    ] = "",
    action: Annotated[str, typer.Option(metavar="ACTION", help="Only this, such as experiment.start.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Where to go on.")] = "",
) -> None:
    """List what was done, by whom and why, newest first."""
    from sortition.render import audit_table
    from sortition.rpc.v1.admin_pb2 import ListAuditEventsRequest

    request = ListAuditEventsRequest(organization=session.organization, object=subject_of, action=action)
    answer = collect(session, session.admin.ListAuditEvents, request, "events", limit=limit, token=page_token)
    session.show(answer, lambda: audit_table(answer.events))
