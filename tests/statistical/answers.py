"""What the methods say about many experiments at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from sortition.stats import BoolArray, Counts, Difference, fisher_exact, newcombe, smallest_expected, two_proportion_z

__all__ = ["DECIDES", "SMALL_COUNT", "Answers", "Found", "chosen", "of_difference", "proportions"]

SMALL_COUNT = 5
"""Below it in an expected count, proportions are compared exactly."""

DECIDES = "decides"
"""The name under which stands what the analyzer answers; the others stand beside it."""


@dataclass(frozen=True)
class Answers:
    """The answers of one method, of shape (experiments,) or (experiments, looks); NaN where there is none.

    Attributes:
        p: p-values.
        lower: The intervals' lower ends.
        upper: Their upper ends.
    """

    p: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


Found = Mapping[str, Answers]
"""Answers by the method's name."""


def of_difference(found: Difference) -> Answers:
    """Returns the answers of a comparison at one look."""
    return Answers(found.p_value, found.lower, found.upper)


def proportions(control: Counts, treatment: Counts) -> Difference:
    """Compares rates as the analyzer does: exactly, and with score intervals, where counts are small."""
    found = two_proportion_z(control, treatment)
    few = (smallest_expected(control, treatment) < SMALL_COUNT) | (found.standard_error == 0)
    few &= found.reason == ""
    if not few.any():
        return found
    small = [Counts.of(one.successes[few], one.trials[few]) for one in (control, treatment)]
    p, lower, upper = found.p_value.copy(), found.lower.copy(), found.upper.copy()
    # Many of the tables are the same one.
    tables, place = np.unique(
        np.stack([small[0].successes, small[0].trials, small[1].successes, small[1].trials]),
        axis=1,
        return_inverse=True,
    )
    counts = Counts.of(tables[0], tables[1]), Counts.of(tables[2], tables[3])
    score = newcombe(*counts)
    p[few], lower[few], upper[few] = (
        values[place.ravel()] for values in (fisher_exact(*counts), score.lower, score.upper)
    )
    return replace(found, p_value=p, lower=lower, upper=upper)


def chosen(where: BoolArray, one: Difference, other: Difference) -> Difference:
    """Returns the figures of `one` where it is said, and of `other` elsewhere."""
    names = [field.name for field in fields(Difference)]
    return Difference(**{name: np.where(where, getattr(one, name), getattr(other, name)) for name in names})
