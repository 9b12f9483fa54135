"""How the outcomes of one metric are spread, in bins that all variants share; for plots."""

from __future__ import annotations

import numpy as np

from sortition.analyzer.plots import Distribution, VariantDistribution
from sortition.analyzer.sample import Sample
from sortition.model import Metric
from sortition.stats import Bins, FloatArray
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["MAX_BINS", "distribution", "distributions"]

MAX_BINS = 40
"""More than a plot can show are not worth sending."""
# Few outcomes in many bins show noise: so many bins as outcomes of the smallest arm have a square root, at least.
_FEWEST_BINS = 8
# What lies beyond is a matter of a few outcomes, and would press all others into one bin.
_TAIL = 0.005
# Where the upper end is so many times the lower one, equal steps show only the tail.
_LOGARITHMIC_FROM = 30.0


def distributions(record: ExperimentRecord, data: ExperimentData) -> list[Distribution]:
    """Returns the distributions of all metrics that keep theirs, in declared order."""
    return [distribution(record, data, metric) for metric in record.spec.metrics if metric.reported_quantiles]


def distribution(record: ExperimentRecord, data: ExperimentData, metric: Metric) -> Distribution:
    """Returns how the outcomes of a metric are spread.

    The bins are of equal width, on a logarithmic axis where outcomes are positive and far apart; they reach over all
    but the outermost half percent of either side. Outcomes are known to 1 % (the sketch's bins); inside such a bin they
    count as spread evenly.

    Args:
        record: The experiment.
        data: All its aggregates.
        metric: One of its metrics.

    Returns:
        Shares of shape (variants, bins); without bins and with a reason where there is nothing to show.
    """
    index = record.spec.metrics.index(metric)
    samples = [
        Sample(variant.name, metric, int(data.units[place]), data.cells.get((place, index)))
        for place, variant in enumerate(record.spec.variants)
    ]
    if not metric.reported_quantiles:
        return Distribution(metric.name, reason="the metric keeps no distribution; it does with quantiles declared")
    bins = [sample.bins for sample in samples]
    full = [one for one in bins if one.counts.sum() > 0]
    if not full:
        return Distribution(metric.name, reason="there are no outcomes yet")
    edges, logarithmic = _edges(full)
    return Distribution(
        metric.name,
        tuple(edges.tolist()),
        logarithmic,
        tuple(_of_variant(sample, held, edges) for sample, held in zip(samples, bins, strict=True)),
    )


def _edges(bins: list[Bins]) -> tuple[FloatArray, bool]:
    """Returns bins for all arms, and whether they are logarithmic."""
    # Of each arm on its own, so that a small one with other outcomes is shown too.
    ends = [_ends(one) for one in bins]
    lower, upper = min(end for end, _ in ends), max(end for _, end in ends)
    if not upper > lower:
        # One value: a bin around it that is wide enough to be told from it.
        room = max(abs(lower) * 0.01, np.finfo(np.float64).tiny)
        return np.array([lower - room, lower + room]), False
    fewest = min(float(one.counts.sum()) for one in bins)
    number = int(np.clip(np.sqrt(fewest), _FEWEST_BINS, MAX_BINS))
    if lower > 0 and upper / lower > _LOGARITHMIC_FROM:
        return np.geomspace(lower, upper, number + 1), True
    return np.linspace(lower, upper, number + 1), False


def _ends(bins: Bins) -> tuple[float, float]:
    """Returns the ends of the bins that hold all but the tails; whole ones, so that what lies at a cap is no tail."""
    through = np.cumsum(bins.counts.sum(axis=1)) / bins.counts.sum()
    first = int(np.argmax(through > _TAIL))
    last = int(np.argmax(through >= 1 - _TAIL))
    return float(bins.edges[first, 0]), float(bins.edges[last, 1])


def _of_variant(sample: Sample, bins: Bins, edges: FloatArray) -> VariantDistribution:
    held = bins.counts.sum(axis=1)
    total = float(held.sum())
    if total == 0:
        return VariantDistribution(sample.variant, sample.n)
    # The share below each edge; a sketch bin of no width has all its outcomes at that very value.
    starts, widths = bins.edges[:, 0], np.diff(bins.edges, axis=1)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.clip((edges[:, None] - starts) / widths, 0, 1)
    # What is at an edge is above it, but for the last.
    below = (edges[:, None] > starts) | ((edges == edges[-1])[:, None] & (edges[:, None] == starts))
    inside = np.where(widths > 0, inside, below)
    through = inside @ held / total
    return VariantDistribution(
        sample.variant,
        sample.n,
        tuple(np.diff(through).clip(0, 1).tolist()),
        below=float(through[0]),
        above=float(1 - through[-1]),
    )
