"""Subjects and their versions."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sortition.render.configs import config_text
from sortition.render.tables import quiet_table
from sortition.render.words import clean, moment
from sortition.rpc.v1.admin_pb2 import Subject, SubjectVersion

__all__ = ["subject_table", "subject_view", "version_table"]

_HASH_CHARACTERS = 12


def subject_table(subjects: Iterable[Subject]) -> Table:
    """Returns one line for each subject."""
    table = quiet_table("subject", "version", "config", "description", right=("version",))
    for subject in subjects:
        table.add_row(
            Text(_name(subject)), str(subject.current.number), config_text(subject.current.config),
            Text(clean(subject.description)),
        )  # fmt: skip
    return table


def subject_view(subject: Subject) -> RenderableType:
    """Returns one subject with its current configuration."""
    version = subject.current
    head = Text("   ").join(
        [Text(_name(subject), style="bold"), Text(f"version {version.number}"), Text(_origin(version))]
    )
    notes = [Text(clean(text)) for text in (subject.description, version.note) if text]
    return Group(head, *notes, config_text(version.config, indent=2))


def version_table(versions: Iterable[SubjectVersion], current: int = 0) -> Table:
    """Returns one line for each version; an arrow marks the current one."""
    table = quiet_table("version", "made", "origin", "hash", "config", "note", right=("version",))
    for version in versions:
        table.add_row(
            f"→ {version.number}" if version.number == current else str(version.number),
            moment(version.created_at) if version.HasField("created_at") else "–", Text(_origin(version)),
            Text(clean(version.config_hash[:_HASH_CHARACTERS])), config_text(version.config), Text(clean(version.note)),
        )  # fmt: skip
    return table


def _name(subject: Subject) -> str:
    name = f"{subject.ref.kind}/{subject.ref.id}"
    return clean(name if subject.organization in ("", "default") else f"{subject.organization}: {name}")


def _origin(version: SubjectVersion) -> str:
    return clean(f"{version.origin} by {version.experiment}" if version.experiment else version.origin)
