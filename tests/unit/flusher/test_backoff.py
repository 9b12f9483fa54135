"""Pauses after failures grow, are bounded, and differ."""

from __future__ import annotations

import random

import pytest

from sortition.flusher.backoff import backoff_s


class Always(random.Random):
    """A generator that draws one fraction of every interval."""

    def __init__(self, fraction: float) -> None:
        super().__init__(0)
        self.fraction = fraction

    def random(self) -> float:
        return self.fraction


@pytest.mark.parametrize(
    ("failures", "longest"),
    [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 4.0), (6, 8.0), (7, 16.0), (8, 30.0), (9, 30.0), (100_000, 30.0)],
)
def test_the_pause_doubles_up_to_its_bound(failures: int, longest: float) -> None:
    assert backoff_s(failures, Always(1.0)) == longest
    assert backoff_s(failures, Always(0.0)) == longest / 2


def test_two_sidecars_wait_differently() -> None:
    assert len({backoff_s(5, random.Random(seed)) for seed in range(10)}) == 10
