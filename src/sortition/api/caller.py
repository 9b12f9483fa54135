"""Who makes the call that this thread is at work on."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from sortition.api.tokens import Token

__all__ = ["CALLER"]

CALLER: Final[ContextVar[Token | None]] = ContextVar("CALLER", default=None)
"""The caller's token, within a method that asks for the role admin; None where tokens are not in use."""
