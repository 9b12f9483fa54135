"""The figures of an analysis, by what they are of."""

from __future__ import annotations

import math

from sortition.render.numbers import Scale
from sortition.render.words import clean
from sortition.rpc.v1.analysis_pb2 import AnalysisResult, Comparison, VariantMetric
from sortition.rpc.v1.experiment_pb2 import Experiment, Metric
from sortition.rpc.v1.snapshot_pb2 import MetricKind

__all__ = ["Figures"]


class Figures:
    """The figures of an analysis by variant, metric and quantile; NaN for those that are not known.

    Args:
        result: The analysis.
        experiment: The experiment it belongs to; gives units of measurement and goals.
    """

    def __init__(self, result: AnalysisResult, experiment: Experiment) -> None:
        self.result = result
        self.unit = experiment.spec.unit or "session"
        self.specs = {metric.name: metric for metric in experiment.spec.metrics}
        self.primary = result.primary_metric
        self.control = next((variant.name for variant in result.variants if variant.control), "")
        self._metrics = {(each.variant, each.metric): each for each in result.metrics}
        self._comparisons = {
            (each.variant, each.metric, each.quantile if each.HasField("quantile") else None): each
            for each in result.comparisons
        }

    def metric(self, name: str) -> Metric:
        """Returns what is declared of a metric."""
        return self.specs.get(name, Metric(name=name))

    def figures(self, variant: str, metric: str) -> VariantMetric:
        """Returns the figures of one metric in one variant."""
        return self._metrics.get((variant, metric), VariantMetric(variant=variant, metric=metric))

    def value(self, variant: str, metric: str, quantile: float | None = None) -> float:
        """Returns a quantile, or else the mean."""
        figures = self.figures(variant, metric)
        if quantile is None:
            return figures.mean if figures.HasField("mean") else math.nan
        return next((each.value for each in figures.quantiles if each.q == quantile), math.nan)

    def error(self, variant: str, metric: str) -> float:
        """Returns the standard error of the mean."""
        figures = self.figures(variant, metric)
        return figures.se if figures.HasField("se") else math.nan

    def comparison(self, variant: str, metric: str, quantile: float | None = None) -> Comparison:
        """Returns how a variant compares with the control on a quantile, or else on the mean."""
        return self._comparisons.get((variant, metric, quantile), Comparison(variant=variant, metric=metric))

    def scale(self, name: str, quantile: float | None = None) -> Scale:
        """Returns how to write the figures of a metric."""
        metric = self.metric(name)
        variants = [variant.name for variant in self.result.variants]
        values = [self.value(variant, name, quantile) for variant in variants]
        errors = [] if quantile is not None else [self.error(variant, name) for variant in variants]
        return Scale(values, errors, unit=clean(metric.unit), rate=metric.kind == MetricKind.METRIC_KIND_BINARY)

    def confidence(self) -> str:
        """Names the intervals: ``95 % interval``."""
        return f"{round(self.result.confidence * 100, 6):g} % interval"
