"""Times as people give them: a date, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["moment_before"]

_AGO = re.compile(r"([0-9]{1,6})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


def moment_before(text: str, option: str) -> Timestamp | None:
    """Returns the time that `text` names: ``2026-01-31``, ``2026-01-31T12:00`` (UTC), or ``30d``, ``12h``, ``2w`` ago.

    Args:
        text: What was given; empty for no time.
        option: The option it was given for.

    Raises:
        InvalidArgument: It names none.
    """
    from google.protobuf.timestamp_pb2 import Timestamp

    if not text:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            at = datetime.now(timezone.utc) - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
        else:
            at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        said = f"must be a date such as 2026-01-31, or how long ago such as 30d, 12h or 2w, but is {text!r}"
        raise InvalidArgument.of([(option, said)]) from None
    message = Timestamp()
    message.FromDatetime(at if at.tzinfo else at.replace(tzinfo=timezone.utc))
    return message
