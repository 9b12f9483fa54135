"""``alerts``: what somebody was told of, and what the rules say now."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from sortition.cli.command import command
from sortition.cli.pages import collect
from sortition.cli.session import Session

__all__ = ["register"]


class _Severity(str, Enum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "alerts")(alerts)


def alerts(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="Only about this experiment.", show_default=False)] = "",
    every: Annotated[
        bool, typer.Option("--all/--active", help="Those that are resolved too.", show_default="--active")
    ] = False,
    severity: Annotated[list[_Severity] | None, typer.Option(help="Only these; may be repeated.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read every rule now instead; changes nothing and tells nobody.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Where to go on.")] = "",
) -> None:
    """List alerts, newest first: the active ones, or all; or what every rule says now."""
    from sortition.render.alerts import alert_table, reading_table
    from sortition.rpc.v1.admin_pb2 import CheckAlertsRequest, ListAlertsRequest

    if check:
        request = CheckAlertsRequest(organization=session.organization, experiment=key)
        readings = session.call(session.admin.CheckAlerts, request)
        session.show(readings, lambda: reading_table(readings.readings))
        return
    wanted = [f"ALERT_SEVERITY_{one.name}" for one in severity or ()]
    listed = ListAlertsRequest(
        organization=session.organization, experiment=key, include_resolved=every, severities=wanted
    )
    answer = collect(session, session.admin.ListAlerts, listed, "alerts", limit=limit, token=page_token)
    session.show(answer, lambda: alert_table(answer.alerts))
