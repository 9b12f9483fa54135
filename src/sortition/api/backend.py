"""What the control plane works with, once the database has been reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sortition.lifecycle import AuditLog, Automatic, Experiments, Subjects
from sortition.lifecycle.alerts import AlertBook

__all__ = ["Backend", "BackendSource"]


@dataclass(frozen=True)
class Backend:
    """The lifecycle over one database."""

    experiments: Experiments
    subjects: Subjects
    audit: AuditLog
    automatic: Automatic
    alerts: AlertBook


BackendSource: TypeAlias = Callable[[], Backend]
"""Returns the backend; raises StoreUnavailable while the database could not be reached since the start."""
