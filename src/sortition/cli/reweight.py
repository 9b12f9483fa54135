"""``reweight``: other weights for an experiment that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.session import Session
from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    from sortition.rpc.v1.admin_pb2 import ReweightExperimentResponse

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "reweight", changes=True)(reweight)


def reweight(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key of an experiment.")],
    weights: Annotated[
        list[str], typer.Argument(metavar="VARIANT=WEIGHT...", help="Each variant's weight in percent; all sum to 100.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would move, and change nothing.")] = False,
) -> None:
    """Change the weights of a running or paused experiment; whoever was exposed keeps their variant.

    Other weights are announced first, and take effect seconds later. The same weights again change nothing.
    """
    from sortition.render import reweighting_view
    from sortition.rpc.v1.admin_pb2 import ReweightExperimentRequest

    request = ReweightExperimentRequest(
        key=key,
        organization=session.organization,
        weights=_weights(weights),
        actor=session.actor,
        validate_only=dry_run,
    )
    answer: ReweightExperimentResponse = session.call(session.admin.ReweightExperiment, request)
    session.show(answer, lambda: reweighting_view(answer, dry_run=dry_run))


def _weights(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    wrong = []
    for text in given:
        name, equals, weight = text.partition("=")
        if not (name and equals and weight):
            wrong.append(("VARIANT=WEIGHT", f"must be a variant and its weight such as fast=20, but is {text!r}"))
        elif name in found:
            wrong.append(("VARIANT=WEIGHT", f"names {name!r} twice"))
        found[name] = weight
    if wrong:
        raise InvalidArgument.of(wrong)
    return found
