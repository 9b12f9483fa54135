"""What the exit code of a command means."""

from __future__ import annotations

from enum import IntEnum

from sortition.errors import SortitionError

__all__ = ["EXIT_CODES", "ExitCode", "exit_code"]


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    UNEXPECTED = 1
    INVALID = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNAVAILABLE = 5
    ALREADY_EXISTS = 6
    EXHAUSTED = 7
    DENIED = 8
    CONFLICT = 9
    INTERRUPTED = 130


EXIT_CODES: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.UNEXPECTED: (
        "unexpected: a defect, an unusable database; a replay that differs, a registration that does not hold, a check"
        " that fails"
    ),
    ExitCode.INVALID: "invalid input: options, files, values, settings",
    ExitCode.NOT_FOUND: "no such experiment, subject or version",
    ExitCode.REFUSED: "refused in this state: the lifecycle or the analysis forbids it",
    ExitCode.UNAVAILABLE: "not available now: no sidecar, no database, no answer in time",
    ExitCode.ALREADY_EXISTS: "already exists",
    ExitCode.EXHAUSTED: "a bound was reached",
    ExitCode.DENIED: "permission denied: no valid token, or one whose role may not",
    ExitCode.CONFLICT: "a conflict: somebody else changed it first, such as the file of a subject",
    ExitCode.INTERRUPTED: "interrupted",
}
"""Every exit code and its meaning."""

_BY_STATUS = {
    "INVALID_ARGUMENT": ExitCode.INVALID,
    "NOT_FOUND": ExitCode.NOT_FOUND,
    "FAILED_PRECONDITION": ExitCode.REFUSED,
    "ABORTED": ExitCode.CONFLICT,
    "UNAVAILABLE": ExitCode.UNAVAILABLE,
    "ALREADY_EXISTS": ExitCode.ALREADY_EXISTS,
    "RESOURCE_EXHAUSTED": ExitCode.EXHAUSTED,
    "PERMISSION_DENIED": ExitCode.DENIED,
    "UNAUTHENTICATED": ExitCode.DENIED,
}


def exit_code(error: SortitionError) -> ExitCode:
    """Returns the exit code that stands for `error`."""
    return _BY_STATUS.get(error.code, ExitCode.UNEXPECTED)
