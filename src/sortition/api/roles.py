"""Which role each method asks for. What is not in this table cannot be served."""

from __future__ import annotations

from enum import Enum
from typing import Final

from sortition.errors import InternalError

__all__ = ["REQUIRED", "Role", "required_role"]


class Role(str, Enum):
    """What a token may do."""

    AGENT = "agent"
    """Ask for variants and say how it went."""
    ADMIN = "admin"
    """Everything."""

    def allows(self, required: Role | None) -> bool:
        """Returns whether this role may call a method that asks for `required`; None asks for no role."""
        return required is None or self is Role.ADMIN or self is required


def _methods(service: str, role: Role | None, *names: str) -> dict[str, Role | None]:
    return {f"{service}/{name}": role for name in names}


REQUIRED: Final[dict[str, Role | None]] = {
    **_methods("sortition.rpc.v1.Assignment", Role.AGENT, "Assign", "AssignBatch", "AssignStream", "Expose", "Watch"),
    **_methods("sortition.rpc.v1.Recording", Role.AGENT, "Record", "RecordBatch", "RecordStream"),
    **_methods(
        "sortition.rpc.v1.Admin",
        Role.ADMIN,
        *("CreateExperiment", "UpdateExperiment", "StartExperiment", "PauseExperiment", "ResumeExperiment"),
        *("CompleteExperiment", "CancelExperiment", "ArchiveExperiment"),
        *("RerunExperiment", "GetRegistration", "ReweightExperiment"),
        *("GetExperiment", "ListExperiments", "GetActiveExperiment"),
        *("CreateSubject", "GetSubject", "ListSubjects", "CreateSubjectVersion", "ListSubjectVersions"),
        *("PromoteSubjectVersion", "RollbackSubject", "RunAutomatic"),
        *("ListAuditEvents", "ListAlerts", "CheckAlerts", "GetServerInfo"),
    ),
    **_methods(
        "sortition.rpc.v1.Analysis",
        Role.ADMIN,
        *("Analyze", "GetStatus", "ListStatus", "Summarize", "GetSeries", "Power", "ListDecisions", "Replay"),
        *("GetDistribution", "GetPowerCurve", "GetFullReport"),
    ),
    # It tells the shape of the contract, and keeps a thread while it is asked.
    **_methods("grpc.reflection.v1alpha.ServerReflection", Role.ADMIN, "ServerReflectionInfo"),
    # Whoever starts, watches or balances sidecars has no token, and learns nothing but whether one answers.
    **_methods("grpc.health.v1.Health", None, "Check", "List", "Watch"),
}
"""The role that a method asks for, by its full name; None for those that need no token."""


def required_role(method: str) -> Role | None:
    """Returns the role that `method` asks for.

    Raises:
        InternalError: Nobody has decided who may call it, so nobody may.
    """
    try:
        return REQUIRED[method]
    except KeyError:
        raise InternalError(f"{method} has no role; declare one in sortition.api.roles") from None
