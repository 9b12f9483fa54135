"""Counts of what happened in many experiments. They are whole numbers, so their order and the machine do not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from statistical.answers import Answers

__all__ = ["ALPHA", "Count", "Tally", "error_bar", "uniformity"]

ALPHA = 0.05
_BINS = 100


@dataclass
class Count:
    """What one method said.

    Attributes:
        answered: Experiments in which it had an answer, at any look.
        rejected: Experiments in which it saw a difference, at any look.
        missed: Experiments in which its interval left out the true difference, at any look.
        p: For single looks: experiments by p-value, in a hundred bins of equal width.
    """

    answered: int = 0
    rejected: int = 0
    missed: int = 0
    p: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, dtype=np.int64))

    def add(self, answers: Answers, truth: float) -> None:
        """Counts the answers in a batch of experiments."""
        p, lower, upper = (one.reshape(len(one), -1) for one in (answers.p, answers.lower, answers.upper))
        # What is unknown rejects nothing and misses nothing.
        self.answered += int((~np.isnan(p)).any(axis=1).sum())
        self.rejected += int((p < ALPHA).any(axis=1).sum())
        self.missed += int(((lower > truth) | (upper < truth)).any(axis=1).sum())
        if p.shape[1] == 1:
            known = p[~np.isnan(p)]
            self.p += np.bincount(np.minimum((known * _BINS).astype(np.intp), _BINS - 1), minlength=_BINS)

    def merge(self, other: Count) -> None:
        """Adds the counts of other experiments."""
        self.answered += other.answered
        self.rejected += other.rejected
        self.missed += other.missed
        self.p += other.p


@dataclass
class Tally:
    """What all methods said in one scenario.

    Attributes:
        runs: Experiments.
        methods: Their counts, by name.
    """

    runs: int = 0
    methods: dict[str, Count] = field(default_factory=dict)

    def add(self, runs: int, found: Mapping[str, Answers], truth: float) -> None:
        """Counts a batch of experiments."""
        self.runs += runs
        for name, answers in found.items():
            self.methods.setdefault(name, Count()).add(answers, truth)

    def merge(self, other: Tally) -> None:
        """Adds the counts of other experiments."""
        self.runs += other.runs
        for name, count in other.methods.items():
            self.methods.setdefault(name, Count()).merge(count)

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "runs": self.runs,
            "methods": {
                name: {
                    "answered": count.answered,
                    "rejected": count.rejected,
                    "missed": count.missed,
                    "p": count.p.tolist() if count.p.any() else [],
                }
                for name, count in self.methods.items()
            },
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Tally:
        """Makes it from what `to_json` returned."""
        return cls(
            stored["runs"],
            {
                name: Count(
                    count["answered"],
                    count["rejected"],
                    count["missed"],
                    np.array(count["p"] or [0] * _BINS, dtype=np.int64),
                )
                for name, count in stored["methods"].items()
            },
        )


def error_bar(count: int, runs: int) -> tuple[float, float]:
    """Returns the 95 % interval (Wilson) of a rate that was seen as `count` of `runs`."""
    found = stats.binomtest(count, runs).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def uniformity(p: NDArray[np.int64]) -> float:
    """Returns the p-value of Kolmogorov's and Smirnov's test that p-values are uniform, from counts in bins.

    The largest distance is looked for at the ends of the bins, so it is at most the one between all values.
    """
    total = int(p.sum())
    through = np.cumsum(p) / total
    distance = float(np.abs(through - np.arange(1, len(p) + 1) / len(p)).max())
    return float(stats.kstwo.sf(distance, total))
