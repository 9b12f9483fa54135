"""``health``: whether a sidecar answers, for probes and scripts."""

from __future__ import annotations

import typer

from sortition.cli.command import command
from sortition.cli.session import Session
from sortition.errors import NotReady

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "health")(health)


def health(session: Session) -> None:
    """Say whether a sidecar serves; exit with 5 when it does not.

    It serves from the moment it has a snapshot until it drains, with the database or without. Needs no token.
    """
    from grpc_health.v1 import health_pb2

    answer = session.call(session.health.Check, health_pb2.HealthCheckRequest())
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise NotReady("the sidecar has no snapshot yet, or drains; try again")
    session.show(answer, lambda: "serving")
