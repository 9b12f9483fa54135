"""Says from rounds run in turn whether something became slower: by how much, and how sure that is.

Each round gives one pair: what the base took and what the head took, right after each other, so that whatever slows the
machine for a while slows both. What is compared are the logarithms of the pairs' ratios.

The estimate is the median of all pairwise means of them, the interval holds every value that Wilcoxon's signed-rank
test does not reject, from its exact distribution; no shape of the noise is assumed but that a ratio and its inverse are
alike when nothing changed.

Sources: F. Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1 (1945) 80–83; J. L. Hodges and
E. L. Lehmann, Estimates of location based on rank tests, Annals of Mathematical Statistics 34 (1963) 598–611. On rounds
of fresh processes: T. Kalibera and R. Jones, Rigorous benchmarking in reasonable time, ISMM 2013.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

__all__ = ["Verdict", "fewest_rounds", "judge"]


@dataclass(frozen=True)
class Verdict:
    """What became of one bench. Ratios are the head's time by the base's.

    Attributes:
        name: Of the bench.
        ratio: The estimate; above 1 the head is slower.
        lower: The lower end of its interval.
        upper: The upper end.
        word: "slower", "faster", "same", or "unclear" where the interval holds both no change and more than the
            threshold.
    """

    name: str
    ratio: float
    lower: float
    upper: float
    word: str


def judge(name: str, base: Sequence[float], head: Sequence[float], *, threshold: float, alpha: float) -> Verdict:
    """Compares the times of rounds.

    Args:
        name: Of the bench.
        base: What it took before, one figure a round.
        head: What it takes now, in the same rounds.
        threshold: What is worth a word: 0.05 for 5 %.
        alpha: How often an interval may miss the truth; divide it by the number of benches.

    Returns:
        "slower" or "faster" only where the interval lies beyond no change and the estimate beyond the threshold.

    Raises:
        ValueError: There are too few rounds for such an alpha.
    """
    logs = [math.log(now / before) for before, now in zip(base, head, strict=True)]
    means = sorted((logs[i] + logs[j]) / 2 for i in range(len(logs)) for j in range(i, len(logs)))
    cut = _rejected(len(logs), alpha)
    if cut == 0:
        raise ValueError(f"{len(logs)} rounds are too few; run {fewest_rounds(alpha)}")
    ratio, lower, upper = (math.exp(each) for each in (median(means), means[cut - 1], means[-cut]))
    beyond, below = 1 + threshold, 1 / (1 + threshold)
    if lower > 1 and ratio > beyond:
        word = "slower"
    elif upper < 1 and ratio < below:
        word = "faster"
    elif lower < below or upper > beyond:
        word = "unclear"
    else:
        word = "same"
    return Verdict(name, ratio, lower, upper, word)


def fewest_rounds(alpha: float) -> int:
    """Returns how many rounds it takes for an interval that misses no more often than `alpha`."""
    return math.ceil(math.log2(2 / alpha))


@cache
def _rejected(rounds: int, alpha: float) -> int:
    """Returns how many of the sorted means at either end are outside of the interval, and one more; 0 for no interval.

    The rank sum is that of a random subset of 1 … n: it is counted how many subsets have which sum.
    """
    counts = [1]
    for rank in range(1, rounds + 1):
        longer = counts + [0] * rank
        for total, number in enumerate(counts):
            longer[total + rank] += number
        counts = longer
    cut, tail = 0, 0
    for number in counts:
        tail += number
        if tail > alpha / 2 * 2**rounds:
            return cut
        cut += 1
    return cut
