"""Who does something to an experiment or a subject, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sortition.errors import Violation

__all__ = ["ANONYMOUS", "NAME_BYTES", "REASON_BYTES", "Actor"]

ANONYMOUS: Final = "anonymous"
NAME_BYTES: Final = 128
REASON_BYTES: Final = 1024


@dataclass(frozen=True)
class Actor:
    """Who does something, and why; written into the audit log.

    Attributes:
        name: Who; "anonymous" when empty. At most 128 bytes.
        reason: Why, in the actor's words. At most 1,024 bytes.
        claimed: Who the caller said it was, where something better than its word tells; empty where nothing does.
    """

    name: str = ANONYMOUS
    reason: str = ""
    claimed: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", ANONYMOUS)

    def violations(self, *, forcing: bool = False) -> list[Violation]:
        """Returns what is wrong with it; whoever is `forcing` something has to say why."""
        found = [
            Violation(field, f"has {size} bytes; the limit is {limit}")
            for field, value, limit in (
                ("actor.name", self.claimed or self.name, NAME_BYTES),
                ("actor.reason", self.reason, REASON_BYTES),
            )
            if (size := len(value.encode(errors="replace"))) > limit
        ]
        if forcing and not self.reason.strip():
            found.append(Violation("actor.reason", "is required with force; say why"))
        return found
