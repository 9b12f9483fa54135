"""What the outcomes say: ``analyze``, ``series`` and ``power``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.experiments import Key
from sortition.cli.session import Session
from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    from sortition.rpc.v1.experiment_pb2 import Experiment

__all__ = ["register"]

_KINDS = ("binary", "continuous", "duration", "count", "ratio")
_POLICIES = ("fixed_horizon", "sequential", "group_sequential")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "analyze")(analyze)
    command(app, "series")(series)
    command(app, "power")(power)


def analyze(session: Session, key: Key) -> None:
    """Compare every variant with the control, and say what to do."""
    from sortition.render import analysis_table
    from sortition.rpc.v1.analysis_pb2 import AnalysisResult, AnalyzeRequest

    request = AnalyzeRequest(key=key, organization=session.organization)
    result: AnalysisResult = session.call(session.analysis.Analyze, request)
    session.show(result, lambda: analysis_table(result, _experiment(session, key)))


def series(
    session: Session,
    key: Key,
    metric: Annotated[str, typer.Option(metavar="NAME", help="The metric; default: the primary one.")] = "",
) -> None:
    """Show a metric by day, and how the difference settles.

    The interval is that of one look; looking every day is not a test for every day.
    """
    from sortition.render import series_view
    from sortition.rpc.v1.analysis_pb2 import GetSeriesRequest, Series

    request = GetSeriesRequest(key=key, organization=session.organization, metric=metric)
    found: Series = session.call(session.analysis.GetSeries, request)
    session.show(found, lambda: series_view(found, _experiment(session, key)))


def power(
    session: Session,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="A stored experiment; default: a plan.")] = None,
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="Plan: binary, continuous, duration, count or ratio.")
    ] = "binary",
    baseline: Annotated[
        float | None, typer.Option(help="Plan: the control's expected mean, or rate in (0, 1).")
    ] = None,
    sd: Annotated[float, typer.Option(help="Plan: the standard deviation per unit of a continuous metric.")] = 0.0,
    mde: Annotated[float | None, typer.Option(help="Plan: the relative difference to be found.")] = None,
    confidence: Annotated[float, typer.Option(help="Plan: 1 - significance.")] = 0.95,
    wanted: Annotated[float, typer.Option("--power", help="Plan: the chance to find it.")] = 0.8,
    variants: Annotated[int, typer.Option(min=2, max=64, help="Plan: variants, control included.")] = 2,
    units_per_day: Annotated[float, typer.Option(min=0, help="Plan: new units per day.")] = 0.0,
    policy: Annotated[
        str, typer.Option(metavar="POLICY", help="Plan: fixed_horizon, sequential or group_sequential.")
    ] = "fixed_horizon",
    looks: Annotated[int, typer.Option(min=1, max=20, help="Plan: how many planned looks of group_sequential.")] = 5,
    observations: Annotated[float, typer.Option(min=1, help="Plan: observations per unit.")] = 1.0,
    correlation: Annotated[
        float, typer.Option(min=0, max=1, help="Plan: how alike a unit's observations are (intraclass correlation).")
    ] = 0.0,
    quantile: Annotated[float, typer.Option(help="Plan: the quantile to compare instead of the mean.")] = 0.0,
    density: Annotated[float, typer.Option(help="Plan: the density of the distribution at that quantile.")] = 0.0,
) -> None:
    """Say how many units an experiment, or a plan, needs."""
    from sortition.render import power_table
    from sortition.rpc.v1.analysis_pb2 import PowerPlan, PowerRequest, PowerResult

    request = PowerRequest(organization=session.organization)
    if key is not None:
        if baseline is not None or mde is not None:
            raise InvalidArgument("give KEY or a plan (--baseline, --mde), not both")
        request.key = key
    else:
        if baseline is None or mde is None:
            raise InvalidArgument("give KEY, or --baseline and --mde of a plan")
        wrong = [
            (option, f"must be one of {', '.join(words)}, but is {word!r}")
            for option, word, words in (("--kind", kind, _KINDS), ("--policy", policy, _POLICIES))
            if word not in words
        ]
        if wrong:
            raise InvalidArgument.of(wrong)
        request.plan.CopyFrom(
            PowerPlan(
                kind=f"METRIC_KIND_{kind.upper()}", baseline=baseline, sd=sd, mde=mde,
                confidence=confidence, power=wanted, variants=variants, units_per_day=units_per_day,
                policy=f"DECISION_POLICY_{policy.upper()}", looks=looks, observations_per_unit=observations,
                correlation=correlation, quantile=quantile, density=density,
            )
        )  # fmt: skip
    result: PowerResult = session.call(session.analysis.Power, request)
    session.show(result, lambda: power_table(result))


def _experiment(session: Session, key: str) -> Experiment:
    from sortition.rpc.v1.admin_pb2 import GetExperimentRequest

    request = GetExperimentRequest(key=key, organization=session.organization)
    found: Experiment = session.call(session.admin.GetExperiment, request)
    return found
