"""Whether the counts of a scenario keep what is promised."""

from __future__ import annotations

from scipy import stats

from statistical.answers import DECIDES
from statistical.scenarios import Kind, Scenario
from statistical.tally import Count, Tally, uniformity

__all__ = ["CAMPAIGN", "FALSE_ALARM", "kept", "seen"]

CAMPAIGN = 20_000
"""Experiments from which on a rate is held to the promise itself; fewer only rule out what is far from it."""
FALSE_ALARM = 1e-7
"""The chance that a small run fails although the promise is kept. Seeds are fixed, so it is drawn once and for all."""
# p-values of counts, ranks and few units are not exactly uniform; those of means of about normal data are.
_UNIFORM = 1e-3


def seen(scenario: Scenario, count: Count) -> int:
    """Returns the experiments that count against a method, or, for coverage, for it."""
    if scenario.kind is Kind.ERROR or scenario.kind is Kind.PEEKING:
        return count.rejected
    # An interval that is unknown covers nothing.
    return count.answered - count.missed if scenario.kind is Kind.COVERAGE else count.missed


def kept(scenario: Scenario, tally: Tally) -> str:
    """Returns what is wrong with a scenario; empty where nothing is, or nothing is promised."""
    if not scenario.promised or not tally.runs:
        return ""
    count, runs = tally.methods[DECIDES], tally.runs
    number, (lower, upper) = seen(scenario, count), scenario.bounds
    if runs >= CAMPAIGN:
        least, most = lower * runs, upper * runs
    else:
        least = float(stats.binom.ppf(FALSE_ALARM / 2, runs, lower))
        most = float(stats.binom.isf(FALSE_ALARM / 2, runs, upper))
    if not least <= number <= most:
        return f"{number} of {runs}, and between {least:g} and {most:g} are promised"
    if uniform(scenario) and uniformity(count.p) < (_UNIFORM if runs >= CAMPAIGN else FALSE_ALARM):
        return f"p-values are not uniform ({uniformity(count.p):.1e})"
    return ""


def uniform(scenario: Scenario) -> bool:
    """Returns whether p-values are promised to be uniform: without an effect, of a mean of numbers, at one look."""
    return scenario.kind is Kind.ERROR and scenario.metric.quantile is None and "Bernoulli" not in scenario.name
