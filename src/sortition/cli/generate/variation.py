"""One variant that a rule makes of a base."""

from __future__ import annotations

from dataclasses import dataclass

from sortition.model.canonical import JsonObject

__all__ = ["Variation"]


@dataclass(frozen=True)
class Variation:
    """A variant made by a rule.

    Attributes:
        name: The variant's name.
        rule: The rule that made it, in words; it is the variant's description.
        config: Its whole configuration.
    """

    name: str
    rule: str
    config: JsonObject
