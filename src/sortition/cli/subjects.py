"""Subjects and their versions: ``subjects``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sortition.cli.command import command
from sortition.cli.pages import collect
from sortition.cli.session import Session

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct

    from sortition.rpc.v1.admin_pb2 import Subject, SubjectVersion
    from sortition.rpc.v1.common_pb2 import SubjectRef

__all__ = ["Ref", "register", "show_subject", "subject_ref"]

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
    show_subject(session, _get(session, subject))


def create(
    session: Session,
    subject: Ref,
    config: Config,
    description: Annotated[str, typer.Option(metavar="TEXT", help="For people.")] = "",
) -> None:
    """Create a subject with its first version."""
    from sortition.rpc.v1.admin_pb2 import CreateSubjectRequest

    request = CreateSubjectRequest(
        organization=session.organization, ref=subject_ref(subject), config=_config(config), description=description,
        actor=session.actor,
    )  # fmt: skip
    show_subject(session, session.call(session.admin.CreateSubject, request))


def versions(
    session: Session,
    subject: Ref,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Where to go on.")] = "",
) -> None:
    """List the versions of a subject, newest first."""
    from sortition.render import version_table
    from sortition.rpc.v1.admin_pb2 import ListSubjectVersionsRequest

    request = ListSubjectVersionsRequest(organization=session.organization, ref=subject_ref(subject))
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
        organization=session.organization, ref=subject_ref(subject), config=_config(config), note=note,
        promote=make_current, actor=session.actor,
    )  # fmt: skip
    version: SubjectVersion = session.call(session.admin.CreateSubjectVersion, request)
    session.show(version, lambda: version_table([version], version.number if make_current else 0))


def subject_ref(text: str) -> SubjectRef:
    """Returns the subject that a person has named."""
    from sortition.rpc.v1.common_pb2 import SubjectRef

    kind, slash, name = text.partition("/")
    return SubjectRef(kind=kind, id=name) if slash else SubjectRef(kind=_DEFAULT_KIND, id=text)


def _config(path: Path) -> Struct:
    from sortition.model.file import load_config
    from sortition.model.wire import struct_from_config

    return struct_from_config(load_config(path))


def _get(session: Session, subject: str) -> Subject:
    from sortition.rpc.v1.admin_pb2 import GetSubjectRequest

    request = GetSubjectRequest(organization=session.organization, ref=subject_ref(subject))
    found: Subject = session.call(session.admin.GetSubject, request)
    return found


def show_subject(session: Session, subject: Any) -> None:
    """Shows a subject and its current configuration."""
    from sortition.render import subject_view

    session.show(subject, lambda: subject_view(subject))
