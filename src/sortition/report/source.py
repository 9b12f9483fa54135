"""What a report is made of, by what it is of."""

from __future__ import annotations

from collections.abc import Iterator

from sortition.render.figures import Figures
from sortition.render.numbers import quantile_name
from sortition.render.words import clean, plural
from sortition.report.plots.marks import MAX_DRAWN
from sortition.rpc.v1.analysis_pb2 import Comparison, FullReport, Guardrail, VariantSummary
from sortition.rpc.v1.experiment_pb2 import Goal, MetricRole
from sortition.rpc.v1.snapshot_pb2 import MetricKind

__all__ = ["Source"]


class Source:
    """The parts of a full report.

    Args:
        full: The report as the sidecar sends it.
    """

    def __init__(self, full: FullReport) -> None:
        self.full = full
        self.experiment = full.report.experiment
        self.spec = full.report.experiment.spec
        self.result = full.report.analysis
        self.figures = Figures(self.result, self.experiment)
        self.primary = self.result.primary_metric or self.full.series.metric
        self.units_word = plural(clean(self.spec.unit or "session"))

    @property
    def treatments(self) -> list[VariantSummary]:
        """Every variant but the control, in declared order."""
        return [variant for variant in self.result.variants if not variant.control]

    def role(self, metric: str) -> MetricRole:
        """Returns what a metric is for."""
        return self.figures.metric(metric).role or MetricRole.METRIC_ROLE_SECONDARY

    def place(self, variant: str) -> int:
        """Returns a variant's place among the series of plots: 0 is the control, treatments follow as declared."""
        return next((place for place, each in enumerate(self.treatments, 1) if each.name == variant), 0)

    def better(self, metric: str) -> str:
        """Returns which way is better: "lower" or "higher"."""
        return "lower" if self.figures.metric(metric).goal == Goal.GOAL_MINIMIZE else "higher"

    def is_rate(self, metric: str) -> bool:
        """Returns whether a metric's values are rates in [0, 1]."""
        return self.figures.metric(metric).kind == MetricKind.METRIC_KIND_BINARY

    def unit(self, metric: str) -> str:
        """Returns a metric's unit of measurement; "%" for rates, empty without one."""
        return "%" if self.is_rate(metric) else self.figures.metric(metric).unit

    def factor(self, metric: str) -> float:
        """Returns what a metric's values are multiplied by for an axis in its unit: rates are shown in percent."""
        return 100.0 if self.is_rate(metric) else 1.0

    def drawn(self) -> list[VariantSummary]:
        """Returns the variants that plots show, by place; where there are too many, not all but the winner."""
        chosen = sorted(self.treatments, key=lambda each: each.name != self.result.winner)[: MAX_DRAWN - 1]
        controls = [each for each in self.result.variants if each.control]
        return [*controls, *(each for each in self.treatments if each in chosen)]

    def measured(self) -> Iterator[tuple[str, float | None]]:
        """Yields metrics and their quantiles, the primary metric first; None stands for the mean."""
        metrics = self.result.metrics
        for name in dict.fromkeys([self.primary, *self.figures.specs, *(each.metric for each in metrics)]):
            yield name, None
            for q in sorted({each.q for figure in metrics if figure.metric == name for each in figure.quantiles}):
                yield name, q

    def comparison(self, variant: str, metric: str, quantile: float | None = None) -> Comparison:
        """Returns how a variant compares with the control."""
        return self.figures.comparison(variant, metric, quantile)

    def guardrail(self, variant: str, metric: str) -> Guardrail | None:
        """Returns the state of a guardrail; None where it has none."""
        found = (each for each in self.result.guardrails if (each.variant, each.metric) == (variant, metric))
        return next(found, None)

    @staticmethod
    def name(metric: str, quantile: float | None = None) -> str:
        """Names a metric, or one of its quantiles: ``latency p95``."""
        return metric if quantile is None else f"{metric} {quantile_name(quantile)}"
