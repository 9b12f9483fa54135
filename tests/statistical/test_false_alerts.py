"""How often anybody is told of nothing; and that this would notice rules that do not wait for evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sortition.analyzer.alerts import Reading
from sortition.analyzer.alerts.look import Look
from sortition.analyzer.alerts.read import READERS
from sortition.model.alert import FALSE_ALERTS, Rule, Trigger
from statistical.false_alerts import CAMPAIGN, SCENARIOS, Count, kept, watch

RUNS = range(4)
LOOKS = 2


def test_noise_pages_nobody() -> None:
    whole = Count()
    for scenario in SCENARIOS:
        whole.merge(watch(scenario, RUNS, LOOKS))
    assert whole.runs == len(RUNS) * len(SCENARIOS)
    assert not kept(whole), whole.rules


@pytest.mark.parametrize("trigger", [Trigger.REGRESSION, Trigger.ERROR_RATE, Trigger.SATISFACTION])
def test_rules_that_believe_estimates_would_be_seen(trigger: Trigger) -> None:
    def believing(rule: Rule, look: Look) -> Iterator[Reading]:
        for reading in READERS[trigger](rule, look):
            yield replace(reading, firing=not reading.over)

    few = watch(SCENARIOS[2], range(6), LOOKS, {**READERS, trigger: believing})
    assert kept(few)


def test_what_is_promised_is_held_to_where_there_is_enough_of_it() -> None:
    assert not kept(Count(CAMPAIGN, round(CAMPAIGN * FALSE_ALERTS)))
    assert kept(Count(CAMPAIGN, round(CAMPAIGN * FALSE_ALERTS) + 1))
    assert not kept(Count(20, 1))
    assert kept(Count(20, 5))
