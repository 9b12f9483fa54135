"""The service Admin: experiments, subjects, audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sortition.api.alerts import alert_to_proto, reading_to_proto, severities_from_proto
from sortition.api.backend import BackendSource
from sortition.api.convert import (
    analysis_to_proto,
    event_to_proto,
    experiment_to_proto,
    registered_to_proto,
    reweighted_to_proto,
    step_to_proto,
    subject_record_to_proto,
    version_to_proto,
)
from sortition.api.fields import Fields
from sortition.errors import SortitionError
from sortition.lifecycle import Actor
from sortition.model.wire import spec_from_proto
from sortition.rpc.v1 import admin_pb2, experiment_pb2
from sortition.store.records import ExperimentRecord

__all__ = ["SERVICE", "Admin"]

SERVICE = admin_pb2.DESCRIPTOR.services_by_name["Admin"]


# What the lifecycle checks of a request that is not part of its specification.
_BESIDE_SPEC = ("actor", "revision")


@contextmanager
def _below_spec() -> Iterator[None]:
    """Puts the paths of violations of a specification below the field that carries it."""
    try:
        yield
    except SortitionError as error:
        if not error.violations:
            raise
        raise type(error)(
            error.message,
            [
                found if found.field.startswith(_BESIDE_SPEC) else found._replace(field=f"spec.{found.field}")
                for found in error.violations
            ],
        ) from error


class Admin:
    """One method per RPC: checks the request, asks the lifecycle, converts the answer."""

    def __init__(self, backend: BackendSource, info: Callable[[], admin_pb2.ServerInfo]) -> None:
        """Makes the service.

        Args:
            backend: Where the lifecycle comes from.
            info: Describes this sidecar.
        """
        self._backend = backend
        self._info = info

    def create_experiment(self, request: admin_pb2.CreateExperimentRequest) -> experiment_pb2.Experiment:
        """Stores a draft. Every violation is reported at once and nothing is stored if there is one."""
        with Fields() as fields:
            actor = fields.actor(request)
            spec = fields.take(lambda: spec_from_proto(request.spec, "spec"))
        with _below_spec():
            record = self._backend().experiments.create(spec, actor, validate_only=request.validate_only)
        return experiment_to_proto(record)

    def update_experiment(self, request: admin_pb2.UpdateExperimentRequest) -> experiment_pb2.Experiment:
        """Replaces the specification of a draft."""
        with Fields() as fields:
            actor = fields.actor(request)
            spec = fields.take(lambda: spec_from_proto(request.spec, "spec"))
        with _below_spec():
            record = self._backend().experiments.update(spec, request.revision, actor)
        return experiment_to_proto(record)

    def rerun_experiment(self, request: admin_pb2.RerunExperimentRequest) -> experiment_pb2.Experiment:
        """Opens a new run of a started experiment: a draft of its own, with assignments and data of its own."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
            actor = fields.actor(request)
            given = request.HasField("spec")
            spec = fields.take(lambda: spec_from_proto(request.spec, "spec")) if given else None
        with _below_spec():
            record = self._backend().experiments.rerun(organization, key, actor, spec)
        return experiment_to_proto(record)

    def get_registration(self, request: admin_pb2.GetRegistrationRequest) -> admin_pb2.GetRegistrationResponse:
        """What was registered when an experiment was started, and whether what is stored still says the same."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        return registered_to_proto(self._backend().experiments.registered(organization, key))

    def start_experiment(self, request: admin_pb2.ChangeExperimentRequest) -> experiment_pb2.Experiment:
        """Starts a draft or resumes a paused experiment; refused while another one runs on the same subject."""
        return self._change(request, self._backend().experiments.start)

    def pause_experiment(self, request: admin_pb2.ChangeExperimentRequest) -> experiment_pb2.Experiment:
        """Gives every unit the control and exposes none."""
        return self._change(request, self._backend().experiments.pause)

    def resume_experiment(self, request: admin_pb2.ChangeExperimentRequest) -> experiment_pb2.Experiment:
        """Continues a paused experiment."""
        return self._change(request, self._backend().experiments.resume)

    def cancel_experiment(self, request: admin_pb2.ChangeExperimentRequest) -> experiment_pb2.Experiment:
        """Ends an experiment without a result."""
        return self._change(request, self._backend().experiments.cancel)

    def archive_experiment(self, request: admin_pb2.ChangeExperimentRequest) -> experiment_pb2.Experiment:
        """Hides a completed or cancelled experiment from lists and from the hot path."""
        return self._change(request, self._backend().experiments.archive)

    def _change(
        self, request: admin_pb2.ChangeExperimentRequest, change: Callable[[str, str, Actor], ExperimentRecord]
    ) -> experiment_pb2.Experiment:
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
            actor = fields.actor(request)
        return experiment_to_proto(change(organization, key, actor))

    def complete_experiment(self, request: admin_pb2.CompleteExperimentRequest) -> admin_pb2.CompleteExperimentResponse:
        """Ends a running or paused experiment, stores its result and, if asked, ships a variant."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
            actor = fields.actor(request)
        done = self._backend().experiments.complete(
            organization, key, actor, ship=request.ship, variant=request.variant, force=request.force
        )
        return admin_pb2.CompleteExperimentResponse(
            experiment=experiment_to_proto(done.experiment),
            analysis=analysis_to_proto(done.analysis),
            subject=subject_record_to_proto(done.subject) if done.subject else None,
            decision_id=done.decision_id,
        )

    def reweight_experiment(self, request: admin_pb2.ReweightExperimentRequest) -> admin_pb2.ReweightExperimentResponse:
        """Changes the weights of a running or paused experiment. Units that were exposed keep their variant."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
            actor = fields.actor(request)
        done = self._backend().experiments.reweight(
            organization, key, dict(request.weights), actor, validate_only=request.validate_only
        )
        return reweighted_to_proto(done)

    def get_experiment(self, request: admin_pb2.GetExperimentRequest) -> experiment_pb2.Experiment:
        """One experiment by its key."""
        with Fields() as fields:
            key = fields.required("key", request.key)
            organization = fields.organization(request.organization)
        return experiment_to_proto(self._backend().experiments.get(organization, key))

    def list_experiments(self, request: admin_pb2.ListExperimentsRequest) -> admin_pb2.ListExperimentsResponse:
        """Experiments, newest first, filtered and paged."""
        with Fields() as fields:
            limit = fields.page(request.page_size)
            statuses = fields.statuses(request.statuses)
        records, token = self._backend().experiments.listing(
            organization=request.organization or None,
            subject_kind=request.subject.kind or None,
            subject_id=request.subject.id or None,
            statuses=statuses,
            include_archived=request.include_archived,
            limit=limit,
            after=request.page_token or None,
        )
        return admin_pb2.ListExperimentsResponse(
            experiments=[experiment_to_proto(record) for record in records], next_page_token=token
        )

    def get_active_experiment(
        self, request: admin_pb2.GetActiveExperimentRequest
    ) -> admin_pb2.GetActiveExperimentResponse:
        """The running (else paused) experiment of a subject."""
        with Fields() as fields:
            ref = fields.subject(request, "subject")
            organization = fields.organization(request.organization)
        record = self._backend().experiments.active(organization, ref)
        return admin_pb2.GetActiveExperimentResponse(experiment=experiment_to_proto(record) if record else None)

    def create_subject(self, request: admin_pb2.CreateSubjectRequest) -> admin_pb2.Subject:
        """Creates a subject with its first version."""
        with Fields() as fields:
            ref = fields.subject(request, "ref")
            organization = fields.organization(request.organization)
            config = fields.config(request)
            actor = fields.actor(request)
        record = self._backend().subjects.create(organization, ref, config, actor, description=request.description)
        return subject_record_to_proto(record)

    def get_subject(self, request: admin_pb2.GetSubjectRequest) -> admin_pb2.Subject:
        """One subject with its current configuration."""
        with Fields() as fields:
            ref = fields.subject(request, "ref")
            organization = fields.organization(request.organization)
        return subject_record_to_proto(self._backend().subjects.get(organization, ref))

    def list_subjects(self, request: admin_pb2.ListSubjectsRequest) -> admin_pb2.ListSubjectsResponse:
        """Subjects in the order of their kind and id, filtered and paged."""
        with Fields() as fields:
            limit = fields.page(request.page_size)
        records, token = self._backend().subjects.listing(
            organization=request.organization or None,
            kind=request.kind or None,
            limit=limit,
            after=request.page_token or None,
        )
        return admin_pb2.ListSubjectsResponse(
            subjects=[subject_record_to_proto(record) for record in records], next_page_token=token
        )

    def create_subject_version(self, request: admin_pb2.CreateSubjectVersionRequest) -> admin_pb2.SubjectVersion:
        """Adds a version to a subject and, if asked, makes it current."""
        with Fields() as fields:
            ref = fields.subject(request, "ref")
            organization = fields.organization(request.organization)
            config = fields.config(request)
            actor = fields.actor(request)
        record = self._backend().subjects.add_version(
            organization, ref, config, actor, note=request.note, promote=request.promote
        )
        return version_to_proto(record)

    def list_subject_versions(
        self, request: admin_pb2.ListSubjectVersionsRequest
    ) -> admin_pb2.ListSubjectVersionsResponse:
        """The versions of a subject, newest first, paged."""
        with Fields() as fields:
            ref = fields.subject(request, "ref")
            organization = fields.organization(request.organization)
            limit = fields.page(request.page_size)
        records, token = self._backend().subjects.versions(
            organization, ref, limit=limit, after=request.page_token or None
        )
        return admin_pb2.ListSubjectVersionsResponse(
            versions=[version_to_proto(record) for record in records], next_page_token=token
        )

    def promote_subject_version(self, request: admin_pb2.PromoteSubjectVersionRequest) -> admin_pb2.Subject:
        """Makes a version current."""
        with Fields() as fields:
            ref = fields.subject(request, "ref")
            organization = fields.organization(request.organization)
            actor = fields.actor(request, forcing=request.force)
            if not request.number:
                fields.refuse("number", "is required; versions count from 1")
        record = self._backend().subjects.promote(organization, ref, request.number, actor, force=request.force)
        return subject_record_to_proto(record)

    def rollback_subject(self, request: admin_pb2.RollbackSubjectRequest) -> admin_pb2.Subject:
        """Undoes the last promotion: the version that was current before is current again, byte for byte."""
        with Fields() as fields:
            ref = fields.subject(request, "ref")
            organization = fields.organization(request.organization)
            actor = fields.actor(request)
        return subject_record_to_proto(self._backend().subjects.rollback(organization, ref, actor))

    def run_automatic(self, request: admin_pb2.RunAutomaticRequest) -> admin_pb2.RunAutomaticResponse:
        """Looks at running and paused experiments, and does what their policies ask for."""
        with Fields() as fields:
            actor = fields.actor(request)
        steps = self._backend().automatic.run(
            organization=request.organization, key=request.key, dry_run=request.dry_run, actor=actor
        )
        return admin_pb2.RunAutomaticResponse(steps=[step_to_proto(step) for step in steps])

    def list_audit_events(self, request: admin_pb2.ListAuditEventsRequest) -> admin_pb2.ListAuditEventsResponse:
        """What was done, by whom and why, newest first, filtered and paged."""
        with Fields() as fields:
            limit = fields.page(request.page_size)
        events, token = self._backend().audit.listing(
            organization=request.organization or None,
            object=request.object or None,
            action=request.action or None,
            limit=limit,
            after=request.page_token or None,
        )
        return admin_pb2.ListAuditEventsResponse(
            events=[event_to_proto(event) for event in events], next_page_token=token
        )

    def list_alerts(self, request: admin_pb2.ListAlertsRequest) -> admin_pb2.ListAlertsResponse:
        """What somebody was told of by the rules of alerts, newest first, filtered and paged."""
        with Fields() as fields:
            limit = fields.page(request.page_size)
            severities = fields.take(lambda: severities_from_proto(request.severities))
        alerts, token = self._backend().alerts.listing(
            organization=request.organization or None,
            experiment=request.experiment,
            active=not request.include_resolved,
            severities=severities,
            limit=limit,
            after=request.page_token or None,
        )
        return admin_pb2.ListAlertsResponse(alerts=[alert_to_proto(alert) for alert in alerts], next_page_token=token)

    def check_alerts(self, request: admin_pb2.CheckAlertsRequest) -> admin_pb2.CheckAlertsResponse:
        """What every rule says now about running and paused experiments."""
        book = self._backend().alerts
        found = book.check(organization=request.organization, key=request.experiment)
        return admin_pb2.CheckAlertsResponse(
            readings=[
                reading_to_proto(record, reading, book.rules) for record, readings in found for reading in readings
            ]
        )

    def get_server_info(self, _request: admin_pb2.GetServerInfoRequest) -> admin_pb2.ServerInfo:
        """About this sidecar."""
        return self._info()
