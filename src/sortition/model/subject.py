"""The things that experiments are about."""

from __future__ import annotations

from sortition.model.base import Part
from sortition.model.names import Key, Kind

__all__ = ["SubjectRef"]


class SubjectRef(Part):
    """Names a subject: an agent, a prompt, a workflow, a module configuration.

    Attributes:
        kind: What it is, such as "agent" or "prompt".
        id: Its name within its kind and organization.
    """

    kind: Kind
    id: Key

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"
