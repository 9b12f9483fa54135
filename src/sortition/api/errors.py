"""Errors as rich statuses (google.rpc.Status), small enough to always arrive."""

from __future__ import annotations

import traceback
from typing import NoReturn

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sortition.errors import InternalError, ResourceExhausted, SortitionError, Unavailable

__all__ = ["DOMAIN", "abort", "refuse", "to_status", "unexpected"]

DOMAIN = "sortition"
"""The domain of every ErrorInfo."""

# A peer may drop a call whose metadata exceeds 8 KiB. On the wire the message may cost three bytes for one
# (percent-encoding) and the details, which hold the message once more, four for three (base64): at worst
# 3 * 768 + 4/3 * 4000 = 7,637 bytes.
_MESSAGE_BYTES = 768
_DETAILS_BYTES = 4000
# What one violation may take of that, so that a single long one leaves room for its neighbours.
_DESCRIPTION_BYTES = 512
_FIELD_BYTES = 256
# Room for the line that says how many were left out.
_REMAINDER_BYTES = 96
# Long enough for a flush or a failing-over database, short enough for a person who waits.
_RETRY_DELAY = duration_pb2.Duration(seconds=1)
_GENERIC = InternalError("internal error; the log of the sidecar says more")

_log = structlog.get_logger("sortition.api")


def _cut(text: str, limit: int) -> str:
    """Returns `text` with at most `limit` bytes of UTF-8, ending in an ellipsis if some are missing."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: limit - 3].decode("utf-8", "ignore") + "…"


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _violations(error: SortitionError, room: int) -> error_details_pb2.BadRequest:
    """Returns as many violations as fit into `room` bytes; when some do not, the last one says how many."""
    bad = error_details_pb2.BadRequest()
    for index, violation in enumerate(error.violations):
        bad.field_violations.add(
            field=_cut(violation.field, _FIELD_BYTES), description=_cut(violation.description, _DESCRIPTION_BYTES)
        )
        left = len(error.violations) - index - 1
        if bad.ByteSize() > room - (_REMAINDER_BYTES if left else 0):
            del bad.field_violations[-1]
            bad.field_violations.add(description=f"and {left + 1} more violations that do not fit into this answer")
            break
    return bad


def to_status(error: SortitionError) -> status_pb2.Status:
    """Returns `error` as a status.

    It carries an ErrorInfo with the name of the class; a BadRequest with the violations, as many as fit; and a
    RetryInfo where the same call may succeed later.
    """
    status = status_pb2.Status(
        code=grpc.StatusCode[error.code].value[0],
        message=_cut(error.message, _MESSAGE_BYTES),
    )
    status.details.append(_packed(error_details_pb2.ErrorInfo(reason=type(error).__name__, domain=DOMAIN)))
    # A bound that a field of the request exceeds is exceeded again by the same request: no use in trying.
    if isinstance(error, Unavailable) or (isinstance(error, ResourceExhausted) and not error.violations):
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=_RETRY_DELAY)))
    if error.violations:
        # 128 bytes for the name of the type and the framing.
        status.details.append(_packed(_violations(error, _DETAILS_BYTES - status.ByteSize() - 128)))
    return status


def refuse(error: Exception, method: str) -> SortitionError:
    """Returns what a caller may hear of `error`: itself when it was raised on purpose; else it is logged and hidden."""
    if isinstance(error, SortitionError) and not isinstance(error, InternalError):
        return error
    return unexpected(error, method)


def unexpected(error: Exception, method: str) -> SortitionError:
    """Logs a defect with its traceback and returns the error that says nothing about it."""
    # Given exc_info, some formatters print local variables, and with them requests and unit ids.
    _log.error("call failed", method=method, exception="".join(traceback.format_exception(error)))
    return _GENERIC


def abort(context: grpc.ServicerContext, error: SortitionError) -> NoReturn:
    """Ends the call with the status of `error`."""
    context.abort_with_status(rpc_status.to_status(to_status(error)))
    raise AssertionError("abort_with_status returned")
