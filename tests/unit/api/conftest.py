"""A context that remembers how a call was ended."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
import pytest


class Ended(Exception):
    """The call was aborted."""


class Context:
    """What a handler sees of a call that has `remaining` seconds left, or no deadline."""

    ended = Ended

    def __init__(self, remaining: float | None = None) -> None:
        self.remaining = remaining
        self.code: grpc.StatusCode | None = None
        self.details = ""

    def is_active(self) -> bool:
        return True

    def time_remaining(self) -> float | None:
        return self.remaining

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self.code, self.details = code, details
        raise Ended

    def abort_with_status(self, status: Any) -> NoReturn:
        self.abort(status.code, status.details)


@pytest.fixture
def context() -> Context:
    """A call without a deadline."""
    return Context()
