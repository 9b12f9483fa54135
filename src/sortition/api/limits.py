"""The bounds of the gRPC surface."""

from __future__ import annotations

from typing import Final

from sortition.errors import ResourceExhausted

__all__ = [
    "MAX_CALLS",
    "MAX_CALLS_PER_CONNECTION",
    "MAX_CONNECTIONS",
    "MAX_MESSAGE_BYTES",
    "MAX_METADATA_BYTES",
    "MAX_SINGLE_BYTES",
    "check_answer",
    "too_large",
]

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""What a batch or a message of the control plane may have; also what clients take unless told otherwise."""
MAX_SINGLE_BYTES: Final = 256 * 1024
"""What a message about one unit may have."""
MAX_CALLS: Final = 1024
"""All calls under way. Tighter bounds refuse with the time to come back; this one keeps memory bounded."""
MAX_CALLS_PER_CONNECTION: Final = 256
"""Calls and streams of one connection; further ones wait in the client."""
MAX_METADATA_BYTES: Final = 8 * 1024
"""What a call may bring of them."""
MAX_CONNECTIONS: Final = 512
"""Each keeps a file descriptor, of which a process commonly has 1,024; further ones are closed at once."""


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
