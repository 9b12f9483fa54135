"""Messages by hand, with the figures of one experiment."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, RenderableType

from sortition.rpc.v1 import analysis_pb2 as analysis
from sortition.rpc.v1 import experiment_pb2 as experiment
from sortition.rpc.v1 import snapshot_pb2 as snapshot

STARTED = Timestamp(seconds=1_700_000_000)
NOW = Timestamp(seconds=1_700_000_000 + 2 * 3600 + 10 * 60 + 5)


def text(renderable: RenderableType, width: int = 120) -> str:
    """Returns what is printed, without the blanks that fill a line."""
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def make_experiment() -> experiment.Experiment:
    spec = experiment.ExperimentSpec(
        key="search-strategy",
        organization="default",
        unit="session",
        hypothesis="One pass beats many.",
        metrics=[
            experiment.Metric(
                name="total_time", kind="METRIC_KIND_DURATION", unit="s", goal="GOAL_MINIMIZE",
                role="METRIC_ROLE_PRIMARY",
            ),
            experiment.Metric(
                name="found_all", kind="METRIC_KIND_BINARY", goal="GOAL_MAXIMIZE", role="METRIC_ROLE_GUARDRAIL",
                margin=0.01,
            ),
        ],
        variants=[
            experiment.Variant(name="sequential", weight="33", control=True, config={"strategy": "sequential"}),
            experiment.Variant(name="combined", weight="33", config={"strategy": "combined"}),
            experiment.Variant(name="pooled", weight="34", config={"strategy": "pooled", "workers": 2}),
        ],
    )  # fmt: skip
    spec.subject.kind, spec.subject.id = "agent", "search-agent"
    return experiment.Experiment(
        id="1", spec=spec, status="EXPERIMENT_STATUS_RUNNING", started_at=STARTED, created_at=STARTED
    )


def make_result() -> analysis.AnalysisResult:
    return analysis.AnalysisResult(
        experiment="search-strategy",
        organization="default",
        status="EXPERIMENT_STATUS_RUNNING",
        analyzed_at=NOW,
        primary_metric="total_time",
        confidence=0.95,
        alpha=0.05,
        variants=[
            analysis.VariantSummary(name="sequential", control=True, weight=0.33, units=104, share=0.33),
            analysis.VariantSummary(name="combined", weight=0.33, units=101, share=0.32),
            analysis.VariantSummary(name="pooled", weight=0.34, units=107, share=0.34),
        ],
        metrics=[
            _figures("sequential", 1.92, 0.04, {0.5: 1.9, 0.95: 2.71}),
            _figures("combined", 0.812, 0.02, {0.5: 0.8, 0.95: 1.12}),
            _figures("pooled", 1.1, 0.03, {0.5: 1.05, 0.95: 1.5}),
            analysis.VariantMetric(variant="sequential", metric="found_all", n=104, mean=0.99, se=0.0098),
            analysis.VariantMetric(variant="combined", metric="found_all", n=101, mean=1.0, se=0.0),
            analysis.VariantMetric(variant="pooled", metric="found_all", n=107, mean=0.9, se=0.029),
        ],
        comparisons=[
            _compared("combined", "total_time", -1.11, (-1.2, -1.02), -0.578, 1e-9, 1.0, better=True),
            _compared("pooled", "total_time", -0.82, (-0.92, -0.72), -0.427, 1e-9, 0.9731, better=True),
            _compared("combined", "total_time", -1.59, (-1.7, -1.4), -0.5867, 1e-5, 1.0, better=True, quantile=0.95),
            _compared("combined", "found_all", 0.01, (-0.009, 0.029), 0.0101, 0.31, 0.85, significant=False),
            _compared("pooled", "found_all", -0.09, (-0.15, -0.03), -0.0909, 0.0042, 0.002),
        ],
        guardrails=[
            analysis.Guardrail(metric="found_all", variant="combined", intact=True, detail="within 1 %"),
            analysis.Guardrail(metric="found_all", variant="pooled", intact=False, detail="worse by 9 %"),
        ],
        sample_ratio=analysis.SampleRatio(p_value=0.7, verdict="ok"),
        units=312,
        min_samples=300,
        winner="combined",
        should_ship=True,
        recommendation_kind="RECOMMENDATION_KIND_SHIP",
        recommendation="Ship combined: total_time −57.8 % (p < 0.001), guardrail found_all intact.",
    )


def _figures(variant: str, mean: float, se: float, quantiles: dict[float, float]) -> analysis.VariantMetric:
    return analysis.VariantMetric(
        variant=variant, metric="total_time", n=100, mean=mean, se=se,
        quantiles=[analysis.QuantileValue(q=q, value=value) for q, value in quantiles.items()],
    )  # fmt: skip


def _compared(
    variant: str, metric: str, difference: float, interval: tuple[float, float], relative: float, p: float,
    chance: float, *, better: bool = False, significant: bool = True, quantile: float | None = None,
) -> analysis.Comparison:  # fmt: skip
    return analysis.Comparison(
        variant=variant, metric=metric, quantile=quantile, difference=difference,
        interval=analysis.Interval(lower=interval[0], upper=interval[1]), relative=relative, p_value=p, p_adjusted=p,
        chance_to_beat=chance, significant=significant, improvement=better,
    )  # fmt: skip


STATUS = snapshot.ExperimentStatus
