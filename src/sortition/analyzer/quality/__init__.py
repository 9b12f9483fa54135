"""How far the data of an experiment can be trusted: a score from 0 to 1, and the parts it is made of.

Each part looks for one way in which data goes wrong without anybody noticing, and has a score of its own: 1 while there
is nothing to see, 0 when nothing should be decided from such data, NaN while it cannot be judged. The whole is the
product of the parts that can be judged, so that one fatal part is fatal and several small ones add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from sortition.analyzer.quality.balance import covariate_balance
from sortition.analyzer.quality.crossing import crossed_units
from sortition.analyzer.quality.days import daily_rate, daily_split
from sortition.analyzer.quality.missing import missing_outcomes
from sortition.analyzer.quality.scores import AS_SEEN, STEADY, Weighing
from sortition.analyzer.quality.split import split
from sortition.analyzer.quality.values import clamped_values, late_values, refused_values
from sortition.analyzer.result import DataQuality, SampleRatio
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["ALERT", "STEADY", "UNUSABLE", "quality_of", "quality_warnings", "why_unusable"]

ALERT = 0.7
"""Below it somebody should look."""
UNUSABLE = 0.3
"""Below it nothing should be decided."""

# Whatever the other parts find has a line of its own among the warnings already.
_TOLD = frozenset({"crossed_units", "covariate_balance", "daily_rate", "daily_split"})


def quality_of(
    record: ExperimentRecord, data: ExperimentData, sample_ratio: SampleRatio, weighing: Weighing = AS_SEEN
) -> DataQuality:
    """Judges the data of an experiment; depends on nothing but what is given, the time included.

    Args:
        record: The experiment.
        data: All its aggregates.
        sample_ratio: The test of its split, which is shown beside the quality and has to say the same.
        weighing: How evidence is taken: as it looks now, or only what is beyond chance however often one looks.

    Returns:
        The score, NaN while no part can be judged, and every part, judged or not.
    """
    parts = (
        split(record, sample_ratio, weighing),
        daily_split(record, data, weighing),
        crossed_units(record, data, weighing),
        missing_outcomes(record, data, weighing),
        refused_values(record, data, weighing),
        clamped_values(record, data, weighing),
        late_values(record, data, weighing),
        covariate_balance(record, data, weighing),
        daily_rate(record, data),
    )
    known = [part.score for part in parts if not math.isnan(part.score)]
    return DataQuality(math.prod(known) if known else math.nan, parts)


def why_unusable(quality: DataQuality | None) -> str:
    """Returns why nothing should be decided from such data, as a clause; empty where something may be."""
    if quality is None or not quality.score < UNUSABLE:
        return ""
    worst = min((part for part in quality.parts if not math.isnan(part.score)), key=lambda part: part.score)
    return f"the data's quality is {_written(quality.score)}: {worst.detail}"


def quality_warnings(quality: DataQuality) -> Iterator[str]:
    """Yields one line for each part that is not as it should be, and one when somebody should look."""
    for part in quality.parts:
        if part.name in _TOLD and part.score < 1:
            yield part.detail
    if quality.score < ALERT:
        low = sorted((part for part in quality.parts if part.score < 1), key=lambda part: part.score)
        names = ", ".join(part.name.replace("_", " ") for part in low)
        yield f"data quality is {_written(quality.score)}, below {ALERT:g}: {names}"


def _written(score: float) -> str:
    """Writes a score; what is not quite 1 is not written as 1."""
    return f"{math.floor(score * 100 + 1e-9) / 100:.2f}"
