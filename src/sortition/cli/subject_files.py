"""Subjects in files, where their files are: ``apply``, and what ``start``, ``promote`` and ``rollback`` do with files.

A sidecar may be anywhere, so it never writes a file. It keeps what a file is to hold, as a version of its subject; the
command line brings the file to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sortition.cli.commit_text import commit_text
from sortition.cli.session import Output, Session
from sortition.errors import Conflict, ShipRefused

if TYPE_CHECKING:
    from sortition.model.canonical import JsonObject
    from sortition.rpc.v1.admin_pb2 import Subject, SubjectVersion
    from sortition.rpc.v1.analysis_pb2 import AnalysisResult
    from sortition.rpc.v1.common_pb2 import SubjectRef
    from sortition.rpc.v1.experiment_pb2 import Experiment
    from sortition.subjectfiles.held import HeldFile
    from sortition.subjectfiles.place import Place

__all__ = [
    "HERE",
    "Beside",
    "DryRun",
    "GitCommit",
    "NoFiles",
    "Root",
    "bases",
    "beside",
    "bring",
    "check_ship",
    "content_of",
    "find",
    "held_by",
    "show_diff",
    "tell",
    "treatments",
    "versions",
    "winner",
]

HERE = Path(".")
"""Where files are looked for unless told otherwise."""
Root = Annotated[
    Path,
    typer.Option(metavar="DIR", envvar="SORTITION_ROOT", help="For subjects in files: the directory they are below."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be changed, and change nothing.")]
GitCommit = Annotated[bool, typer.Option("--git-commit", help="For subjects in files: commit the file, alone.")]
NoFiles = Annotated[bool, typer.Option("--no-files", help="For subjects in files: leave the file as it is, for now.")]

# Far more than anybody ships; a page has as many as fit into a message.
_MAX_VERSIONS = 10_000
_PAGE = 50


@dataclass(frozen=True)
class Beside:
    """A subject, and the file that it is.

    Attributes:
        subject: The subject.
        held: What its current version says about the file.
        place: Where the file is.
    """

    subject: Subject
    held: HeldFile
    place: Place

    @property
    def name(self) -> str:
        """The subject's kind and id."""
        return f"{self.subject.ref.kind}/{self.subject.ref.id}"

    def theirs(self) -> str:
        """Returns the SHA-256 of what the file holds now.

        Raises:
            NotFound: It is not there.
        """
        from sortition.subjectfiles.place import digest

        return digest(self.place.read()[0])

    def conflict(self, session: Session, base: str, ours: str) -> Conflict:
        """Shows what the file, what it was and what it is to be have not in common; returns the error to raise."""
        from sortition.subjectfiles.diff import three_way

        theirs = self.place.read()[0].decode("utf-8", "replace")
        _show(session, three_way(base, theirs, ours, self.place.path))
        return Conflict(
            f"{self.place.path} was changed by somebody else, and nothing was done; put it back as it was, or use"
            " --no-files and merge what is shown by hand"
        )


def find(session: Session, ref: SubjectRef, root: Path) -> Beside | None:
    """Returns a subject and its file; None where the subject is in no file."""
    from sortition.rpc.v1.admin_pb2 import GetSubjectRequest

    request = GetSubjectRequest(organization=session.organization, ref=ref)
    return beside(session.call(session.admin.GetSubject, request), root)


def beside(subject: Subject, root: Path) -> Beside | None:
    """Returns a subject and its file; None where the subject is in no file."""
    from sortition.subjectfiles.place import place

    held = held_by(subject.current)
    return None if held is None else Beside(subject, held, place(root, held.path))


def held_by(version: SubjectVersion) -> HeldFile | None:
    """Returns the file that a version holds; None where it holds none."""
    from sortition.model.wire import config_from_struct
    from sortition.subjectfiles.held import held_file

    return held_file(config_from_struct(version.config))


