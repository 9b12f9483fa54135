"""The current configurations that were last known, on disk, for when the sidecar is away."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sortition.errors import SortitionError

if TYPE_CHECKING:
    from sortition.cli.session import Session
    from sortition.rpc.v1.assignment_pb2 import AssignResponse

__all__ = ["Known", "KnownConfigs"]

_MAX_SUBJECTS: Final = 256
# A configuration has 256 KiB at most; escapes make six of a byte.
_MAX_BYTES: Final = 2 << 20


@dataclass(frozen=True)
class Known:
    """The configuration that a subject has without an experiment.

    Attributes:
        config: The configuration.
        version: The number of the subject's current version; 0 when it had none.
        experiment: Where that version holds nothing: the experiment whose control this is.
        since: The UTC day and minute on which it was learned.
    """

    config: dict[str, Any]
    version: int
    experiment: str
    since: str


class KnownConfigs:
    """One file per subject; the ones not used for the longest time go first.

    Nothing here is ever an error: a file that cannot be read or written is one that is not there.

    Args:
        directory: Where they are kept.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def recall(self, organization: str, subject: str) -> Known | None:
        """Returns what was last known of a subject."""
        try:
            with self._path(organization, subject).open("rb") as file:
                raw: dict[str, Any] = json.loads(file.read(_MAX_BYTES))
                return Known(dict(raw["config"]), int(raw["version"]), str(raw["experiment"]), str(raw["since"]))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def learn(self, session: Session, subject: str, answer: AssignResponse) -> None:
        """Keeps a subject's current configuration; asks for it where the answer of an experiment hides a new one."""
        known = self.recall(session.organization, subject)
        running = bool(answer.experiment)
        held = known is not None and known.version == answer.subject_version
        if running and known and held and known.experiment in ("", answer.experiment):
            return
        try:
            config, experiment = _asked(session, answer) if running else (json.loads(answer.config), "")
        except SortitionError:
            # Only an administrator's token may ask. What is known stays, and is the subject's last known one.
            return
        if known and held and (known.config, known.experiment) == (config, experiment):
            return
        since = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        self._write(subject, session.organization, Known(config, answer.subject_version, experiment, since))

    def _write(self, subject: str, organization: str, known: Known) -> None:
        scratch = ""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, scratch = tempfile.mkstemp(dir=self._directory)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(known), file)
            os.replace(scratch, self._path(organization, subject))
            files = sorted(self._directory.iterdir(), key=lambda path: path.stat().st_mtime)
            for path in files[:-_MAX_SUBJECTS]:
                path.unlink(missing_ok=True)
        except OSError:
            if scratch:
                Path(scratch).unlink(missing_ok=True)

    def _path(self, organization: str, subject: str) -> Path:
        named = json.dumps([organization or "default", subject])
        return self._directory / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"


def _asked(session: Session, answer: AssignResponse) -> tuple[dict[str, Any], str]:
    """Asks for the current configuration of a subject; for the control's, and whose it is, where that is empty."""
    from sortition.render.configs import plain_config
    from sortition.rpc.v1.admin_pb2 import GetExperimentRequest, GetSubjectRequest

    if answer.subject_version:
        subject = GetSubjectRequest(organization=session.organization, ref=answer.subject)
        config = plain_config(session.call(session.admin.GetSubject, subject).current.config)
        if config:
            return config, ""
    experiment = GetExperimentRequest(organization=session.organization, key=answer.experiment)
    variants = session.call(session.admin.GetExperiment, experiment).spec.variants
    return next(plain_config(variant.config) for variant in variants if variant.control), answer.experiment
