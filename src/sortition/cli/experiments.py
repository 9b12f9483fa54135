"""What is done to experiments, from their file to their end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.group import say
from sortition.cli.pages import collect
from sortition.cli.session import Session
from sortition.errors import AlreadyExists, InvalidArgument, NotFound, SortitionError

if TYPE_CHECKING:
    from sortition.model import ExperimentSpec
    from sortition.rpc.v1.admin_pb2 import CompleteExperimentResponse
    from sortition.rpc.v1.experiment_pb2 import Experiment
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus as WireStatus

__all__ = ["complete_experiment", "register"]

Key = Annotated[str, typer.Argument(metavar="KEY", help="The key of an experiment.")]
Subject = Annotated[str, typer.Option(metavar="KIND/ID", help="Only experiments on this subject.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "create", changes=True)(create)
    command(app, "start", changes=True)(start)
    command(app, "pause", changes=True)(pause)
    command(app, "resume", changes=True)(resume)
    command(app, "complete", changes=True)(complete)
    command(app, "cancel", changes=True)(cancel)
    command(app, "archive", changes=True)(archive)
    command(app, "list")(list_experiments)


def create(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An experiment file; see `sortition schema`.")],
    check: Annotated[bool, typer.Option("--check", help="Check only; store nothing.")] = False,
) -> None:
    """Store the experiment in FILE as a draft, and say how many units it needs.

    Earlier experiments on its subject give the baseline and the rate.
    """
    from rich.console import Group
    from rich.text import Text

    from sortition.render import experiment_view, power_table
    from sortition.rpc.v1.analysis_pb2 import PowerRequest, PowerResult

    spec = _spec(session, file)
    stored = _create(session, spec, check=check)

    def view() -> Group:
        try:
            needed: PowerResult = session.call(session.analysis.Power, PowerRequest(spec=stored.spec))
        except SortitionError as error:
            # The draft is stored; how large it has to be can be asked again.
            needed = PowerResult(reason=f"how many units it needs is unknown: {error.message}")
        return Group(experiment_view(stored), Text(), power_table(needed))

    session.show(stored, view)


def start(
    session: Session,
    experiment: Annotated[str, typer.Argument(metavar="KEY|FILE", help="The key of an experiment, or its file.")],
) -> None:
    """Start an experiment, or create and start one from a file.

    Starting the same file twice is refused, unless its experiment is still a draft.
    """
    key = _stored(session, Path(experiment)) if _is_file(experiment) else experiment
    try:
        _change(session, "StartExperiment", key)
    except SortitionError:
        if key != experiment:
            say(f"{key} is stored as a draft; start it with `sortition start {key}`")
        raise


def pause(session: Session, key: Key) -> None:
    """Give every unit the control, for now."""
    _change(session, "PauseExperiment", key)


def resume(session: Session, key: Key) -> None:
    """Continue a paused experiment."""
    _change(session, "ResumeExperiment", key)


def complete(
    session: Session,
    key: Key,
    ship: Annotated[
        bool, typer.Option("--ship", help="Merge the shipped variant's config into the subject's.")
    ] = False,
    variant: Annotated[str, typer.Option(metavar="NAME", help="The variant to ship; default: the winner.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Ship although the analysis forbids it; needs --reason.")
    ] = False,
) -> None:
    """End an experiment and store its result."""
    complete_experiment(session, key, ship=ship, variant=variant, force=force)


def cancel(session: Session, key: Key) -> None:
    """End an experiment without a result."""
    _change(session, "CancelExperiment", key)


def archive(session: Session, key: Key) -> None:
    """Hide a completed or cancelled experiment."""
    _change(session, "ArchiveExperiment", key)


def list_experiments(
    session: Session,
    status: Annotated[list[str] | None, typer.Option(metavar="STATUS", help="Only these statuses; repeatable.")] = None,
    subject: Subject = "",
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Where to go on.")] = "",
) -> None:
    """List experiments, newest first."""
    from sortition.render import experiment_table
    from sortition.rpc.v1.admin_pb2 import ListExperimentsRequest
    from sortition.rpc.v1.common_pb2 import SubjectRef

    kind, _, name = subject.partition("/")
    request = ListExperimentsRequest(
        organization=session.organization,
        subject=SubjectRef(kind=kind, id=name) if subject else None,
        statuses=_statuses(status or []),
        include_archived=archived,
    )
    answer = collect(session, session.admin.ListExperiments, request, "experiments", limit=limit, token=page_token)
    session.show(answer, lambda: experiment_table(answer.experiments))


def complete_experiment(session: Session, key: str, *, ship: bool, variant: str, force: bool) -> None:
    """Completes an experiment and shows how it ended."""
    from rich.console import Group
    from rich.text import Text

    from sortition.render import analysis_table, subject_view
    from sortition.rpc.v1.admin_pb2 import CompleteExperimentRequest

    if (variant or force) and not ship:
        raise InvalidArgument("--variant and --force say what to ship; give --ship as well")
    if force and not session.reason:
        raise InvalidArgument("--force needs --reason, which goes into the audit log")
    request = CompleteExperimentRequest(
        key=key, organization=session.organization, ship=ship, variant=variant, force=force, actor=session.actor
    )
    answer: CompleteExperimentResponse = session.call(session.admin.CompleteExperiment, request)

    def table() -> Group:
        shown = [analysis_table(answer.analysis, answer.experiment)]
        if answer.HasField("subject"):
            shown += [Text(), Text("shipped:"), subject_view(answer.subject)]
        return Group(*shown)

    session.show(answer, table)


def _create(session: Session, spec: ExperimentSpec, *, check: bool = False) -> Experiment:
    from sortition.model.wire import spec_to_proto
    from sortition.rpc.v1.admin_pb2 import CreateExperimentRequest

    request = CreateExperimentRequest(spec=spec_to_proto(spec), actor=session.actor, validate_only=check)
    stored: Experiment = session.call(session.admin.CreateExperiment, request)
    return stored


def _spec(session: Session, path: Path) -> ExperimentSpec:
    from sortition.model.file import load_experiment

    spec = load_experiment(path)
    if session.organization and session.organization != spec.organization:
        # The file's own organization would otherwise win without a word, or the option would.
        if "organization" in spec.model_fields_set:
            raise InvalidArgument(f"{path} belongs to organization {spec.organization}, not {session.organization}")
        spec = spec.model_copy(update={"organization": session.organization})
    return spec


def _stored(session: Session, path: Path) -> str:
    """Stores the experiment in `path`, unless exactly that is a draft already; returns its key."""
    from sortition.model.wire import spec_from_proto
    from sortition.rpc.v1.admin_pb2 import GetExperimentRequest
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

    spec = _spec(session, path)
    session.organization = spec.organization
    try:
        _create(session, spec)
    except AlreadyExists:
        request = GetExperimentRequest(key=spec.key, organization=spec.organization)
        stored: Experiment = session.call(session.admin.GetExperiment, request)
        if stored.status != ExperimentStatus.EXPERIMENT_STATUS_DRAFT or spec_from_proto(stored.spec) != spec:
            raise
    return spec.key


def _is_file(text: str) -> bool:
    if Path(text).suffix in (".yaml", ".yml") or "/" in text or "\\" in text:
        return True
    return Path(text).is_file()


def _change(session: Session, method: str, key: str) -> None:
    from sortition.rpc.v1.admin_pb2 import ChangeExperimentRequest

    request = ChangeExperimentRequest(key=key, organization=session.organization, actor=session.actor)
    try:
        _show(session, session.call(getattr(session.admin, method), request))
    except NotFound as error:
        if method == "StartExperiment" and not error.violations:
            raise NotFound(f"{error.message}; is {key} meant to be a file?") from None
        raise


def _show(session: Session, experiment: Experiment) -> None:
    from sortition.render import experiment_view

    session.show(experiment, lambda: experiment_view(experiment))


def _statuses(words: list[str]) -> list[WireStatus]:
    from sortition.model import ExperimentStatus
    from sortition.model.wire import status_to_proto

    known = [status.value for status in ExperimentStatus]
    wrong = [word for word in words if word not in known]
    if wrong:
        raise InvalidArgument.of(
            ("--status", f"must be one of {', '.join(known)}, but is {word!r}") for word in dict.fromkeys(wrong)
        )
    return [status_to_proto(ExperimentStatus(word)) for word in words]
