"""What the reader should know about the data behind an analysis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sortition.analyzer.compare import MetricComparison
from sortition.analyzer.methods import FISHER
from sortition.analyzer.result import SampleRatio
from sortition.analyzer.sample import Sample
from sortition.analyzer.words import count, p_value
from sortition.model import ExperimentSpec, MetricKind, MetricRole
from sortition.stats import relative_lift
from sortition.store.records import ExperimentRecord

__all__ = ["caveats"]

# Fewer successes or failures than this, and the normal approximation of a rate is not to be trusted.
_SMALL_COUNT = 5
# Units without an outcome are normal while they are under way; from here on they may be a selection.
_MISSING_SHARE = 0.1


def caveats(
    record: ExperimentRecord,
    units: Sequence[int],
    sample_ratio: SampleRatio,
    compared: Sequence[MetricComparison],
) -> tuple[str, ...]:
    """Returns one line for each thing worth knowing, the split first, then metric by metric."""
    spec = record.spec
    lines = [*_reweighted(record), *_split(record, units, sample_ratio)]
    for comparison in compared:
        for sample in (comparison.control, *comparison.treatments):
            lines.extend(_of_sample(spec, sample))
        lines.extend(_of_comparison(comparison))
    return tuple(lines)


def _reweighted(record: ExperimentRecord) -> Iterator[str]:
    changes = len(record.allocations) - 1
    if changes > 0:
        times = "once" if changes == 1 else f"{changes} times"
        yield (
            f"weights were changed {times}: variants are compared within periods, among {record.spec.unit}s first"
            " exposed under the same weights, and the periods are combined by size (Cochran 1954), so that a trend over"
            " time is not taken for an effect; means of variants, quantiles, segments and daily figures are of"
            " all periods together, and are not free of it"
        )


def _split(record: ExperimentRecord, units: Sequence[int], sample_ratio: SampleRatio) -> Iterator[str]:
    spec = record.spec
    if sample_ratio.verdict in ("yellow", "red"):
        yield f"units may not be split as declared ({p_value(sample_ratio.p_value)})"
    if not spec.external_assignment:
        weights = [max(one) for one in zip(*(each.weights(len(units)) for each in record.allocations), strict=True)]
        for variant, held, weight in zip(spec.variants, units, weights or record.weights, strict=True):
            if held and not weight:
                yield f"{variant.name} has {count(held, spec.unit)} and a weight of 0; the split's test leaves them out"


def _of_sample(spec: ExperimentSpec, sample: Sample) -> Iterator[str]:
    where = f"{sample.metric.name} of {sample.variant}"
    if sample.n and not sample.units:
        yield f"{where}: has outcomes, but no {spec.unit} was exposed to the variant"
    missing = sample.units - sample.n
    if sample.metric.role is MetricRole.PRIMARY and missing > _MISSING_SHARE * sample.units:
        yield f"{where}: at least {missing:,} of {count(sample.units, spec.unit)} have no outcome (yet)"
    if sample.cell is None:
        return
    for number, what in (
        (sample.cell.refused, "refused"),
        (sample.cell.clamped, "moved to a cap"),
        (sample.cell.late, "too late and not counted"),
    ):
        if number:
            yield f"{where}: {count(number, 'value')} {'was' if number == 1 else 'were'} {what}"


def _of_comparison(comparison: MetricComparison) -> Iterator[str]:
    name, found = comparison.metric.name, comparison.difference
    for index, sample in enumerate(comparison.treatments):
        if found.reason[index]:
            continue
        if comparison.methods[index] == FISHER:
            yield f"{name} of {sample.variant}: counts are small, so the test is exact and the interval is by scores"
        elif comparison.metric.kind is MetricKind.BINARY and _rare(comparison.control, sample):
            yield f"{name} of {sample.variant}: fewer than {_SMALL_COUNT} successes or failures, so p is approximate"
    if comparison.metric.role is MetricRole.PRIMARY:
        bounds = relative_lift(
            found.control,
            found.control_error,
            found.treatment,
            found.treatment_error,
            confidence=comparison.policy.confidence,
            method="fieller",
        )
        if ((bounds.reason != "") & (found.reason == "") & (found.control != 0)).any():
            yield f"{name}: the control cannot be told from 0, so relative figures are not to be trusted"


def _rare(*samples: Sample) -> bool:
    return any(min(one.counts.successes, one.counts.trials - one.counts.successes) < _SMALL_COUNT for one in samples)
