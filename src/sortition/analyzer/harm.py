"""Harm: whether a treatment is worse than the control by more than a limit, by bounds that hold at every look.

A bound that holds at every look may be looked at after every outcome, and acted upon at once: the chance that it ever
says so of an experiment whose treatments are all within the limit is the experiment's significance level at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sortition.analyzer.analyze import samples_of
from sortition.analyzer.compare import MetricComparison, compare_metric
from sortition.analyzer.history import History
from sortition.analyzer.policies import policy_for
from sortition.analyzer.words import percent, signed_percent
from sortition.model import ExperimentSpec, Goal, Metric, MetricRole
from sortition.stats import BoolArray, Counts, FloatArray, asymptotic_cs, non_inferiority, proportion_cs
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["FEWEST", "Harm", "harms", "worsening"]

FEWEST = 100
"""Outcomes in each arm below which an estimate is not taken for a normal one; exact bounds need none."""

# Bounds are narrowest at so many units of both arms together, where the minimum sample does not give them fewer: harm
# is looked for early, however large an improvement's sample has to be; what that costs later grows like a logarithm.
_PLANNED = 1000

# Worsenings that are tried for the largest one that is shown. Where more is worse there is no end; where less is, all
# is lost at 1.
_LOSSES = np.linspace(0.0, 0.999, 1000)
_GROWTHS = np.geomspace(1e-3, 1e2, 3000)


@dataclass(frozen=True)
class Harm:
    """A treatment that is shown to be worse than the control by more than the limit.

    Attributes:
        variant: The treatment.
        metric: The metric it is worse on.
        relative: The relative difference that is estimated.
        at_least: The relative worsening that is shown, > 0.
        limit: The one that is tolerated.
        level: The chance of being wrong about it, ever.
    """

    variant: str
    metric: str
    relative: float
    at_least: float
    limit: float
    level: float

    def __str__(self) -> str:
        found, shown = signed_percent(self.relative), percent(round(self.at_least, 3))
        return (
            f"{self.variant}: {self.metric} {found}, worse by {shown} at least"
            f" (limit {percent(self.limit)}, at every look, level {self.level:.3g})"
        )


def harms(record: ExperimentRecord, data: ExperimentData, now: datetime) -> tuple[Harm, ...]:
    """Returns every harm that is shown, the primary metric's first.

    The primary metric and the guardrails are judged, each treatment on each. A guardrail's limit is its margin where
    that is wider. The level is 1 - confidence, shared by all of these questions, and not sharpened by a high risk, as
    that would make harm harder to see.

    Args:
        record: The experiment.
        data: Its aggregates; units that are not known are 0.
        now: The time of the look.
    """
    spec = record.spec
    policy = policy_for(spec, int(data.units.sum()), History(), now)
    judged = [
        (index, metric)
        for index, metric in enumerate(spec.metrics)
        if metric.role in (MetricRole.PRIMARY, MetricRole.GUARDRAIL)
    ]
    level = (1 - spec.decision.confidence) / (len(judged) * (len(spec.variants) - 1))
    found = []
    for index, metric in sorted(judged, key=lambda one: one[1].role is not MetricRole.PRIMARY):
        control, treatments = samples_of(record, data, index)
        if control.n == 0 or not any(one.n for one in treatments):
            continue
        compared = compare_metric(metric, control, treatments, policy)
        limit = _limit(spec, metric)
        for place, treatment in enumerate(treatments):
            shown = worsening(compared, place, limit, level)
            if shown > limit:
                relative = float(compared.relative.value[place])
                found.append(Harm(treatment.variant, metric.name, relative, shown, limit, level))
    return tuple(found)


def _limit(spec: ExperimentSpec, metric: Metric) -> float:
    own = metric.margin or 0.0 if metric.role is MetricRole.GUARDRAIL else 0.0
    return max(spec.decision.max_regression, own)


def worsening(compared: MetricComparison, place: int, limit: float, level: float) -> float:
    """Returns the relative worsening of one treatment that is shown, at every look; 0 when none is.

    Args:
        compared: A metric compared.
        place: The treatment's place among the treatments.
        limit: The worsening that is tolerated; looked at exactly, others in steps.
        level: The chance of being wrong about it, ever.
    """
    if compared.compared.counts is not None and compared.compared.few[place]:
        return _exactly(compared, compared.compared.counts, place, level)
    if min(compared.control.n, compared.treatments[place].n) < FEWEST:
        return 0.0
    return _about(compared, place, limit, level)


def _about(compared: MetricComparison, place: int, limit: float, level: float) -> float:
    """Returns what the asymptotic confidence sequence of the contrast treatment - (1 ± worsening) · control shows."""
    maximize = compared.metric.goal is Goal.MAXIMIZE
    tried = np.unique(np.append(_LOSSES if maximize else _GROWTHS, limit))
    found = compared.difference
    df = float(found.df[place])
    df = math.inf if math.isnan(df) else df
    test = non_inferiority(
        found.control[place], found.control_error[place], found.treatment[place], found.treatment_error[place],
        df, tried, maximize=maximize,
    )  # fmt: skip
    # Without any variance nothing bounds what may still come.
    error = np.where((test.reason == "") & (found.reason[place] == ""), test.error, np.nan)
    error = error * compared.sequences.widening[place]
    planned, early = _planned(compared, place)
    progress = compared.sequences.progress[place] * (planned / early)
    below = asymptotic_cs(test.reserve, error, progress, planned_n=1.0, alpha=level, df=df, side="upper")
    return _largest(tried, np.asarray(below.p_value) < level)


def _planned(compared: MetricComparison, place: int) -> tuple[float, float]:
    """Returns the units that the minimum sample gives both arms, and those at which bounds of harm are narrowest."""
    planned = max(compared.policy.planned_units(compared.control.variant, compared.treatments[place].variant), 2)
    return planned, min(planned, _PLANNED)


def _largest(tried: FloatArray, shown: BoolArray) -> float:
    """Returns the largest worsening up to which all are shown."""
    first = int(np.argmin(np.append(shown, False)))
    return float(tried[first - 1]) if first else 0.0


def _exactly(compared: MetricComparison, counts: tuple[Counts, Counts], place: int, level: float) -> float:
    """Returns what the exact confidence sequences of both rates show, each at half the level."""
    control, treatments = counts
    _, planned = _planned(compared, place)
    treatment = Counts(*(np.atleast_1d(part)[place] for part in (treatments.successes, treatments.trials)))
    base = Counts(*(np.ravel(part)[0] for part in (control.successes, control.trials)))
    bounds = [proportion_cs(one, alpha=level / 2, planned_n=planned / 2) for one in (base, treatment)]
    low, high = ([float(bound.lower), float(bound.upper)] for bound in bounds)
    if compared.metric.goal is Goal.MAXIMIZE:
        return 1 - high[1] / low[0] if low[0] > 0 and high[1] < low[0] else 0.0
    return high[0] / low[1] - 1 if low[1] > 0 and high[0] > low[1] else 0.0
