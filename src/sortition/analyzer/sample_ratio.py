"""Whether units were split as declared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sortition.analyzer.result import SampleRatio
from sortition.stats import srm_chi2, srm_sequential
from sortition.stats.distributions import chi_square_sf
from sortition.stats.srm import RED, SMALLEST_EXPECTED, YELLOW, SampleRatioTest
from sortition.store.records import ExperimentRecord

__all__ = ["judge_split"]


def judge_split(
    record: ExperimentRecord, units: Sequence[int], by_period: Mapping[int, NDArray[np.int64]] | None = None
) -> SampleRatio:
    """Tests the distinct exposed units of each variant against its weight.

    Beside the chi-square test, which is made for one look, stands the sequential one, which holds at every look.

    Where weights were changed, the units of each allocation are tested against its own, and the tests are added up:
    chi-squares with their degrees of freedom, and the evidence of the sequential one.

    The verdict is "unknown" when variants were chosen elsewhere, without units, and while an arm expects so few that
    chi-square does not hold.

    Args:
        record: The experiment.
        units: Distinct exposed units of each variant.
        by_period: The same by the number of the allocation that they were first exposed under, where there are several.
    """
    if record.spec.external_assignment:
        return SampleRatio(math.nan, "unknown")
    variants = len(record.spec.variants)
    if len(record.allocations) > 1:
        counted = [
            ((by_period or {}).get(one.generation, np.zeros(variants)), one.weights(variants))
            for one in record.allocations
        ]
    else:
        counted = [(np.asarray(units), record.weights)]
    tests = [srm_chi2(held, weights) for held, weights in counted]
    # Where an arm expects too few, the test of that allocation is left out; its evidence holds for any number.
    usable = [test for test in tests if not test.smallest_expected < SMALLEST_EXPECTED and not math.isnan(test.p_value)]
    log_e = math.fsum(
        float(one.log_e)
        for one in (srm_sequential(held, weights) for held, weights in counted)
        if not math.isnan(one.log_e)
    )
    if len(tests) == 1:
        p, sequential = float(tests[0].p_value), srm_sequential(*counted[0])
        p_sequential, log_e = float(sequential.p_value), float(sequential.log_e)
    else:
        p = _added(usable)
        p_sequential = min(1.0, math.exp(-log_e)) if usable else math.nan
    verdict = "unknown" if not usable or math.isnan(p) else "red" if p < RED else "yellow" if p < YELLOW else "ok"
    return SampleRatio(p, verdict, p_sequential, log_e)


def _added(tests: Sequence[SampleRatioTest]) -> float:
    if not tests:
        return math.nan
    statistic, df = (sum(float(getattr(test, name)) for test in tests) for name in ("statistic", "df"))
    return float(chi_square_sf(np.float64(statistic), np.float64(df)))
