"""How often the methods are wrong, through the real cells: a small run of what the campaign runs at length.

A few hundred experiments of a scenario rule out a wrong variance (the error rates that those make are 20 % and more);
20,000 show the rate itself: `make simulate`, whose results are kept and judged here as well.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from statistical.answers import DECIDES, Answers
from statistical.campaign import run
from statistical.document import DOCUMENT, TABLES, filled
from statistical.results import RESULTS, Result
from statistical.scenarios import LOOKS, SCENARIOS, Kind, Metric, Scenario
from statistical.simulate import PART, simulate, truth
from statistical.tally import Count, Tally, error_bar, uniformity
from statistical.verdict import CAMPAIGN, FALSE_ALARM, kept

RUNS = int(os.environ.get("SORTITION_STATISTICAL_RUNS", "300"))
LOOKED_RUNS = max(25, RUNS // 5)
# Sketches take longer to read; a few of them are run below, and all in the campaign.
BRIEF = [one for one in SCENARIOS if one.promised and not one.metric.quantile and one.kind is not Kind.COVERAGE]
NAMED = {scenario.key: scenario for scenario in SCENARIOS}


@cache
def small(scenario: Scenario) -> Tally:
    """Runs a few experiments of a scenario, once."""
    return simulate(scenario, 0, RUNS if scenario.kind is Kind.ERROR else LOOKED_RUNS)


@pytest.mark.parametrize("scenario", BRIEF, ids=[scenario.key for scenario in BRIEF])
def test_the_promise_is_kept(scenario: Scenario) -> None:
    runs = RUNS if scenario.kind is Kind.ERROR else LOOKED_RUNS
    tally = small(scenario)
    count = tally.methods[DECIDES]
    print(f"{scenario.key}: {count.rejected} rejected and {count.missed} missed of {runs}")
    assert tally.runs == runs
    assert count.answered == runs
    assert kept(scenario, tally) == ""


KINDS = list(dict.fromkeys((scenario.kind, scenario.metric) for scenario in BRIEF))


@pytest.mark.parametrize(("kind", "metric"), KINDS, ids=[f"{kind.value}-{metric.value}" for kind, metric in KINDS])
def test_the_promise_is_kept_over_all_data(kind: Kind, metric: Metric) -> None:
    """Together they are many hundreds of experiments, and tell a standard error that is a sixth too small."""
    together = Tally()
    for scenario in BRIEF:
        if (scenario.kind, scenario.metric) == (kind, metric):
            together.merge(small(scenario))
    count = together.methods[DECIDES]
    number = count.missed if kind is Kind.TRACKING else count.rejected
    lower, upper = NAMED[f"{kind.value}-mean-normal"].bounds
    print(f"{kind.value}, {metric.value}: {number} of {together.runs}")
    assert stats.binom.ppf(FALSE_ALARM / 2, together.runs, lower) <= number
    assert number <= stats.binom.isf(FALSE_ALARM / 2, together.runs, upper)


@pytest.mark.parametrize("key", ["coverage-cuped-returning", "coverage-mean-Bernoulli-0_3"])
def test_intervals_hold_a_true_effect(key: str) -> None:
    tally = simulate(NAMED[key], 0, RUNS)
    assert tally.methods[DECIDES].rejected > RUNS / 4
    assert kept(NAMED[key], tally) == ""


@pytest.mark.parametrize("key", ["error-p95-returning", "coverage-p95-lognormal", "error-median-returning"])
def test_a_quantile_is_as_sure_as_it_says(key: str) -> None:
    runs = max(20, RUNS // 10)
    tally = simulate(NAMED[key], 0, runs)
    assert tally.methods[DECIDES].answered == runs
    assert kept(NAMED[key], tally) == ""


def test_a_wrong_variance_is_found_out() -> None:
    """What stands beside the answers would not pass: observations and days taken for independent, and peeking."""
    one_look = small(NAMED["error-mean-returning"])
    for method in ("observations", "days as independent"):
        assert kept(NAMED["error-mean-returning"], Tally(RUNS, {DECIDES: one_look.methods[method]})), method
    key, runs = "peeking-mean-clustered-late", LOOKED_RUNS
    watched = small(NAMED[key])
    for method in ("observations", "peeking"):
        assert kept(NAMED[key], Tally(runs, {DECIDES: watched.methods[method]})), method


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.key for scenario in SCENARIOS])
def test_the_campaign_kept_the_promise(scenario: Scenario) -> None:
    result = Result.load(scenario, RESULTS)
    stored = (RESULTS / f"{scenario.key}.json").exists()
    assert bool(result.tally.runs) is stored, "the scenario was changed: run it again with make simulate"
    assert kept(scenario, result.tally) == ""


def test_the_tables_are_those_of_the_results() -> None:
    text = DOCUMENT.read_text()
    assert set(re.findall(r"<!-- simulated: ([\w-]+) -->", text)) == set(TABLES)
    assert filled(text, RESULTS) == text, "write them anew with make simulate"


def test_every_kind_of_data_meets_every_method() -> None:
    for kind in (Kind.ERROR, Kind.COVERAGE):
        for metric in (Metric.MEAN, Metric.RATIO, Metric.CUPED):
            named = {one.name for one in SCENARIOS if (one.kind, one.metric, one.promised) == (kind, metric, True)}
            assert named == {"normal", "Bernoulli 0.3", "Bernoulli 0.01", "lognormal", "clustered", "returning"}
    assert LOOKS >= 120
    assert len(NAMED) == len(SCENARIOS)


@pytest.mark.parametrize("key", ["coverage-mean-lognormal", "coverage-ratio-returning", "coverage-p95-clustered"])
def test_the_truth_is_what_many_draws_show(key: str) -> None:
    scenario = NAMED[key]
    rng = np.random.default_rng(7)
    found = []
    for effect in (0.0, scenario.effect):
        arm = scenario.population.draw(rng, 200, 5_000, effect, scenario.metric is Metric.RATIO)
        if scenario.metric is Metric.P95:
            found.append(float(np.quantile(arm.values, 0.95)))
        else:
            whole = arm.values.size if arm.weights is None else arm.weights.sum()
            found.append(float(arm.values.sum() / whole))
    assert found[1] - found[0] == pytest.approx(truth(scenario), rel=0.08)


def test_counts_are_of_experiments_and_not_of_looks() -> None:
    count = Count()
    p = np.array([[0.5, 0.01, 0.02], [0.9, 0.8, np.nan], [np.nan] * 3])
    count.add(Answers(p, p - 1, p + 1), 1.505)
    assert (count.answered, count.rejected, count.missed) == (2, 1, 1)
    assert not count.p.any()
    count.add(Answers(p[:, 1], p[:, 1] - 1, p[:, 1] + 1), 0.0)
    assert count.p.sum() == 2
    assert count.p[[1, 80]].tolist() == [1, 1]


def test_error_bars_and_uniformity_are_the_textbook_s() -> None:
    # Wilson 1927: (p + z²/2n ± z√(pq/n + z²/4n²)) / (1 + z²/n), with 10 of 100.
    assert error_bar(10, 100) == pytest.approx((0.05523, 0.17437), abs=2e-5)
    rng = np.random.default_rng(3)
    for exponent, expected in ((1.0, True), (1.1, False)):
        p = rng.random(20_000) ** exponent
        binned = np.bincount((p * 100).astype(int), minlength=100)
        assert (uniformity(binned) > 0.001) is expected
        assert uniformity(binned) >= float(stats.kstest(p, "uniform").pvalue)


def test_few_runs_rule_out_only_what_is_far_off_and_many_hold_to_the_bounds() -> None:
    scenario = NAMED["error-mean-normal"]
    uniform = np.full(100, CAMPAIGN // 100)

    def judged(runs: int, rejected: int) -> str:
        return kept(scenario, Tally(runs, {DECIDES: Count(runs, rejected, rejected, uniform)}))

    assert judged(400, 20) == ""
    assert judged(400, 100)
    assert judged(CAMPAIGN, 1_099) == ""
    assert judged(CAMPAIGN, 1_101)
    assert judged(CAMPAIGN, 899)


def test_a_campaign_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    scenario = NAMED["error-mean-normal-pairs"]
    first = Result(scenario)
    first.add(1, simulate(scenario, 1, 20))
    first.save(tmp_path)
    (whole,) = run([scenario], 2, tmp_path, 1)
    assert whole.parts == {0, 1}
    again = Result.load(scenario, tmp_path)
    assert again.tally.to_json() == whole.tally.to_json()
    assert whole.tally.runs == PART + 20
    (same,) = run([scenario], 2, tmp_path, 1)
    assert same.tally.to_json() == whole.tally.to_json()
    changed = Scenario("normal pairs", Kind.ERROR, Metric.MEAN, scenario.population, 3, 3, promised=False)
    assert Result.load(changed, tmp_path).tally.runs == 0
