"""What becomes current: ``promote``, ``apply`` and ``rollback``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.experiments import complete_experiment, get_experiment
from sortition.cli.group import say
from sortition.cli.session import Output, Session
from sortition.cli.subject_files import (
    HERE,
    Beside,
    DryRun,
    GitCommit,
    NoFiles,
    Root,
    beside,
    bring,
    check_ship,
    content_of,
    find,
    held_by,
    show_diff,
    tell,
    versions,
    winner,
)
from sortition.cli.subjects import Ref, show_subject, subject_ref
from sortition.errors import FailedPrecondition, InvalidArgument, SortitionError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sortition.model.canonical import JsonObject
    from sortition.rpc.v1.admin_pb2 import Subject
    from sortition.rpc.v1.experiment_pb2 import Experiment

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "promote", changes=True)(promote)
    command(app, "apply", changes=True)(apply)
    command(app, "rollback", changes=True)(rollback)


def promote(
    session: Session,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="The experiment whose winner is shipped.")] = None,
    variant: Annotated[str, typer.Option(metavar="NAME", help="The variant to ship; default: the winner.")] = "",
    subject: Annotated[str, typer.Option(metavar="KIND/ID", help="Instead of KEY: the subject of --version.")] = "",
    version: Annotated[int | None, typer.Option(min=1, help="With --subject: the version to make current.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Although it is advised against; needs --reason.")] = False,
    dry_run: DryRun = False,
    root: Root = HERE,
    git_commit: GitCommit = False,
    no_files: NoFiles = False,
) -> None:
    """Ship a winner, or make a version of a subject current.

    Shipping completes the experiment and merges the winner's config into the subject's current one, as a new version.
    Where the subject is a file, that is shown as a diff, backed up and replaced; a file that somebody else has changed
    since the start is left as it is, and nothing is shipped.
    """
    if (key is None) == (not subject):
        raise InvalidArgument("give KEY to ship a winner, or --subject and --version to make a version current")
    if git_commit and no_files:
        raise InvalidArgument("--git-commit commits the file that --no-files leaves as it is; give one of them")
    if key is not None:
        if version is not None:
            raise InvalidArgument("--version belongs to --subject; a winner makes a version of its own")
        if force and not session.reason:
            raise InvalidArgument("--force needs --reason, which goes into the audit log")
        _ship(
            session, key, variant, force=force, dry_run=dry_run, git_commit=git_commit, root=None if no_files else root
        )
        return
    if version is None or variant:
        raise InvalidArgument("--subject needs --version, and no --variant")
    if dry_run or git_commit:
        raise InvalidArgument("--dry-run and --git-commit belong to KEY; `sortition apply` has them for a version")
    if force and not session.reason:
        raise InvalidArgument("--force needs --reason, which goes into the audit log")
    from sortition.rpc.v1.admin_pb2 import PromoteSubjectVersionRequest

    request = PromoteSubjectVersionRequest(
        organization=session.organization, ref=subject_ref(subject), number=version, force=force, actor=session.actor
    )
    shown: Subject = session.call(session.admin.PromoteSubjectVersion, request)
    show_subject(session, shown)
    if held_by(shown.current) is not None:
        say(f"its file is as it was; bring it to version {version} with `sortition apply {subject}`")


def apply(
    session: Session,
    subject: Ref,
    root: Root = HERE,
    dry_run: DryRun = False,
    git_commit: GitCommit = False,
) -> None:
    """Bring a subject's file to the subject's current version.

    After a promotion that was made elsewhere, as by automatic mode, or that was interrupted. What the file holds is
    kept as a backup; a file that somebody else has changed is left as it is.
    """
    found = find(session, subject_ref(subject), root)
    if found is None:
        raise FailedPrecondition(f"subject {subject} is in no file; there is nothing to apply")
    done = bring(session, found, dry_run=dry_run, git_commit=git_commit)
    if session.output is Output.JSON:
        from sortition.cli.output import print_document

        print_document(done)
    else:
        _say(session, done, dry_run=dry_run)


def rollback(
    session: Session,
    subject: Ref,
    root: Root = HERE,
    git_commit: GitCommit = False,
    no_files: NoFiles = False,
) -> None:
    """Undo the last promotion of a subject; where it is a file, restore that from its backup, byte for byte."""
    from sortition.rpc.v1.admin_pb2 import RollbackSubjectRequest

    found = None if no_files else find(session, subject_ref(subject), root)
    if found is None and git_commit:
        raise InvalidArgument(f"--git-commit is for subjects in files, and {subject} is in none that is meant here")
    if found is not None and _rolled_back(session, found, git_commit=git_commit):
        # The sidecar did its part before; undoing one more promotion is not what was asked for.
        say(f"{found.name} is at version {found.subject.current.number} already, and its file was not")
        show_subject(session, found.subject)
        _say(session, bring(session, found, dry_run=False, git_commit=git_commit))
        return
    request = RollbackSubjectRequest(organization=session.organization, ref=subject_ref(subject), actor=session.actor)
    after: Subject = session.call(session.admin.RollbackSubject, request)
    show_subject(session, after)
    if found is None:
        return
    restored = beside(after, root)
    if restored is None:
        say(f"version {after.current.number} of {found.name} is in no file; {found.place.path} is left as it is")
        return
    _say(session, bring(session, restored, dry_run=False, git_commit=git_commit))


def _ship(
    session: Session, key: str, variant: str, *, force: bool, dry_run: bool, git_commit: bool, root: Path | None
) -> None:
    """Ships a variant; and brings the subject's file to it, where there is one below `root`."""
    from sortition.rpc.v1.admin_pb2 import CompleteExperimentResponse
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

    experiment = get_experiment(session, key)
    found = None if root is None else find(session, experiment.spec.subject, root)
    if found is None:
        if git_commit:
            raise InvalidArgument(f"--git-commit is for subjects in files, and that of {key} is in none")
        if dry_run:
            _show_merged(session, experiment, variant)
        else:
            complete_experiment(session, key, ship=True, variant=variant, force=force)
        return
    if git_commit:
        from sortition.subjectfiles.git import require_repository

        require_repository(found.place.target)
    over = experiment.status == ExperimentStatus.EXPERIMENT_STATUS_COMPLETED
    if over and 0 < experiment.shipped_version == found.subject.current.number:
        # It was shipped, by automatic mode or by a command that did not come to its end.
        say(f"{key} was shipped before, as version {experiment.shipped_version} of {found.name}")
        if not dry_run:
            answer = CompleteExperimentResponse(experiment=experiment, subject=found.subject)
            session.show(answer, lambda: _subject_view(found.subject))
        _say(session, bring(session, found, dry_run=dry_run, git_commit=git_commit), dry_run=dry_run)
        return
    active = experiment.status in (
        ExperimentStatus.EXPERIMENT_STATUS_RUNNING, ExperimentStatus.EXPERIMENT_STATUS_PAUSED,
    )  # fmt: skip
    if active:
        # The sidecar says more about what cannot be shipped at all; here it is only about the file.
        _check(session, experiment, found, variant, dry_run=dry_run)
    if dry_run and active:
        return
    completed = complete_experiment(session, key, ship=True, variant=variant, force=force)
    shipped = beside(completed.subject, found.place.root)
    assert shipped is not None
    _say(session, bring(session, shipped, dry_run=False, git_commit=git_commit))


