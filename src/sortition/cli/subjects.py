"""Subjects and their versions: ``subjects``, ``promote`` and ``rollback``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sortition.cli.command import command
from sortition.cli.experiments import complete_experiment
from sortition.cli.pages import collect
from sortition.cli.session import Session
from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct

    from sortition.rpc.v1.admin_pb2 import Subject, SubjectVersion
    from sortition.rpc.v1.common_pb2 import SubjectRef

__all__ = ["register"]

_DEFAULT_KIND = "agent"

Ref = Annotated[
    str, typer.Argument(metavar="SUBJECT", help=f"KIND/ID, such as prompt/greeting; without a kind: {_DEFAULT_KIND}.")
]
Config = Annotated[Path, typer.Option(metavar="FILE", help="The configuration: one mapping in JSON or YAML.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="subjects", help="List, show and create subjects and their versions.")
    command(group, "list")(list_subjects)
    command(group, "show")(show)
    command(group, "create", changes=True)(create)
    command(group, "versions")(versions)
    command(group, "add-version", changes=True)(add_version)
    command(app, "promote", changes=True)(promote)
    command(app, "rollback", changes=True)(rollback)


def list_subjects(
    session: Session,
    kind: Annotated[str, typer.Option(metavar="KIND", help="Only this kind.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Where to go on.")] = "",
) -> None:
    """List subjects."""
    from sortition.render import subject_table
    from sortition.rpc.v1.admin_pb2 import ListSubjectsRequest

    request = ListSubjectsRequest(organization=session.organization, kind=kind)
    answer = collect(session, session.admin.ListSubjects, request, "subjects", limit=limit, token=page_token)
    session.show(answer, lambda: subject_table(answer.subjects))


def show(session: Session, subject: Ref) -> None:
    """Show a subject and its current configuration."""
    _show(session, _get(session, subject))


def create(
    session: Session,
    subject: Ref,
    config: Config,
    description: Annotated[str, typer.Option(metavar="TEXT", help="For people.")] = "",
) -> None:
    """Create a subject with its first version."""
    from sortition.rpc.v1.admin_pb2 import CreateSubjectRequest

    request = CreateSubjectRequest(
        organization=session.organization, ref=_ref(subject), config=_config(config), description=description,
        actor=session.actor,
    )  # fmt: skip
    _show(session, session.call(session.admin.CreateSubject, request))


def versions(
    session: Session,
    subject: Ref,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Where to go on.")] = "",
) -> None:
    """List the versions of a subject, newest first."""
    from sortition.render import version_table
    from sortition.rpc.v1.admin_pb2 import ListSubjectVersionsRequest

    request = ListSubjectVersionsRequest(organization=session.organization, ref=_ref(subject))
    answer = collect(session, session.admin.ListSubjectVersions, request, "versions", limit=limit, token=page_token)
    session.show(answer, lambda: version_table(answer.versions, _get(session, subject).current.number))


def add_version(
    session: Session,
    subject: Ref,
    config: Config,
    note: Annotated[str, typer.Option(metavar="TEXT", help="For people.")] = "",
    make_current: Annotated[bool, typer.Option("--promote", help="Make it current at once.")] = False,
) -> None:
    """Add a version to a subject."""
    from sortition.render import version_table
    from sortition.rpc.v1.admin_pb2 import CreateSubjectVersionRequest

    request = CreateSubjectVersionRequest(
        organization=session.organization, ref=_ref(subject), config=_config(config), note=note, promote=make_current,
        actor=session.actor,
    )  # fmt: skip
    version: SubjectVersion = session.call(session.admin.CreateSubjectVersion, request)
    session.show(version, lambda: version_table([version], version.number if make_current else 0))


def promote(
    session: Session,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="The experiment whose winner is shipped.")] = None,
    variant: Annotated[str, typer.Option(metavar="NAME", help="The variant to ship; default: the winner.")] = "",
    subject: Annotated[str, typer.Option(metavar="KIND/ID", help="Instead of KEY: the subject of --version.")] = "",
    version: Annotated[int | None, typer.Option(min=1, help="With --subject: the version to make current.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Although it is advised against; needs --reason.")] = False,
) -> None:
    """Ship a winner, or make a version of a subject current.

    Shipping completes the experiment and merges the winner's config into the subject's current one, as a new version.
    """
    if (key is None) == (not subject):
        raise InvalidArgument("give KEY to ship a winner, or --subject and --version to make a version current")
    if key is not None:
        if version is not None:
            raise InvalidArgument("--version belongs to --subject; a winner makes a version of its own")
        complete_experiment(session, key, ship=True, variant=variant, force=force)
        return
    if version is None or variant:
        raise InvalidArgument("--subject needs --version, and no --variant")
    if force and not session.reason:
        raise InvalidArgument("--force needs --reason, which goes into the audit log")
    from sortition.rpc.v1.admin_pb2 import PromoteSubjectVersionRequest

    request = PromoteSubjectVersionRequest(
        organization=session.organization, ref=_ref(subject), number=version, force=force, actor=session.actor
    )
    _show(session, session.call(session.admin.PromoteSubjectVersion, request))


def rollback(session: Session, subject: Ref) -> None:
    """Undo the last promotion of a subject."""
    from sortition.rpc.v1.admin_pb2 import RollbackSubjectRequest

    request = RollbackSubjectRequest(organization=session.organization, ref=_ref(subject), actor=session.actor)
    _show(session, session.call(session.admin.RollbackSubject, request))


def _ref(text: str) -> SubjectRef:
    from sortition.rpc.v1.common_pb2 import SubjectRef

    kind, slash, name = text.partition("/")
    return SubjectRef(kind=kind, id=name) if slash else SubjectRef(kind=_DEFAULT_KIND, id=text)


def _config(path: Path) -> Struct:
    from sortition.model.file import load_config
    from sortition.model.wire import struct_from_config

    return struct_from_config(load_config(path))


def _get(session: Session, subject: str) -> Subject:
    from sortition.rpc.v1.admin_pb2 import GetSubjectRequest

    request = GetSubjectRequest(organization=session.organization, ref=_ref(subject))
    found: Subject = session.call(session.admin.GetSubject, request)
    return found


def _show(session: Session, subject: Any) -> None:
    from sortition.render import subject_view

    session.show(subject, lambda: subject_view(subject))