def versions(session: Session, subject: Subject) -> Iterator[tuple[int, HeldFile]]:
    """Yields the versions of a subject that hold a file, newest first."""
    from sortition.rpc.v1.admin_pb2 import ListSubjectVersionsRequest

    request = ListSubjectVersionsRequest(organization=subject.organization, ref=subject.ref, page_size=_PAGE)
    for _ in range(_MAX_VERSIONS // _PAGE):
        page = session.call(session.admin.ListSubjectVersions, request)
        for version in page.versions:
            if (held := held_by(version)) is not None:
                yield version.number, held
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def check_ship(session: Session, experiment: Experiment, found: Beside, choose: Callable[[], str]) -> None:
    """Checks that the file is what the experiment began with.

    Args:
        session: The connection.
        experiment: The experiment.
        found: Its subject.
        choose: Returns the variant that is to be shipped; called only where there is a conflict to be shown.

    Raises:
        Conflict: The file, or its subject, was changed since the experiment was started.
    """
    made_of = {found.held.sha256, *bases(experiment)}
    if found.theirs() != found.held.sha256 or len(made_of) > 1:
        raise found.conflict(session, found.held.content, content_of(experiment, found, choose()))


def content_of(experiment: Experiment, found: Beside, variant: str) -> str:
    """Returns what the file would hold with a variant."""
    return dict(treatments(experiment)).get(variant, found.held.content)


def winner(session: Session, key: str, variant: str) -> str:
    """Returns the variant that would be shipped.

    Raises:
        ShipRefused: There is none.
    """
    from sortition.rpc.v1.analysis_pb2 import AnalyzeRequest

    if variant:
        return variant
    request = AnalyzeRequest(key=key, organization=session.organization)
    analysis: AnalysisResult = session.call(session.analysis.Analyze, request)
    if not (analysis.winner and analysis.should_ship):
        raise ShipRefused(f"experiment {key!r} has no winner to ship ({analysis.recommendation})")
    return analysis.winner


def bring(session: Session, found: Beside, *, dry_run: bool, git_commit: bool) -> JsonObject:
    """Brings a file to what the current version of its subject holds, and commits it if asked.

    Returns:
        What was done, as one document.

    Raises:
        Conflict: The file holds what no version of the subject does.
    """
    from sortition.subjectfiles.diff import unified
    from sortition.subjectfiles.git import commit_file, require_repository
    from sortition.subjectfiles.place import digest, read_text
    from sortition.subjectfiles.swap import backup_of, swap

    if git_commit:
        require_repository(found.place.target)
    content, _ = found.place.read()
    there = digest(content)
    held = found.held
    if there not in (held.sha256, held.base):
        known = list(versions(session, found.subject))
        if there not in {each.sha256 for _, each in known}:
            base = next((each.content for _, each in known if each.sha256 == held.base), "")
            raise found.conflict(session, base, held.content)
    diff = unified(read_text(content, held.path), held.content, held.path)
    _show(session, diff)
    done: JsonObject = {
        "subject": found.name, "version": found.subject.current.number, "path": held.path, "changed": bool(diff),
        "diff": diff, "backup": None, "commit": "",
    }  # fmt: skip
    if dry_run:
        return done
    after = backup_of(found.place.root, held.sha256) or held.content.encode()
    swapped = swap(found.place, there, after)
    if swapped.backup is not None:
        done["backup"] = str(swapped.backup.relative_to(found.place.root))
    if git_commit:
        done["commit"] = commit_file(found.place.target, commit_text(session, found.subject, found.place.path))
    return done


def tell(done: JsonObject, *, dry_run: bool = False) -> str:
    """Returns what was done to a file, in words."""
    what = f"version {done['version']} of {done['subject']}"
    if dry_run:
        return f"{done['path']} would hold {what}" if done["changed"] else f"{done['path']} holds {what} already"
    backup = f"; what it held before is in {done['backup']}" if done["backup"] else ""
    committed = f"; committed as {str(done['commit'])[:12]}" if done["commit"] else ""
    return f"{done['path']} holds {what}{backup}{committed}"


def show_diff(session: Session, before: str, after: str, path: str) -> None:
    """Shows how a text would change."""
    from sortition.subjectfiles.diff import unified

    _show(session, unified(before, after, path))


def _show(session: Session, text: str) -> None:
    """Shows a diff: beside a JSON document on stderr, so that stdout holds one document."""
    from sortition.render.words import clean

    typer.echo(clean(text.replace("\r\n", "\n")), nl=False, err=session.output is Output.JSON)


def treatments(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yields what the file would hold with each treatment."""
    from sortition.model.wire import config_from_struct

    for variant in experiment.spec.variants:
        content = config_from_struct(variant.config).get("content")
        if isinstance(content, str):
            yield variant.name, content


def bases(experiment: Experiment) -> Iterator[str]:
    """Yields the SHA-256 of the file that each treatment was made of."""
    from sortition.model.wire import config_from_struct

    for variant in experiment.spec.variants:
        about: Any = config_from_struct(variant.config).get("file")
        if isinstance(about, dict) and isinstance(about.get("base"), str):
            yield about["base"]
