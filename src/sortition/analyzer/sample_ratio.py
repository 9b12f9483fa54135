"""Whether units were split as declared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sortition.analyzer.result import SampleRatio
from sortition.stats.srm import RED, SMALLEST_EXPECTED, YELLOW, sample_ratio
from sortition.store.records import ExperimentRecord

__all__ = ["judge_split"]


def judge_split(record: ExperimentRecord, units: Sequence[int]) -> SampleRatio:
    """Tests the distinct exposed units of each variant against its weight.

    The verdict is "unknown" when variants were chosen elsewhere, when the weights were changed on the way (units of
    several allocations are counted together), without units, and while an arm expects so few that chi-square does not
    hold.
    """
    if record.spec.external_assignment or len(record.allocations) > 1:
        return SampleRatio(math.nan, "unknown")
    test = sample_ratio(list(units), [variant.basis_points for variant in record.spec.variants])
    p = float(test.p_value)
    if math.isnan(p) or test.smallest_expected < SMALLEST_EXPECTED:
        return SampleRatio(p, "unknown")
    return SampleRatio(p, "red" if p < RED else "yellow" if p < YELLOW else "ok")
