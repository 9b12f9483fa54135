"""Whether units were split as declared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sortition.analyzer.result import SampleRatio
from sortition.stats import srm_chi2, srm_sequential
from sortition.stats.srm import RED, SMALLEST_EXPECTED, YELLOW
from sortition.store.records import ExperimentRecord

__all__ = ["judge_split"]


def judge_split(record: ExperimentRecord, units: Sequence[int]) -> SampleRatio:
    """Tests the distinct exposed units of each variant against its weight.

    Beside the chi-square test, which is made for one look, stands the sequential one, which holds at every look.

    The verdict is "unknown" when variants were chosen elsewhere, when the weights were changed on the way (units of
    several allocations are counted together), without units, and while an arm expects so few that chi-square does not
    hold.
    """
    if record.spec.external_assignment or len(record.allocations) > 1:
        return SampleRatio(math.nan, "unknown")
    weights = [variant.basis_points for variant in record.spec.variants]
    test, sequential = srm_chi2(list(units), weights), srm_sequential(list(units), weights)
    p = float(test.p_value)
    known = not (math.isnan(p) or test.smallest_expected < SMALLEST_EXPECTED)
    verdict = "unknown" if not known else "red" if p < RED else "yellow" if p < YELLOW else "ok"
    return SampleRatio(p, verdict, float(sequential.p_value), float(sequential.log_e))
