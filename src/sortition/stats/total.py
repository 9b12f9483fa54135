"""The sum of independent estimates, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Total"]


@dataclass(frozen=True)
class Total:
    """A sum of independent estimates, each known with its interval at one confidence that all share.

    The interval of the sum is that of squares and add, which keeps the skewness of intervals that are not symmetric;
    for symmetric ones of normal estimates it is the usual one, and where each is wider than need be, so is the sum's.

    Source: Zou, Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in
    Medicine 27, 2008 (the method of variance estimates recovery).

    Sums are exact until they are read, so that it makes no difference in which order, or in which parts, they are made.

    Attributes:
        count: How many were summed.
        sum: Their sum.
        below: The sum of the squared distances to the lower ends.
        above: The sum of the squared distances to the upper ends.

    >>> total = Total().plus(2.0, -1.0, 5.0).plus(10.0, 6.0, 14.0)
    >>> total.value, total.lower, total.upper
    (12.0, 7.0, 17.0)
    """

    count: int = 0
    sum: Fraction = Fraction(0)
    below: Fraction = Fraction(0)
    above: Fraction = Fraction(0)

    def plus(self, estimate: float, lower: float, upper: float) -> Total:
        """Returns the sum with one estimate more; all three have to be finite."""
        at = Fraction(estimate)
        below, above = (at - Fraction(lower)) ** 2, (Fraction(upper) - at) ** 2
        return Total(self.count + 1, self.sum + at, self.below + below, self.above + above)

    def merge(self, other: Total) -> Total:
        """Returns the sum of both."""
        return Total(self.count + other.count, self.sum + other.sum, self.below + other.below, self.above + other.above)

    @property
    def value(self) -> float:
        """The sum."""
        return float(self.sum)

    @property
    def lower(self) -> float:
        """The interval's lower end."""
        return self.value - math.sqrt(self.below)

    @property
    def upper(self) -> float:
        """The interval's upper end."""
        return self.value + math.sqrt(self.above)
