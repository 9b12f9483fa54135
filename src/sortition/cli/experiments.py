"""What is done to experiments, from their file to their end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.file_start import check_start, synchronize
from sortition.cli.group import say
from sortition.cli.pages import collect
from sortition.cli.session import Session
from sortition.cli.subject_files import HERE, Root, held_by
from sortition.errors import AlreadyExists, InvalidArgument, NotFound, SortitionError

if TYPE_CHECKING:
    from sortition.rpc.v1.admin_pb2 import CompleteExperimentResponse
    from sortition.rpc.v1.experiment_pb2 import Experiment
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus as WireStatus
    from sortition.subjectfiles.declare import Declared

__all__ = ["Key", "complete_experiment", "declared_in", "get_experiment", "register"]

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
    root: Root = HERE,
) -> None:
    """Store the experiment in FILE as a draft, and say how many units it needs.

    Earlier experiments on its subject give the baseline and the rate.
    """
    from rich.console import Group
    from rich.text import Text

    from sortition.render import experiment_view, power_table
    from sortition.rpc.v1.analysis_pb2 import PowerRequest, PowerResult

    stored = _create(session, declared_in(session, file, root), check=check)

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
    root: Root = HERE,
) -> None:
    """Start an experiment, or create and start one from a file.

    Starting the same file twice is refused, unless its experiment is still a draft.
    """
    key = experiment
    if _is_file(experiment):
        key = _stored(session, Path(experiment), root)
    else:
        _check_file(session, key, root)
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
    completed = complete_experiment(session, key, ship=ship, variant=variant, force=force)
    if completed.HasField("subject") and held_by(completed.subject.current) is not None:
        ref = completed.subject.ref
        say(f"its file is as it was; bring it to the new version with `sortition apply {ref.kind}/{ref.id}`")


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
        statuses=statuses_of(status or []),
        include_archived=archived,
    )
    answer = collect(session, session.admin.ListExperiments, request, "experiments", limit=limit, token=page_token)
    session.show(answer, lambda: experiment_table(answer.experiments))


def complete_experiment(
    session: Session, key: str, *, ship: bool, variant: str, force: bool
) -> CompleteExperimentResponse:
    """Completes an experiment, shows how it ended, and returns that."""
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
    return answer


def get_experiment(session: Session, key: str) -> Experiment:
    """Returns an experiment."""
    from sortition.rpc.v1.admin_pb2 import GetExperimentRequest

    request = GetExperimentRequest(key=key, organization=session.organization)
    found: Experiment = session.call(session.admin.GetExperiment, request)
    return found


def _create(session: Session, declared: Declared, *, check: bool = False) -> Experiment:
    from sortition.model.wire import spec_to_proto
    from sortition.rpc.v1.admin_pb2 import CreateExperimentRequest

    request = CreateExperimentRequest(spec=spec_to_proto(declared.spec), actor=session.actor, validate_only=check)
    if declared.base is not None and not check:
        # What is refused leaves the subject as it is, too.
        request.validate_only = True
        session.call(session.admin.CreateExperiment, request)
        synchronize(session, declared.spec, declared.base)
        request.validate_only = False
    stored: Experiment = session.call(session.admin.CreateExperiment, request)
    return stored


def declared_in(session: Session, path: Path, root: Path) -> Declared:
    """Returns the experiment in a file, in the organization that was asked for; the files it names are below `root`."""
    from sortition.subjectfiles.declare import Declared, declared_experiment

    declared = declared_experiment(path, root)
    spec = declared.spec
    if session.organization and session.organization != spec.organization:
        # The file's own organization would otherwise win without a word, or the option would.
        if "organization" in spec.model_fields_set:
            raise InvalidArgument(f"{path} belongs to organization {spec.organization}, not {session.organization}")
        return Declared(spec.model_copy(update={"organization": session.organization}), declared.base)
    return declared


def _stored(session: Session, path: Path, root: Path) -> str:
    """Stores the experiment in `path`, unless exactly that is a draft already; returns its key."""
    from sortition.model.wire import spec_from_proto
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

    declared = declared_in(session, path, root)
    spec = declared.spec
    session.organization = spec.organization
    try:
        _create(session, declared)
    except AlreadyExists:
        stored = get_experiment(session, spec.key)
        if stored.status != ExperimentStatus.EXPERIMENT_STATUS_DRAFT or spec_from_proto(stored.spec) != spec:
            if stored.status != ExperimentStatus.EXPERIMENT_STATUS_DRAFT:
                say(
                    f"what {spec.key} declares is fixed since its start; `sortition rerun {spec.key} {path}` asks again"
                )
            raise
        if declared.base is not None:
            synchronize(session, spec, declared.base)
    return spec.key


def _check_file(session: Session, key: str, root: Path) -> None:
    """Checks that the file of a draft's subject, where it is in one, is what the draft was made of."""
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

    try:
        draft = get_experiment(session, key)
    except NotFound:
        # The start says so, and what may be meant.
        return
    if draft.spec.subject.kind == "file" and draft.status == ExperimentStatus.EXPERIMENT_STATUS_DRAFT:
        check_start(session, draft, root)


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


def statuses_of(words: list[str]) -> list[WireStatus]:
    """Returns the statuses that `words` name.

    Raises:
        InvalidArgument: One names none.
    """
    from sortition.model import ExperimentStatus
    from sortition.model.wire import status_to_proto

    known = [status.value for status in ExperimentStatus]
    wrong = [word for word in words if word not in known]
    if wrong:
        raise InvalidArgument.of(
            ("--status", f"must be one of {', '.join(known)}, but is {word!r}") for word in dict.fromkeys(wrong)
        )
    return [status_to_proto(ExperimentStatus(word)) for word in words]
