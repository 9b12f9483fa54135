"""Errors as rich statuses."""

from __future__ import annotations

import inspect

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from sortition import errors
from sortition.api.errors import DOMAIN, refuse, to_status
from sortition.errors import InternalError, InvalidArgument, ResourceExhausted, SortitionError, Unavailable

# What the contract promises; written out, so that a class that changes its status has to be changed here as well.
CODES = {
    "AlreadyExists": grpc.StatusCode.ALREADY_EXISTS,
    "Conflict": grpc.StatusCode.ABORTED,
    "DataLoss": grpc.StatusCode.DATA_LOSS,
    "FailedPrecondition": grpc.StatusCode.FAILED_PRECONDITION,
    "IllegalTransition": grpc.StatusCode.FAILED_PRECONDITION,
    "InternalError": grpc.StatusCode.INTERNAL,
    "InvalidArgument": grpc.StatusCode.INVALID_ARGUMENT,
    "NotFound": grpc.StatusCode.NOT_FOUND,
    "NotReady": grpc.StatusCode.UNAVAILABLE,
    "PermissionDenied": grpc.StatusCode.PERMISSION_DENIED,
    "ResourceExhausted": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "SettingsError": grpc.StatusCode.INVALID_ARGUMENT,
    "ShipRefused": grpc.StatusCode.FAILED_PRECONDITION,
    "SidecarUnavailable": grpc.StatusCode.UNAVAILABLE,
    "SortitionError": grpc.StatusCode.UNKNOWN,
    "SpecError": grpc.StatusCode.INVALID_ARGUMENT,
    "StoreError": grpc.StatusCode.INTERNAL,
    "StoreUnavailable": grpc.StatusCode.UNAVAILABLE,
    "Unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "Unavailable": grpc.StatusCode.UNAVAILABLE,
}


def details(status: status_pb2.Status) -> dict[str, object]:
    """Returns the details of a status by the name of their message."""
    found: dict[str, object] = {}
    for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
        for packed in status.details:
            message = kind()
            if packed.Unpack(message):
                found[kind.__name__] = message
    assert len(found) == len(status.details)
    return found


def test_the_table_has_every_class_of_the_tree() -> None:
    tree = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, SortitionError) and kind.__module__ == errors.__name__
    }
    assert set(CODES) == tree


@pytest.mark.parametrize("name", sorted(CODES))
def test_each_class_has_its_status_and_its_name(name: str) -> None:
    status = to_status(getattr(errors, name)("what happened"))
    assert status.code == CODES[name].value[0]
    assert status.message == "what happened"
    info = details(status)["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == (name, DOMAIN)


def test_violations_become_field_violations() -> None:
    status = to_status(InvalidArgument.of([("a[0].b", "is wrong"), ("c", "is required")]))
    bad = details(status)["BadRequest"]
    assert isinstance(bad, error_details_pb2.BadRequest)
    assert [(each.field, each.description) for each in bad.field_violations] == [
        ("a[0].b", "is wrong"),
        ("c", "is required"),
    ]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable("later"), True),
        (errors.StoreUnavailable("later"), True),
        (ResourceExhausted("full"), True),
        (ResourceExhausted("too large", [("request", "too large")]), False),
        (InvalidArgument("never"), False),
        (errors.Conflict("read again"), False),
    ],
)
def test_only_what_may_succeed_later_says_when_to_try_again(error: SortitionError, expected: bool) -> None:
    found = details(to_status(error))
    assert ("RetryInfo" in found) is expected
    if expected:
        retry = found["RetryInfo"]
        assert isinstance(retry, error_details_pb2.RetryInfo)
        assert retry.retry_delay.ToTimedelta().total_seconds() > 0


# A peer drops metadata beyond 8 KiB; half a KiB is left for the other fields.
BUDGET_BYTES = 7680


def wire_bytes(status: status_pb2.Status) -> int:
    """Returns what a status costs at worst: its message percent-encoded, its details in base64."""
    size: int = status.ByteSize()
    return 3 * len(status.message.encode()) + (size + 2) // 3 * 4


@pytest.mark.parametrize(
    ("count", "field", "description"),
    [
        (1, "f", "x" * 100_000),
        (10_000, "outcomes[9999].observations[0].number", "is inf; it must be finite"),
        (40, "ü" * 1000, "ü" * 1000),
        (200, "", "…" * 77),
    ],
)
def test_details_always_fit_and_say_what_is_left_out(count: int, field: str, description: str) -> None:
    status = to_status(InvalidArgument.of([(field, description)] * count))
    assert wire_bytes(status) <= BUDGET_BYTES
    bad = details(status)["BadRequest"]
    assert isinstance(bad, error_details_pb2.BadRequest)
    shown = len(bad.field_violations)
    if count == 1:
        assert shown == 1
        assert bad.field_violations[0].description.endswith("…")
    else:
        assert 3 <= shown < count
        assert bad.field_violations[-1].description.startswith(f"and {count - shown + 1} more violations")


def test_a_few_violations_are_all_there() -> None:
    status = to_status(InvalidArgument.of([(f"field{index}", "x" * 50) for index in range(20)]))
    bad = details(status)["BadRequest"]
    assert isinstance(bad, error_details_pb2.BadRequest)
    assert [each.field for each in bad.field_violations] == [f"field{index}" for index in range(20)]


def test_text_that_has_no_utf8_form_is_no_obstacle() -> None:
    assert to_status(InvalidArgument.of([("\udc80", "\udc80" * 2000)])).message


@pytest.mark.parametrize("error", [ValueError("secret-unit-17"), InternalError("panicked on secret-unit-17")])
def test_defects_are_logged_and_hidden(error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    shown = refuse(error, "Recording/Record")
    assert isinstance(shown, InternalError)
    assert "secret" not in str(to_status(shown))
    logged = "".join(capfd.readouterr())
    assert type(error).__name__ in logged
    assert "Recording/Record" in logged


def test_errors_raised_on_purpose_are_shown_as_they_are() -> None:
    error = InvalidArgument("no")
    assert refuse(error, "m") is error
