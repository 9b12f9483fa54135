"""Turns a failed call into the error that the sidecar raised."""

from __future__ import annotations

from typing import Any

import grpc

from sortition import errors
from sortition.errors import SortitionError, Violation

__all__ = ["from_rpc"]

_DETAILS_KEY = "grpc-status-details-bin"

# Where several classes share a status, the sidecar says which one it was; this is the one when it does not.
_BY_STATUS: dict[grpc.StatusCode, type[SortitionError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidArgument,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
    grpc.StatusCode.ABORTED: errors.Conflict,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: errors.SidecarUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.SidecarUnavailable,
    grpc.StatusCode.CANCELLED: errors.SidecarUnavailable,
    grpc.StatusCode.DATA_LOSS: errors.DataLoss,
    grpc.StatusCode.INTERNAL: errors.InternalError,
}


def from_rpc(error: grpc.RpcError) -> SortitionError:
    """Returns the error of `sortition.errors` that a failed call stands for, with the violations that came with it."""
    # Every error of a call knows its status; the base class does not say so.
    call: Any = error
    status: grpc.StatusCode = call.code()
    kind = _BY_STATUS.get(status, SortitionError)
    message = call.details() or status.name
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        # The library's own words depend on where the call was when its time was up.
        message = "the sidecar did not answer in time"
    named, violations = _details(call)
    chosen = getattr(errors, named, None)
    if isinstance(chosen, type) and issubclass(chosen, SortitionError) and chosen.code == status.name:
        kind = chosen
    return kind(message, violations)


def _details(call: Any) -> tuple[str, list[Violation]]:
    """Reads the rich status, where there is one: the name of the error's class, and the refused fields."""
    packed = next((value for key, value in call.trailing_metadata() or () if key == _DETAILS_KEY), None)
    if packed is None:
        return "", []
    # Only a refused call needs them; importing them takes longer than a hundred calls.
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2

    named = ""
    violations: list[Violation] = []
    try:
        for detail in status_pb2.Status.FromString(packed).details:
            info, refused = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(info):
                named = info.reason
            elif detail.Unpack(refused):
                violations.extend(Violation(each.field, each.description) for each in refused.field_violations)
    except DecodeError:
        # The status itself is good; only its ornaments are not.
        return "", []
    return named, violations
