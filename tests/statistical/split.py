"""Whether units are split as declared, watched while they come."""

from __future__ import annotations

import numpy as np

from analyzer_samples import NOW, TODAY, make_record
from sortition.analyzer.analyze import analyze
from sortition.stats import srm_chi2, srm_sequential
from sortition.store.records import ExperimentData
from statistical.answers import DECIDES, Answers, Found
from statistical.many_looks import ends
from statistical.scenarios import LOOKS, Scenario

__all__ = ["watch_split"]

_SAME = 1e-9


def watch_split(scenario: Scenario, rng: np.random.Generator, runs: int) -> Found:
    """Assigns the units of `runs` experiments by the core and watches their numbers."""
    variants = scenario.population.draw(rng, runs, scenario.treatment, scenario.effect, False).values
    counts = [
        np.cumsum(variants == place, axis=1)[:, [end - 1 for end in ends(scenario.treatment)]] for place in (0, 1)
    ]
    units = np.stack(counts, axis=-1)
    share = scenario.population.mean(0.0)
    watched, single = srm_sequential(units, [1 - share, share]), srm_chi2(units, [1 - share, share])
    # A test has no interval.
    none = np.full(watched.p_value.shape, np.nan)
    _check(share, units[0, LOOKS // 2], float(watched.p_value[0, LOOKS // 2]))
    return {
        DECIDES: Answers(watched.p_value, none, none),
        "peeking": Answers(single.p_value, none, none),
        "last look": Answers(single.p_value[:, -1], none[:, -1], none[:, -1]),
    }


def _check(share: float, units: np.ndarray[tuple[int, ...], np.dtype[np.int64]], seen: float) -> None:
    """Demands that the analyzer says the same."""
    metric = {"name": "y", "kind": "continuous", "goal": "maximize", "role": "primary"}
    record = make_record([metric], {"a": 100 * (1 - share), "b": 100 * share}, policy="sequential")
    expected = analyze(record, ExperimentData(units, {TODAY: units}, {}, {}), NOW).sample_ratio.sequential_p_value
    if not np.isclose(seen, expected, rtol=_SAME, atol=0):
        raise AssertionError(f"the analyzer says {expected} of {units.tolist()}, and here it is {seen}")
