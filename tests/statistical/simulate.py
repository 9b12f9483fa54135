"""Runs one part of one scenario: a number of experiments that depends on nothing but the scenario and the part."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from statistical.many_looks import watch
from statistical.one_look import answer
from statistical.scenarios import LOOKS, Kind, Metric, Scenario
from statistical.split import watch_split
from statistical.tally import Tally

__all__ = ["PART", "simulate", "truth"]

PART = 1000
"""Experiments of a part of the campaign."""
# So many observations, or looks, of an arm are held in memory at once.
_OBSERVATIONS = 1_000_000
_LOOKS = 100 * LOOKS


def truth(scenario: Scenario) -> float:
    """Returns the true difference."""
    population, effect = scenario.population, scenario.effect
    q = scenario.metric.quantile
    if q is not None:
        return population.quantile(q, effect) - population.quantile(q, 0.0)
    return population.mean(effect) - population.mean(0.0)


def simulate(scenario: Scenario, part: int, runs: int = PART) -> Tally:
    """Runs `runs` experiments.

    Raises:
        AssertionError: The analyzer says something else than the methods that are counted.
    """
    rng = np.random.default_rng([crc32(scenario.key.encode()), part])
    at_once = _OBSERVATIONS // max(scenario.control, scenario.treatment)
    looked = scenario.kind in (Kind.PEEKING, Kind.TRACKING)
    if looked:
        at_once = min(at_once, _LOOKS // LOOKS)
    tally, expected = Tally(), truth(scenario)
    for start in range(0, runs, max(1, at_once)):
        number = min(max(1, at_once), runs - start)
        prefix = f"{scenario.key}/{part}/{start}"
        if scenario.metric is Metric.SPLIT:
            found = watch_split(scenario, rng, number)
        else:
            found = (watch if looked else answer)(scenario, rng, number, prefix)
        tally.add(number, found, expected)
    return tally
