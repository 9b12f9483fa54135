"""A full report by hand: three variants over a fortnight, with everything that a report can show."""

from __future__ import annotations

import math

from sortition.rpc.v1 import analysis_pb2 as analysis
from sortition.rpc.v1.experiment_pb2 import DecisionPolicy, Experiment
from unit.render.search import make_experiment, make_result

DAYS = tuple(f"2026-03-{day:02}" for day in range(1, 13))
LEVELS = ("mobile", "desktop", "other")


def make_full_report() -> analysis.FullReport:
    experiment, result = make_experiment(), make_result()
    decision = experiment.spec.decision
    decision.mde, decision.power, decision.min_samples, decision.confidence = 0.05, 0.8, 300, 0.95
    decision.policy = result.policy = DecisionPolicy.DECISION_POLICY_SEQUENTIAL
    for each in result.comparisons:
        room = abs(each.relative) * 0.1 + 0.02
        each.method = "ratio_delta"
        each.relative_interval.lower, each.relative_interval.upper = each.relative - room, each.relative + room
        each.always_valid.relative_interval.lower = each.relative - 2 * room
        each.always_valid.relative_interval.upper = each.relative + 2 * room
        each.always_valid.p_value = each.p_value
    for name, score in (("split", 1.0), ("missing_outcomes", 0.82), ("refused", 0.55)):
        result.quality.parts.add(name=name, score=score, detail=f"what was seen of {name}")
    result.quality.parts.add(name="imbalance", detail="no covariate is declared")
    result.quality.score = 0.94
    for level in LEVELS:
        means = [each for each in result.comparisons if not each.HasField("quantile")]
        result.segments.add(dimension="device", level=level, metrics=result.metrics, comparisons=means)
    result.looks.add(planned_units=300, units=312, at=result.analyzed_at, information=0.5, boundary=2.96, level=0.003)
    result.looks.add(planned_units=600, information=1.0)
    result.warnings.append("total_time of pooled: 3 values refused")
    _register(experiment)
    return analysis.FullReport(
        report=analysis.ExperimentReport(experiment=experiment, analysis=result, progress=1.0, running_seconds=7800),
        series=analysis.Series(metric="total_time", points=[point for day in range(len(DAYS)) for point in _day(day)]),
        distributions=[_distribution()],
        power=analysis.PowerResult(
            units_per_variant=140, units_total=420, achieved_power=0.66, units_missing=108, days=1.2, mde=0.058
        ),
        power_curve=analysis.PowerCurve(
            points=[
                analysis.PowerPoint(units=units, power=1 - math.exp(-units / 261), mde=1 / math.sqrt(units))
                for units in range(30, 700, 30)
            ]
        ),
    )


def _register(experiment: Experiment) -> None:
    """Makes it the second of three runs, registered, peeked at and re-weighted by hand."""
    experiment.run.number, experiment.run.of = 2, 3
    experiment.run.first, experiment.run.previous = "search", "search"
    found = experiment.registration
    found.hash, found.algorithm, found.registered_by = "5eed" * 16, "sha256-canonical-json/1", "ada"
    found.registered_at.CopyFrom(experiment.started_at)
    found.stopping_rule = "Every look may decide."
    found.peeks.count, found.peeks.days = 12, 3
    found.peeks.first_at.CopyFrom(experiment.started_at)
    found.peeks.last_at.CopyFrom(experiment.started_at)
    moved = found.deviations.add(actor="bob", kind="reweight", reason="too slow")
    moved.at.CopyFrom(experiment.started_at)
    moved.details["to"] = "20 %"


def _day(day: int) -> list[analysis.SeriesPoint]:
    points = []
    for variant, mean in (("sequential", 1.92), ("combined", 0.81), ("pooled", 1.1)):
        so_far = 9 * (day + 1)
        point = analysis.SeriesPoint(
            day=DAYS[day], variant=variant, n=30, mean=mean + 0.01 * (day % 3), new_units=9,
            cumulative_n=30 * (day + 1), cumulative_mean=mean, cumulative_units=so_far,
        )  # fmt: skip
        if variant != "sequential":
            difference, room = mean - 1.92, 0.5 / math.sqrt(day + 1)
            point.cumulative_difference = difference
            point.cumulative_interval.lower, point.cumulative_interval.upper = difference - room, difference + room
            point.cumulative_always_valid.lower = difference - 1.5 * room
            point.cumulative_always_valid.upper = difference + 1.5 * room
        points.append(point)
    return points


def _distribution() -> analysis.Distribution:
    found = analysis.Distribution(metric="total_time", edges=[0.25 * edge for edge in range(9)])
    for variant in ("sequential", "combined", "pooled"):
        found.variants.add(variant=variant, n=100, shares=[0.12] * 8, below=0.01, above=0.03)
    return found
