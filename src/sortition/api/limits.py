"""The bounds of the gRPC surface."""

from __future__ import annotations

from typing import Final

from sortition.errors import ResourceExhausted

__all__ = ["MAX_MESSAGE_BYTES", "MAX_SINGLE_BYTES", "check_answer", "too_large"]

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""What a batch or a message of the control plane may have; also what clients take unless told otherwise."""
MAX_SINGLE_BYTES: Final = 256 * 1024
"""What a message about one unit may have."""


def too_large(size: int, limit: int) -> ResourceExhausted:
    """Returns the error for a request of `size` bytes."""
    text = f"has {size:,} bytes; the limit is {limit:,}"
    return ResourceExhausted(f"request: {text}", [("request", f"{text}; send less in one message")])


def check_answer(answer: bytes, advice: str) -> bytes:
    """Returns `answer` if a client can take it.

    Raises:
        ResourceExhausted: It has more bytes than a client takes; the message ends with `advice`.
    """
    if len(answer) > MAX_MESSAGE_BYTES:
        text = f"the answer has {len(answer):,} bytes; the limit is {MAX_MESSAGE_BYTES:,}; {advice}"
        raise ResourceExhausted(text, [("", text)])
    return answer
