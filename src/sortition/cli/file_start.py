"""What a start does about the file that an experiment's subject is in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sortition.cli.group import say
from sortition.cli.session import Session
from sortition.cli.subject_files import bases, find, treatments
from sortition.errors import FailedPrecondition, NotFound

if TYPE_CHECKING:
    from sortition.model import ExperimentSpec
    from sortition.model.canonical import JsonObject
    from sortition.rpc.v1.admin_pb2 import Subject
    from sortition.rpc.v1.experiment_pb2 import Experiment

__all__ = ["check_start", "synchronize"]


def synchronize(session: Session, spec: ExperimentSpec, base: JsonObject) -> None:
    """Makes the file as it is the current version of its subject, unless it is that already.

    Raises:
        FailedPrecondition: The subject is something else, or an experiment runs on it.
    """
    from sortition.model.wire import config_from_struct, struct_from_config, subject_to_proto
    from sortition.rpc.v1.admin_pb2 import CreateSubjectRequest, CreateSubjectVersionRequest, GetSubjectRequest
    from sortition.subjectfiles.held import held_file

    ref = subject_to_proto(spec.subject)
    wanted = held_file(base)
    assert wanted is not None
    config = struct_from_config(base)
    try:
        subject: Subject = session.call(
            session.admin.GetSubject, GetSubjectRequest(organization=spec.organization, ref=ref)
        )
    except NotFound:
        session.call(
            session.admin.CreateSubject,
            CreateSubjectRequest(
                organization=spec.organization, ref=ref, config=config, description=wanted.path, actor=session.actor
            ),
        )
        return
    now = config_from_struct(subject.current.config)
    held = held_file(now)
    if held is None and now:
        raise FailedPrecondition(
            f"subject {spec.subject} has a configuration that is no file; give the file a subject of its own"
        )
    # What a shipped treatment was made of does not matter to what comes next; whether there are values does.
    if held is None or (held.path, held.sha256, "values" in now) != (wanted.path, wanted.sha256, "values" in base):
        note = f"{wanted.path} as it was before {spec.key}"
        session.call(
            session.admin.CreateSubjectVersion,
            CreateSubjectVersionRequest(
                organization=spec.organization, ref=ref, config=config, note=note, promote=True, actor=session.actor
            ),
        )


def check_start(session: Session, experiment: Experiment, root: Path) -> None:
    """Checks that a draft's file is still what its control says.

    Raises:
        Conflict: It was changed since the draft was made.
    """
    found = find(session, experiment.spec.subject, root)
    if found is None:
        return
    try:
        changed = found.theirs() != found.held.sha256
    except NotFound:
        say(f"{found.place.path} is not below {found.place.root}, so nobody has looked whether it has changed")
        return
    made_of = {found.held.sha256, *bases(experiment)}
    if changed or len(made_of) > 1:
        ours = next((each for _, each in treatments(experiment)), found.held.content)
        raise found.conflict(session, found.held.content, ours)