def _check(session: Session, experiment: Experiment, found: Beside, variant: str, *, dry_run: bool) -> None:
    def choose() -> str:
        try:
            return winner(session, experiment.spec.key, variant)
        except SortitionError:
            # That there is none is said when the file is as it was.
            return ""

    check_ship(session, experiment, found, choose)
    if not dry_run:
        return
    chosen = _known(experiment, winner(session, experiment.spec.key, variant))
    show_diff(session, found.held.content, content_of(experiment, found, chosen), found.place.path)
    say(f"{found.place.path} would hold {chosen}; nothing was changed")


def _show_merged(session: Session, experiment: Experiment, variant: str) -> None:
    """Shows how a configuration would change."""
    from sortition.model.canonical import merge
    from sortition.model.wire import config_from_struct
    from sortition.render.configs import whole_numbers
    from sortition.rpc.v1.admin_pb2 import GetSubjectRequest

    chosen = _known(experiment, winner(session, experiment.spec.key, variant))
    request = GetSubjectRequest(organization=session.organization, ref=experiment.spec.subject)
    subject: Subject = session.call(session.admin.GetSubject, request)
    before = config_from_struct(subject.current.config)
    change = next(each.config for each in experiment.spec.variants if each.name == chosen)
    texts = [
        json.dumps(whole_numbers(config), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for config in (before, merge(before, config_from_struct(change)))
    ]
    name = f"{subject.ref.kind}/{subject.ref.id}"
    show_diff(session, texts[0], texts[1], name)
    say(f"{name} would get {chosen}; nothing was changed")


def _known(experiment: Experiment, variant: str) -> str:
    names = [each.name for each in experiment.spec.variants]
    if variant not in names:
        text = f"is {variant!r}, which the experiment has not; choose one of {', '.join(names)}"
        raise InvalidArgument.of([("--variant", text)])
    return variant


def _rolled_back(session: Session, found: Beside, *, git_commit: bool) -> bool:
    """Returns whether only the file of a subject that was rolled back is still to be restored.

    Raises:
        Conflict: The file holds what no version of the subject does.
    """
    if git_commit:
        from sortition.subjectfiles.git import require_repository

        require_repository(found.place.target)
    there = found.theirs()
    if there in (found.held.sha256, found.held.base):
        return False
    known = list(versions(session, found.subject))
    numbers = [number for number, held in known if held.sha256 == there]
    if not numbers:
        before = next((held.content for _, held in known if held.sha256 == found.held.base), "")
        raise found.conflict(session, found.held.content, before)
    return min(numbers) > found.subject.current.number


def _subject_view(subject: Subject) -> RenderableType:
    from sortition.render import subject_view

    return subject_view(subject)


def _say(session: Session, done: JsonObject, *, dry_run: bool = False) -> None:
    """Says what was done to a file: beside a JSON document on stderr."""
    typer.echo(tell(done, dry_run=dry_run), err=session.output is Output.JSON)
