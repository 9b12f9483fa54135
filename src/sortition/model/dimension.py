"""What outcomes are broken down by."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

from pydantic import Field, model_validator

from sortition.model.base import Part, Refused, refuse
from sortition.model.names import Key, VariantName

__all__ = ["MAX_DIMENSIONS", "MAX_LEVELS", "MAX_LEVELS_TOGETHER", "OTHER", "Dimension"]

MAX_DIMENSIONS: Final = 3
MAX_LEVELS: Final = 16
MAX_LEVELS_TOGETHER: Final = 32
"""Levels of all dimensions: each costs a cell for every variant and metric, and a comparison to be corrected for."""
OTHER: Final = "other"
"""What every level counts as that is not declared."""


class Dimension(Part):
    """Something that outcomes are broken down by, such as the device.

    Attributes:
        name: Unique in the experiment.
        levels: What it can be; everything else counts as "other".
    """

    name: Key
    levels: Annotated[tuple[VariantName, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _distinct(self) -> Dimension:
        found: list[Refused] = []
        count = len(self.levels)
        if not 1 <= count <= MAX_LEVELS:
            found.append((("levels",), f"has {count}; the limit is 1 to {MAX_LEVELS}", None))
        for level, times in Counter(self.levels).items():
            if times > 1:
                found.append((("levels",), f"names {level!r} {times} times", None))
        if OTHER in self.levels:
            where = ("levels", self.levels.index(OTHER))
            found.append((where, f"{OTHER!r} stands for every level that is not declared; remove it", None))
        refuse(found)
        return self
