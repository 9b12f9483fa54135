"""A case: one number of sortition beside the same number from outside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from known_answers.inputs import INPUTS
from known_answers.ours import OURS, Figures

__all__ = ["Case", "ours"]


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        source: Who gave the number: an engine, or a publication.
        name: "method/question/figure".
        expected: The number from outside.
        found: sortition's number.
        allowed: How far they may be apart.
    """

    source: str
    name: str
    expected: float
    found: float
    allowed: float

    @property
    def method(self) -> str:
        return self.name.partition("/")[0]

    @property
    def apart(self) -> float:
        """How far they are apart, relative to what is allowed."""
        if self.found == self.expected:
            return 0.0
        return abs(self.found - self.expected) / self.allowed if self.allowed else float("inf")

    def check(self) -> None:
        # Written so that NaN fails.
        assert self.apart <= 1, f"{self.name}: {self.source} says {self.expected!r}, sortition {self.found!r}"


@cache
def ours(method: str, question: str) -> Figures:
    """Returns sortition's answers to one question; asked once."""
    return OURS[method](INPUTS[method][question])
