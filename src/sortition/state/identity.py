"""Under which name a sidecar writes, and what it remembers of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MARK", "MAX_NAME", "Identity", "base_name"]

MAX_NAME: Final = 128
"""The longest name of a writer, in characters."""
MARK: Final = "~"
"""Stands between the name that a sidecar was given and what tells it from others that were given the same."""


@dataclass(frozen=True)
class Identity:
    """Who wants to write, as far as it remembers.

    Attributes:
        name: The writer's name.
        owner: Tells state directories apart; up to 64 characters.
        epoch: The epoch under which it wrote last; 0 when it never did, or does not know.
        batch: The last batch it knows to be in the database; 0 for none.
    """

    name: str
    owner: str
    epoch: int = 0
    batch: int = 0


def base_name(name: str) -> str:
    """Returns the name that a sidecar was given, of the one it took when another sidecar was given the same.

    >>> base_name("search~5f1c22ab")
    'search'
    """
    return name.partition(MARK)[0]
