"""Every exception that sortition raises on purpose.

::

    SortitionError
    ├── InvalidArgument          a value that can never be accepted; lists every violation
    │   └── SpecError            the same, in a file: knows line and column
    ├── NotFound                 no such experiment, subject, version, metric
    ├── AlreadyExists            the key is taken, or an idempotency key came back with another payload
    ├── FailedPrecondition       not in this state
    │   ├── IllegalTransition    the lifecycle forbids it
    │   ├── ShipRefused          the analysis forbids it
    │   └── Conflict             somebody else changed it first
    ├── PermissionDenied         this caller may not
    │   └── Unauthenticated      nobody knows this caller: no token, or none that is valid
    ├── ResourceExhausted        a bound was reached; names it
    ├── Unavailable              not now; try again
    │   ├── NotReady             no snapshot is loaded yet
    │   ├── SidecarUnavailable   the client could not reach its sidecar
    │   └── StoreUnavailable     the database could not be reached
    ├── DataLoss                 stored bytes are damaged
    ├── StoreError               the database is there and cannot be used (damaged, newer, read-only)
    ├── SettingsError            a setting is wrong
    └── InternalError            a defect in sortition

The native core raises these same classes. Each has a gRPC status in ``code``, by its name there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

__all__ = [
    "AlreadyExists",
    "Conflict",
    "DataLoss",
    "FailedPrecondition",
    "IllegalTransition",
    "InternalError",
    "InvalidArgument",
    "NotFound",
    "NotReady",
    "PermissionDenied",
    "ResourceExhausted",
    "SettingsError",
    "ShipRefused",
    "SidecarUnavailable",
    "SortitionError",
    "SpecError",
    "StoreError",
    "StoreUnavailable",
    "Unauthenticated",
    "Unavailable",
    "Violation",
]


class Violation(NamedTuple):
    """One refused field.

    Attributes:
        field: The path of the field, such as ``variants[2].weight``; empty when the whole message is meant.
        description: What is wrong: the value, the limit, and what to do.
        line: The line in the file it came from, counted from 1; ``None`` when it came from no file.
        column: The column in that line, counted from 1.
    """

    field: str
    description: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        return f"{where}{self.field}: {self.description}" if self.field else f"{where}{self.description}"


class SortitionError(Exception):
    """The root of the tree.

    Attributes:
        code: The name of the gRPC status that stands for this error.
        message: One line for people.
        violations: The fields that were refused; empty where the error is not about a field.
    """

    code: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str, violations: Iterable[tuple[str, str] | Violation] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.violations: tuple[Violation, ...] = tuple(Violation(*violation) for violation in violations)

    def __reduce__(self) -> tuple[type[SortitionError], tuple[str, tuple[Violation, ...]]]:
        return type(self), (self.message, self.violations)


class InvalidArgument(SortitionError):
    """A value that can never be accepted. Nothing was changed."""

    code = "INVALID_ARGUMENT"

    @classmethod
    def of(cls, violations: Iterable[tuple[str, str] | Violation]) -> InvalidArgument:
        """Makes the error whose message lists all `violations`."""
        found = tuple(Violation(*violation) for violation in violations)
        return cls("; ".join(str(violation) for violation in found), found)


class SpecError(InvalidArgument):
    """A file that does not describe an experiment; its violations know line and column."""


class NotFound(SortitionError):
    """No such thing."""

    code = "NOT_FOUND"


class AlreadyExists(SortitionError):
    """The name is taken."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(SortitionError):
    """Not in this state."""

    code = "FAILED_PRECONDITION"


class IllegalTransition(FailedPrecondition):
    """The lifecycle has no such step from here."""


class ShipRefused(FailedPrecondition):
    """The analysis forbids shipping; it can be forced with a reason."""


class Conflict(FailedPrecondition):
    """Somebody else changed it first: read it again."""

    code = "ABORTED"


class PermissionDenied(SortitionError):
    """This caller may not do this."""

    code = "PERMISSION_DENIED"


class Unauthenticated(PermissionDenied):
    """Nobody knows this caller: it sent no token, or none that is valid now."""

    code = "UNAUTHENTICATED"


class ResourceExhausted(SortitionError):
    """A bound was reached; the message names it."""

    code = "RESOURCE_EXHAUSTED"


class Unavailable(SortitionError):
    """Not now; the same call may succeed later."""

    code = "UNAVAILABLE"


class NotReady(Unavailable):
    """No snapshot is loaded yet."""


class SidecarUnavailable(Unavailable):
    """The sidecar could not be reached in time."""


class StoreUnavailable(Unavailable):
    """The database could not be reached in time."""


class DataLoss(SortitionError):
    """Stored bytes are damaged."""

    code = "DATA_LOSS"


class StoreError(SortitionError):
    """The database is there and cannot be used."""

    code = "INTERNAL"


class SettingsError(SortitionError):
    """A setting is wrong; the message names it and where it came from."""

    code = "INVALID_ARGUMENT"


class InternalError(SortitionError):
    """A defect in sortition itself."""

    code = "INTERNAL"
