"""The command that follows an analysis."""

from __future__ import annotations

from sortition.render.words import clean
from sortition.rpc.v1.analysis_pb2 import AnalysisResult, RecommendationKind
from sortition.rpc.v1.experiment_pb2 import Experiment
from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

__all__ = ["current_status", "next_command"]

_OPEN = (ExperimentStatus.EXPERIMENT_STATUS_RUNNING, ExperimentStatus.EXPERIMENT_STATUS_PAUSED)
_COMMANDS = {
    RecommendationKind.RECOMMENDATION_KIND_NEED_MORE_DATA: "watch",
    RecommendationKind.RECOMMENDATION_KIND_NOT_SIGNIFICANT: "complete",
    RecommendationKind.RECOMMENDATION_KIND_SHIP: "promote",
    RecommendationKind.RECOMMENDATION_KIND_BELOW_MDE: "complete",
    RecommendationKind.RECOMMENDATION_KIND_REGRESSION: "complete",
    RecommendationKind.RECOMMENDATION_KIND_INVALID: "pause",
}


def current_status(result: AnalysisResult, experiment: Experiment) -> ExperimentStatus:
    """Returns where the experiment stands now; the analysis may have been made before that."""
    return experiment.status or result.status


def next_command(result: AnalysisResult, experiment: Experiment) -> str:
    """Returns the command that follows the advice, such as ``sortition promote search``; empty where none does."""
    command = _COMMANDS.get(result.recommendation_kind)
    if command is None or current_status(result, experiment) not in _OPEN:
        return ""
    organization = experiment.spec.organization
    option = f" --organization {clean(organization)}" if organization not in ("", "default") else ""
    return f"sortition {command} {clean(result.experiment)}{option}"
