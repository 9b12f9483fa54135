"""``registration`` and ``rerun``: what was declared beforehand, and how to ask again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.exit_codes import ExitCode
from sortition.cli.experiments import Key, declared_in
from sortition.cli.file_start import synchronize
from sortition.cli.group import say
from sortition.cli.session import Session
from sortition.cli.subject_files import HERE, Root

if TYPE_CHECKING:
    from sortition.rpc.v1.admin_pb2 import GetRegistrationResponse
    from sortition.rpc.v1.experiment_pb2 import Experiment

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "registration")(registration)
    command(app, "rerun", changes=True)(rerun)


def registration(
    session: Session,
    key: Key,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Compute the hash again; exit with 1 unless what is stored says what was registered."
        ),
    ] = False,
) -> None:
    """Show what was registered when an experiment was started: its hash, stopping rule, peeks and deviations."""
    from sortition.render import registration_view
    from sortition.rpc.v1.admin_pb2 import GetRegistrationRequest

    request = GetRegistrationRequest(key=key, organization=session.organization)
    answer: GetRegistrationResponse = session.call(session.admin.GetRegistration, request)
    session.show(answer, lambda: registration_view(answer))
    if not verify:
        return
    found = answer.experiment.registration
    # The hash here too, so that nobody has to believe the sidecar.
    if not answer.verified or hashlib.sha256(found.document.encode()).hexdigest() != found.hash:
        say(f"{key}: what is stored does not say what was registered")
        raise typer.Exit(ExitCode.UNEXPECTED)


def rerun(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key of any run so far.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="What the new run declares; default: the same as KEY."),
    ] = None,
    root: Root = HERE,
) -> None:
    """Open a new run of a started experiment: a draft with assignments and data of its own."""
    from sortition.model.wire import spec_to_proto
    from sortition.render import experiment_view
    from sortition.rpc.v1.admin_pb2 import RerunExperimentRequest

    declared = None if file is None else declared_in(session, file, root)
    spec = None if declared is None else declared.spec
    request = RerunExperimentRequest(
        key=key,
        organization=session.organization or ("" if spec is None else spec.organization),
        spec=None if spec is None else spec_to_proto(spec),
        actor=session.actor,
    )
    stored: Experiment = session.call(session.admin.RerunExperiment, request)
    if declared is not None and declared.base is not None:
        synchronize(session, declared.spec, declared.base)
    session.show(stored, lambda: experiment_view(stored))
    say(f"{stored.spec.key} is stored as a draft; start it with `sortition start {stored.spec.key}`")
