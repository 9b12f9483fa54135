"""``auto``: experiments that end by themselves, looked at from here."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.session import Output, Session

if TYPE_CHECKING:
    from sortition.rpc.v1.admin_pb2 import RunAutomaticResponse

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "auto", changes=True)(auto)


def auto(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="Only this experiment.", show_default=False)] = "",
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, max=3600, help="How often to look.")] = 10.0,
) -> None:
    """Promote, roll back or let expire what is decided, as each experiment's policy allows.

    Sidecars do this by themselves unless they run with --no-automatic. With -o json: one line of JSON per look.
    """
    from sortition.cli.output import print_document, print_table, to_document
    from sortition.render import automatic_view
    from sortition.rpc.v1.admin_pb2 import RunAutomaticRequest

    request = RunAutomaticRequest(organization=session.organization, key=key, dry_run=dry_run, actor=session.actor)
    pause = threading.Event()
    while True:
        answer: RunAutomaticResponse = session.call(session.admin.RunAutomatic, request)
        if session.output is not Output.JSON:
            print_table(automatic_view(answer, dry_run=dry_run))
        else:
            print_document(to_document(answer), indent=None)
        if once:
            return
        pause.wait(interval)
