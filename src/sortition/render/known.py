"""Figures of messages that may be absent."""

from __future__ import annotations

import math

from google.protobuf.message import Message

__all__ = ["known"]


def known(message: Message, field: str) -> float:
    """Returns a figure of a message; NaN where it is absent."""
    value: float = getattr(message, field) if message.HasField(field) else math.nan
    return value
