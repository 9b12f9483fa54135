"""Times as messages."""

from __future__ import annotations

from datetime import datetime

from google.protobuf import timestamp_pb2

__all__ = ["timestamp"]


def timestamp(at: datetime | None) -> timestamp_pb2.Timestamp | None:
    """Returns an aware time as its message; None, an absent field, for None."""
    if at is None:
        return None
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(at)
    return message
