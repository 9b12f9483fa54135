"""The service Analysis: what the outcomes say."""

from __future__ import annotations

from sortition.analyzer.power import plan_power
from sortition.analyzer.result import PowerResult
from sortition.api.backend import BackendSource
from sortition.api.convert import (
    analysis_to_proto,
    decision_to_proto,
    power_to_proto,
    replay_to_proto,
    report_to_proto,
    series_point_to_proto,
)
from sortition.api.fields import Fields
from sortition.api.overview import moment_of, summary_to_proto, volume_of
from sortition.api.plots import distribution_to_proto, full_report_to_proto, power_curve_to_proto
from sortition.model import DecisionPolicy
from sortition.model.wire import kind_from_proto, policy_from_proto, spec_from_proto, spending_from_proto
from sortition.rpc.v1 import analysis_pb2

__all__ = ["SERVICE", "Analysis"]

SERVICE = analysis_pb2.DESCRIPTOR.services_by_name["Analysis"]

DEFAULT_REPORTS = 20
MAX_REPORTS = 100
_USUAL_POLICY = DecisionPolicy.FIXED_HORIZON


class Analysis:
    """One method per RPC: checks the request, asks the lifecycle, converts the answer."""

    def __init__(self, backend: BackendSource) -> None:
        """Makes the service.

        Args:
            backend: Where the lifecycle comes from.
        """
        self._backend = backend

    def analyze(self, request: analysis_pb2.AnalyzeRequest) -> analysis_pb2.AnalysisResult:
        """Compares every variant with the control, and decides."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        return analysis_to_proto(self._backend().experiments.analyze(organization, key))

    def get_status(self, request: analysis_pb2.GetStatusRequest) -> analysis_pb2.ExperimentReport:
        """Where an experiment stands: progress, live analysis, what is missing."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        return report_to_proto(self._backend().experiments.status(organization, key))

    def list_status(self, request: analysis_pb2.ListStatusRequest) -> analysis_pb2.ListStatusResponse:
        """Where many experiments stand, newest first, paged."""
        with Fields() as fields:
            limit = fields.page(request.page_size, default=DEFAULT_REPORTS, limit=MAX_REPORTS)
            statuses = fields.statuses(request.statuses)
            since = fields.take(lambda: moment_of(request, "since"))
        reports, token = self._backend().experiments.statuses(
            organization=request.organization or None,
            subject_kind=request.subject.kind or None,
            subject_id=request.subject.id or None,
            statuses=statuses,
            since=since,
            limit=limit,
            after=request.page_token or None,
        )
        return analysis_pb2.ListStatusResponse(
            reports=[report_to_proto(report) for report in reports], next_page_token=token
        )

    def summarize(self, request: analysis_pb2.SummarizeRequest) -> analysis_pb2.Summary:
        """What came of all experiments together, from what was stored when each ended."""
        with Fields() as fields:
            volume = fields.take(lambda: volume_of(request.monthly_volume))
            since = fields.take(lambda: moment_of(request, "since"))
        summary = self._backend().experiments.summarize(
            organization=request.organization or None,
            subject_kind=request.subject.kind or None,
            subject_id=request.subject.id or None,
            since=since,
        )
        return summary_to_proto(summary, volume)

    def get_series(self, request: analysis_pb2.GetSeriesRequest) -> analysis_pb2.Series:
        """One metric by day, and accumulated, for plots."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        metric, points = self._backend().experiments.series(organization, key, request.metric or None)
        return analysis_pb2.Series(metric=metric, points=[series_point_to_proto(point) for point in points])

    def power(self, request: analysis_pb2.PowerRequest) -> analysis_pb2.PowerResult:
        """How many units an experiment needs, before it starts or while it runs."""
        if request.HasField("plan"):
            return power_to_proto(_planned(request.plan))
        if request.HasField("spec"):
            return power_to_proto(self._backend().experiments.power_of(spec_from_proto(request.spec, "spec")))
        with Fields() as fields:
            if not request.HasField("key"):
                fields.refuse("of", "is required; give the key of an experiment, its specification, or a plan")
            else:
                fields.required("key", request.key)
            organization = fields.organization(request.organization)
        return power_to_proto(self._backend().experiments.power(organization, request.key))

    def get_distribution(self, request: analysis_pb2.GetDistributionRequest) -> analysis_pb2.Distribution:
        """How the outcomes of one metric are spread, for plots."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        return distribution_to_proto(
            self._backend().experiments.distribution(organization, key, request.metric or None)
        )

    def get_power_curve(self, request: analysis_pb2.GetPowerCurveRequest) -> analysis_pb2.PowerCurve:
        """What more units would find, for plots."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        return power_curve_to_proto(self._backend().experiments.power_curve(organization, key))

    def get_full_report(self, request: analysis_pb2.GetFullReportRequest) -> analysis_pb2.FullReport:
        """Everything that a report shows, of one moment."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        return full_report_to_proto(self._backend().experiments.full_report(organization, key))

    def list_decisions(self, request: analysis_pb2.ListDecisionsRequest) -> analysis_pb2.ListDecisionsResponse:
        """The decisions that were stored about an experiment, newest first."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        found = self._backend().experiments.decisions(organization, key)
        return analysis_pb2.ListDecisionsResponse(decisions=[decision_to_proto(decision) for decision in found])

    def replay(self, request: analysis_pb2.ReplayRequest) -> analysis_pb2.ReplayResponse:
        """Computes a stored decision again from what is stored with it, and says whether it comes out the same."""
        with Fields() as fields:
            decision_id = fields.required("decision_id", request.decision_id)
        return replay_to_proto(self._backend().experiments.replay(decision_id))


def _planned(plan: analysis_pb2.PowerPlan) -> PowerResult:
    with Fields() as fields:
        kind = fields.take(lambda: kind_from_proto(plan.kind, "plan.kind"))
        policy = fields.take(lambda: policy_from_proto(plan.policy, "plan.policy")) if plan.policy else _USUAL_POLICY
        spending = fields.take(lambda: spending_from_proto(plan.spending, "plan.spending"))
    with Fields() as fields:
        return fields.take(
            lambda: plan_power(
                kind,
                plan.baseline,
                plan.sd,
                plan.mde,
                confidence=plan.confidence or 0.95,
                power=plan.power or 0.8,
                variants=plan.variants or 2,
                units_per_day=plan.units_per_day or None,
                policy=policy,
                looks=plan.looks or 1,
                spending=spending,
                observations=plan.observations_per_unit or 1.0,
                correlation=plan.correlation,
                quantile=plan.quantile or None,
                density=plan.density or None,
            ),
            "plan",
        )
