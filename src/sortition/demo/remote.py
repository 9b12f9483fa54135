"""What the demo asks of the sidecar besides what its agents do: the part of an experimenter."""

from __future__ import annotations

from typing import Any

import grpc

from sortition.client.failures import from_rpc
from sortition.model.experiment import ExperimentSpec
from sortition.model.wire import spec_to_proto
from sortition.rpc.v1 import admin_pb2, admin_pb2_grpc, analysis_pb2, analysis_pb2_grpc, common_pb2, experiment_pb2

__all__ = ["Experimenter"]

_TIMEOUT_S = 10.0
_ACTOR = "demo"


class Experimenter:
    """Creates an experiment, watches it, and ships its winner.

    Args:
        target: The sidecar's address.
    """

    def __init__(self, target: str) -> None:
        self._channel = grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])
        self._admin: Any = admin_pb2_grpc.AdminStub(self._channel)
        self._analysis: Any = analysis_pb2_grpc.AnalysisStub(self._channel)

    def start(self, spec: ExperimentSpec) -> experiment_pb2.Experiment:
        """Creates an experiment and starts it."""
        actor = admin_pb2.Actor(name=_ACTOR, reason="the demo begins")
        self._call(
            self._admin.CreateExperiment, admin_pb2.CreateExperimentRequest(spec=spec_to_proto(spec), actor=actor)
        )
        change = admin_pb2.ChangeExperimentRequest(key=spec.key, organization=spec.organization, actor=actor)
        started: experiment_pb2.Experiment = self._call(self._admin.StartExperiment, change)
        return started

    def report(self, key: str) -> analysis_pb2.ExperimentReport:
        """Returns where the experiment stands."""
        report: analysis_pb2.ExperimentReport = self._call(
            self._analysis.GetStatus, analysis_pb2.GetStatusRequest(key=key)
        )
        return report

    def ship(self, key: str) -> admin_pb2.CompleteExperimentResponse:
        """Completes the experiment and ships its winner; refused when there is none."""
        actor = admin_pb2.Actor(name=_ACTOR, reason="the demo's sessions are through")
        completed: admin_pb2.CompleteExperimentResponse = self._call(
            self._admin.CompleteExperiment, admin_pb2.CompleteExperimentRequest(key=key, ship=True, actor=actor)
        )
        return completed

    def subject(self, kind: str, name: str) -> admin_pb2.Subject:
        """Returns a subject with its current configuration."""
        subject: admin_pb2.Subject = self._call(
            self._admin.GetSubject, admin_pb2.GetSubjectRequest(ref=common_pb2.SubjectRef(kind=kind, id=name))
        )
        return subject

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=_TIMEOUT_S, wait_for_ready=True)
        except grpc.RpcError as error:
            raise from_rpc(error) from error
