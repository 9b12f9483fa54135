"""Every RPC of the contract through a real channel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sidecars import (
    ACTOR,
    KEY,
    SUBJECT,
    TIMEOUT_S,
    Stubs,
    assign,
    connected,
    make_spec,
    outcome,
    run_units,
    running,
    violations_of,
)
from sidecars import start_experiment as start
from sortition import core
from sortition.rpc.v1 import (
    admin_pb2,
    analysis_pb2,
    assignment_pb2,
    common_pb2,
    recording_pb2,
    snapshot_pb2,
)

UNITS = 60


@pytest.fixture
def stubs(tmp_path: Path) -> Iterator[Stubs]:
    with running(tmp_path / "state") as service, connected(service.address) as connection:
        yield connection


@pytest.fixture
def busy(stubs: Stubs) -> Stubs:
    """A sidecar with a running experiment and outcomes."""
    start(stubs)
    run_units(stubs, UNITS)
    return stubs


def change(key: str = KEY) -> admin_pb2.ChangeExperimentRequest:
    return admin_pb2.ChangeExperimentRequest(key=key, actor=ACTOR)


def check_assign(stubs: Stubs) -> None:
    answer = assign(stubs, "ada")
    expected = "slow" if answer.bucket < 5000 else "fast"
    assert answer.variant == expected
    assert answer.reason == assignment_pb2.REASON_SPLIT
    assert answer.exposed
    assert answer.config == (b'{"passes":2}' if expected == "slow" else b'{"passes":1}')
    assert answer.subject == SUBJECT


def check_assign_batch(stubs: Stubs) -> None:
    requests = [assignment_pb2.AssignRequest(experiment=KEY, unit=f"u{index}") for index in range(100)]
    answer = stubs.assignment.AssignBatch(assignment_pb2.AssignBatchRequest(requests=requests))
    assert [each.variant for each in answer.responses] == [assign(stubs, each.unit).variant for each in requests]


def check_assign_stream(stubs: Stubs) -> None:
    requests = [assignment_pb2.AssignRequest(experiment=KEY, unit=unit) for unit in ("a", "", "b")]
    first, bad, last = stubs.assignment.AssignStream(iter(requests), timeout=TIMEOUT_S)
    assert first.assignment.variant == assign(stubs, "a").variant
    assert last.assignment.variant == assign(stubs, "b").variant
    assert bad.failure.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert bad.failure.violations[0].field == "unit"


def check_expose(stubs: Stubs) -> None:
    answer = stubs.assignment.Expose(assignment_pb2.ExposeRequest(experiment=KEY, unit="ada"))
    assert answer.exposed
    assert answer.variant == assign(stubs, "ada").variant


def check_record(stubs: Stubs) -> None:
    request = recording_pb2.RecordRequest(
        outcome=outcome("unit-1", assign(stubs, "unit-1").variant, 1.5),
        delivery=recording_pb2.Delivery(client=b"c", seq=1, oldest_pending=1),
    )
    first, again = (stubs.recording.Record(request) for _ in range(2))
    assert (first.accepted, first.duplicate) == (2, False)
    assert (again.accepted, again.duplicate) == (0, True)


def check_record_batch(stubs: Stubs) -> None:
    outcomes = [outcome(f"unit-{index}", assign(stubs, f"unit-{index}").variant, 1.5) for index in range(10)]
    assert stubs.recording.RecordBatch(recording_pb2.RecordBatchRequest(outcomes=outcomes)).accepted == 20


def check_record_stream(stubs: Stubs) -> None:
    good = recording_pb2.RecordRequest(outcome=outcome("unit-1", assign(stubs, "unit-1").variant, 1.5))
    bad = recording_pb2.RecordRequest(outcome=outcome("unit-1", good.outcome.variant, float("nan")))
    answers = list(stubs.recording.RecordStream(iter([good, bad, good]), timeout=TIMEOUT_S))
    assert [each.WhichOneof("result") for each in answers] == ["recorded", "failure", "recorded"]
    assert "observations[0].number" in answers[1].failure.violations[0].field


def check_create_experiment(stubs: Stubs) -> None:
    only = stubs.admin.CreateExperiment(
        admin_pb2.CreateExperimentRequest(spec=make_spec("new"), actor=ACTOR, validate_only=True)
    )
    assert only.spec.key == "new"
    with pytest.raises(grpc.RpcError) as caught:
        stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key="new"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    made = stubs.admin.CreateExperiment(admin_pb2.CreateExperimentRequest(spec=make_spec("new"), actor=ACTOR))
    assert made.spec == make_spec("new")
    assert made.status == snapshot_pb2.EXPERIMENT_STATUS_DRAFT
    assert made.created_at.seconds > 1_700_000_000
    assert not made.HasField("started_at")
    assert len(made.spec_hash) == 64


def check_update_experiment(stubs: Stubs) -> None:
    made = stubs.admin.CreateExperiment(admin_pb2.CreateExperimentRequest(spec=make_spec("new"), actor=ACTOR))
    spec = make_spec("new", name="Better")
    request = admin_pb2.UpdateExperimentRequest(spec=spec, revision=made.revision, actor=ACTOR)
    assert stubs.admin.UpdateExperiment(request).spec.name == "Better"
    with pytest.raises(grpc.RpcError) as caught:
        stubs.admin.UpdateExperiment(request)
    assert caught.value.code() is grpc.StatusCode.ABORTED, "somebody changed it in between"


def check_rerun_experiment(stubs: Stubs) -> None:
    request = admin_pb2.RerunExperimentRequest(key=KEY, actor=ACTOR)
    again = stubs.admin.RerunExperiment(request)
    assert (again.spec.key, again.status) == (f"{KEY}.run2", snapshot_pb2.EXPERIMENT_STATUS_DRAFT)
    assert (again.run.number, again.run.of, again.run.previous, again.run.first) == (2, 2, KEY, KEY)
    assert not again.HasField("registration")
    with pytest.raises(grpc.RpcError) as draft:
        stubs.admin.RerunExperiment(request)
    assert draft.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    stubs.admin.CancelExperiment(change(again.spec.key))
    other = make_spec(KEY, subject={"kind": "prompt", "id": "p"})
    with pytest.raises(grpc.RpcError) as elsewhere:
        stubs.admin.RerunExperiment(admin_pb2.RerunExperimentRequest(key=KEY, spec=other, actor=ACTOR))
    assert "spec.subject" in str(elsewhere.value.trailing_metadata())


def check_get_registration(stubs: Stubs) -> None:
    found = stubs.admin.GetRegistration(admin_pb2.GetRegistrationRequest(key=KEY))
    registration = found.experiment.registration
    assert (found.verified, list(found.differences)) == (True, [])
    assert hashlib.sha256(registration.document.encode()).hexdigest() == registration.hash
    assert registration.registered_by == ACTOR.name
    read = stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key=KEY))
    assert (read.registration.hash, read.registration.document) == (registration.hash, "")


def check_start_experiment(stubs: Stubs) -> None:
    other = make_spec("other", subject={"kind": "prompt", "id": "p"})
    stubs.admin.CreateExperiment(admin_pb2.CreateExperimentRequest(spec=other, actor=ACTOR))
    started = stubs.admin.StartExperiment(change("other"))
    assert started.status == snapshot_pb2.EXPERIMENT_STATUS_RUNNING
    assert started.HasField("started_at")
    assert assign(stubs, "u", "other").reason == assignment_pb2.REASON_SPLIT


def check_pause_experiment(stubs: Stubs) -> None:
    assert stubs.admin.PauseExperiment(change()).status == snapshot_pb2.EXPERIMENT_STATUS_PAUSED
    answer = assign(stubs, "ada")
    assert (answer.reason, answer.variant, answer.exposed) == (assignment_pb2.REASON_PAUSED, "slow", False)


def check_resume_experiment(stubs: Stubs) -> None:
    stubs.admin.PauseExperiment(change())
    assert stubs.admin.ResumeExperiment(change()).status == snapshot_pb2.EXPERIMENT_STATUS_RUNNING
    assert assign(stubs, "ada").reason == assignment_pb2.REASON_SPLIT


def check_reweight_experiment(stubs: Stubs) -> None:
    request = admin_pb2.ReweightExperimentRequest(key=KEY, weights={"slow": "30", "fast": "70"}, actor=ACTOR)
    announced = stubs.admin.ReweightExperiment(request)
    assert [(each.variant, each.before, each.after) for each in announced.weights] == [
        ("slow", "50", "30"),
        ("fast", "50", "70"),
    ]
    assert (announced.generation, announced.moved_buckets, announced.changed) == (2, 2000, True)
    again = stubs.admin.ReweightExperiment(request)
    assert (again.generation, again.changed) == (2, False)
    request.weights["fast"] = "60"
    with pytest.raises(grpc.RpcError) as caught:
        stubs.admin.ReweightExperiment(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "weights" in str(caught.value.trailing_metadata())


def check_complete_experiment(stubs: Stubs) -> None:
    done = stubs.admin.CompleteExperiment(admin_pb2.CompleteExperimentRequest(key=KEY, ship=True, actor=ACTOR))
    assert done.experiment.status == snapshot_pb2.EXPERIMENT_STATUS_COMPLETED
    assert done.experiment.winner == "fast"
    assert done.experiment.shipped_version == done.subject.current.number
    assert done.analysis.should_ship
    assert done.decision_id
    assert dict(done.subject.current.config.items()) == {"passes": 1.0}
    answer = assign(stubs, "ada")
    assert (answer.reason, answer.config) == (assignment_pb2.REASON_NO_EXPERIMENT, b'{"passes":1}')


def check_cancel_experiment(stubs: Stubs) -> None:
    assert stubs.admin.CancelExperiment(change()).status == snapshot_pb2.EXPERIMENT_STATUS_CANCELLED
    assert assign(stubs, "ada").reason == assignment_pb2.REASON_NO_EXPERIMENT


def check_archive_experiment(stubs: Stubs) -> None:
    stubs.admin.CancelExperiment(change())
    assert stubs.admin.ArchiveExperiment(change()).HasField("archived_at")
    assert not stubs.admin.ListExperiments(admin_pb2.ListExperimentsRequest()).experiments


def check_get_experiment(stubs: Stubs) -> None:
    found = stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key=KEY, organization="default"))
    assert (found.spec.key, found.status) == (KEY, snapshot_pb2.EXPERIMENT_STATUS_RUNNING)


def check_list_experiments(stubs: Stubs) -> None:
    for number in range(3):
        spec = make_spec(f"more-{number}", subject={"kind": "prompt", "id": f"p{number}"})
        stubs.admin.CreateExperiment(admin_pb2.CreateExperimentRequest(spec=spec, actor=ACTOR))
    keys: list[str] = []
    token = ""
    for _ in range(5):
        page = stubs.admin.ListExperiments(admin_pb2.ListExperimentsRequest(page_size=2, page_token=token))
        keys += [each.spec.key for each in page.experiments]
        token = page.next_page_token
        if not token:
            break
    assert keys == ["more-2", "more-1", "more-0", KEY]
    prompts = stubs.admin.ListExperiments(
        admin_pb2.ListExperimentsRequest(
            subject=common_pb2.SubjectRef(kind="prompt", id="p1"), statuses=[snapshot_pb2.EXPERIMENT_STATUS_DRAFT]
        )
    )
    assert [each.spec.key for each in prompts.experiments] == ["more-1"]


def check_get_active_experiment(stubs: Stubs) -> None:
    found = stubs.admin.GetActiveExperiment(admin_pb2.GetActiveExperimentRequest(subject=SUBJECT))
    assert found.experiment.spec.key == KEY
    nobody = common_pb2.SubjectRef(kind="agent", id="nobody")
    assert not stubs.admin.GetActiveExperiment(admin_pb2.GetActiveExperimentRequest(subject=nobody)).HasField(
        "experiment"
    )


PROMPT = common_pb2.SubjectRef(kind="prompt", id="greeting")


def make_subject(stubs: Stubs) -> admin_pb2.Subject:
    request = admin_pb2.CreateSubjectRequest(ref=PROMPT, description="says hello", actor=ACTOR)
    request.config.update({"text": "hi"})
    made: admin_pb2.Subject = stubs.admin.CreateSubject(request)
    return made


def check_create_subject(stubs: Stubs) -> None:
    made = make_subject(stubs)
    assert (made.organization, made.ref, made.description) == ("default", PROMPT, "says hello")
    assert (made.current.number, made.current.origin, made.current.config["text"]) == (1, "created", "hi")
    with pytest.raises(grpc.RpcError) as caught:
        make_subject(stubs)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


def check_get_subject(stubs: Stubs) -> None:
    made = make_subject(stubs)
    assert stubs.admin.GetSubject(admin_pb2.GetSubjectRequest(ref=PROMPT)) == made


def check_list_subjects(stubs: Stubs) -> None:
    make_subject(stubs)
    every = stubs.admin.ListSubjects(admin_pb2.ListSubjectsRequest())
    assert [each.ref for each in every.subjects] == [SUBJECT, PROMPT]
    first = stubs.admin.ListSubjects(admin_pb2.ListSubjectsRequest(page_size=1))
    second = stubs.admin.ListSubjects(admin_pb2.ListSubjectsRequest(page_size=1, page_token=first.next_page_token))
    assert [first.subjects[0].ref, second.subjects[0].ref] == [SUBJECT, PROMPT]
    prompts = stubs.admin.ListSubjects(admin_pb2.ListSubjectsRequest(kind="prompt"))
    assert [each.ref for each in prompts.subjects] == [PROMPT]


def make_version(stubs: Stubs, *, promote: bool = False) -> admin_pb2.SubjectVersion:
    request = admin_pb2.CreateSubjectVersionRequest(ref=PROMPT, note="warmer", promote=promote, actor=ACTOR)
    request.config.update({"text": "hello"})
    made: admin_pb2.SubjectVersion = stubs.admin.CreateSubjectVersion(request)
    return made


def check_create_subject_version(stubs: Stubs) -> None:
    make_subject(stubs)
    version = make_version(stubs, promote=True)
    assert (version.number, version.origin, version.note) == (2, "added", "warmer")
    assert stubs.admin.GetSubject(admin_pb2.GetSubjectRequest(ref=PROMPT)).current == version


def check_list_subject_versions(stubs: Stubs) -> None:
    make_subject(stubs)
    make_version(stubs)
    answer = stubs.admin.ListSubjectVersions(admin_pb2.ListSubjectVersionsRequest(ref=PROMPT))
    assert [each.number for each in answer.versions] == [2, 1]


def check_promote_subject_version(stubs: Stubs) -> None:
    make_subject(stubs)
    make_version(stubs)
    request = admin_pb2.PromoteSubjectVersionRequest(ref=PROMPT, number=2, actor=ACTOR)
    assert stubs.admin.PromoteSubjectVersion(request).current.number == 2


def check_rollback_subject(stubs: Stubs) -> None:
    made = make_subject(stubs)
    make_version(stubs, promote=True)
    back = stubs.admin.RollbackSubject(admin_pb2.RollbackSubjectRequest(ref=PROMPT, actor=ACTOR))
    assert back.current == made.current


def check_list_audit_events(stubs: Stubs) -> None:
    answer = stubs.admin.ListAuditEvents(admin_pb2.ListAuditEventsRequest(object=f"experiment/{KEY}"))
    assert [each.action for each in answer.events] == ["experiment.start", "experiment.create"]
    newest = answer.events[0]
    assert (newest.actor, newest.reason, newest.organization) == (ACTOR.name, ACTOR.reason, "default")
    assert newest.HasField("at")


def check_get_server_info(stubs: Stubs) -> None:
    stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
    info = stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())
    assert (info.version, info.database, info.flush_failures) == (core.__version__, "sqlite", 0)
    assert info.writer.startswith("sidecar-")
    assert info.snapshot_version == assign(stubs, "ada").snapshot_version
    assert info.snapshot_hash == assign(stubs, "ada").snapshot_hash.hex()
    assert info.flushed_batch >= 1
    assert info.flushed_at.seconds >= info.started_at.seconds > 0
    assert info.counters["observations"] == 2 * UNITS


def check_analyze(stubs: Stubs) -> None:
    result = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
    assert (result.experiment, result.winner, result.units) == (KEY, "fast", UNITS)
    assert sum(each.n for each in result.metrics if each.metric == "time") == UNITS
    means = {each.variant: each.mean for each in result.metrics if each.metric == "time"}
    comparison = next(each for each in result.comparisons if each.metric == "time" and not each.HasField("quantile"))
    assert comparison.difference == pytest.approx(means["fast"] - means["slow"])
    assert comparison.p_value < 0.001
    assert comparison.interval.lower < comparison.difference < comparison.interval.upper
    assert result.recommendation_kind == analysis_pb2.RECOMMENDATION_KIND_SHIP


def check_get_status(stubs: Stubs) -> None:
    report = stubs.analysis.GetStatus(analysis_pb2.GetStatusRequest(key=KEY))
    assert report.experiment.spec.key == KEY
    assert report.progress == 1.0
    assert report.running_seconds > 0
    assert report.analysis.units == UNITS


def check_list_status(stubs: Stubs) -> None:
    stubs.admin.CreateExperiment(admin_pb2.CreateExperimentRequest(spec=make_spec("draft"), actor=ACTOR))
    live = stubs.analysis.ListStatus(analysis_pb2.ListStatusRequest())
    assert [each.experiment.spec.key for each in live.reports] == [KEY]
    every = stubs.analysis.ListStatus(
        analysis_pb2.ListStatusRequest(statuses=[snapshot_pb2.EXPERIMENT_STATUS_UNSPECIFIED])
    )
    assert [each.experiment.spec.key for each in every.reports] == ["draft", KEY]


def check_summarize(stubs: Stubs) -> None:
    before = stubs.analysis.Summarize(analysis_pb2.SummarizeRequest())
    assert (before.running, before.finished, before.HasField("success_rate"), len(before.gains)) == (1, 0, False, 0)
    stubs.admin.CompleteExperiment(admin_pb2.CompleteExperimentRequest(key=KEY, ship=True, actor=ACTOR))
    after = stubs.analysis.Summarize(analysis_pb2.SummarizeRequest(monthly_volume=1000))
    assert (after.running, after.finished, after.won, after.success_rate) == (0, 1, 1, 1.0)
    (gain,) = after.gains
    assert gain.interval.lower < gain.total < gain.interval.upper < 0
    assert gain.monthly == 1000 * gain.total
    assert not stubs.analysis.Summarize(analysis_pb2.SummarizeRequest()).gains[0].HasField("monthly")


def check_get_series(stubs: Stubs) -> None:
    answer = stubs.analysis.GetSeries(analysis_pb2.GetSeriesRequest(key=KEY))
    assert answer.metric == "time"
    assert {each.variant for each in answer.points} == {"slow", "fast"}
    assert sum(each.n for each in answer.points) == UNITS
    assert stubs.analysis.GetSeries(analysis_pb2.GetSeriesRequest(key=KEY, metric="found")).metric == "found"


def check_watch(stubs: Stubs) -> None:
    watched = stubs.assignment.Watch(assignment_pb2.WatchRequest())
    first = next(watched)
    assert first.version == assign(stubs, "ada").snapshot_version
    stubs.admin.PauseExperiment(change())
    assert next(watched).version > first.version
    watched.cancel()


def check_list_alerts(stubs: Stubs) -> None:
    assert not stubs.admin.ListAlerts(admin_pb2.ListAlertsRequest(experiment="another")).alerts
    with pytest.raises(grpc.RpcError) as refused:
        stubs.admin.ListAlerts(admin_pb2.ListAlertsRequest(page_size=9999, severities=[7]))  # type: ignore[list-item]
    assert set(violations_of(refused.value)) == {"page_size", "severities[0]"}


def check_check_alerts(stubs: Stubs) -> None:
    answer = stubs.admin.CheckAlerts(admin_pb2.CheckAlertsRequest(experiment=KEY))
    found = {(each.rule, each.metric, each.variant): each for each in answer.readings}
    better = found["early-significance", "time", "fast"]
    assert (better.trigger, better.severity) == ("early_significance", admin_pb2.ALERT_SEVERITY_INFO)
    assert better.value == pytest.approx(-0.5, abs=0.05)
    assert 0 < better.level < 0.01
    assert not found["regression", "time", "fast"].firing
    assert not found["data-quality", "", ""].firing


def check_run_automatic(stubs: Stubs) -> None:
    answer = stubs.admin.RunAutomatic(admin_pb2.RunAutomaticRequest(key=KEY, dry_run=True, actor=ACTOR))
    (step,) = answer.steps
    assert (step.key, step.act, step.variant) == (KEY, admin_pb2.AUTOMATIC_ACT_PROMOTE, "fast")
    assert (step.allowed, step.decision_id) == (False, "")
    experiment = stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key=KEY))
    assert experiment.status == snapshot_pb2.EXPERIMENT_STATUS_RUNNING


def check_get_distribution(stubs: Stubs) -> None:
    answer = stubs.analysis.GetDistribution(analysis_pb2.GetDistributionRequest(key=KEY))
    assert answer.metric == "time"
    assert [each.variant for each in answer.variants] == ["slow", "fast"]
    assert sum(each.n for each in answer.variants) == UNITS
    for each in answer.variants:
        assert len(each.shares) == len(answer.edges) - 1
        assert sum(each.shares) + each.below + each.above == pytest.approx(1)


def check_get_power_curve(stubs: Stubs) -> None:
    points = stubs.analysis.GetPowerCurve(analysis_pb2.GetPowerCurveRequest(key=KEY)).points
    assert points
    assert [each.units for each in points] == sorted(each.units for each in points)
    assert [each.power for each in points] == sorted(each.power for each in points)
    assert all(0 < each.power <= 1 for each in points)


def check_get_full_report(stubs: Stubs) -> None:
    answer = stubs.analysis.GetFullReport(analysis_pb2.GetFullReportRequest(key=KEY))
    assert answer.report.experiment.spec.key == KEY
    assert answer.report.analysis.units == UNITS
    assert answer.series == stubs.analysis.GetSeries(analysis_pb2.GetSeriesRequest(key=KEY))
    assert stubs.analysis.GetDistribution(analysis_pb2.GetDistributionRequest(key=KEY)) in answer.distributions
    assert answer.power_curve.points


def check_power(stubs: Stubs) -> None:
    plan = analysis_pb2.PowerPlan(kind=snapshot_pb2.METRIC_KIND_BINARY, baseline=0.1, mde=0.2, units_per_day=1000)
    answer = stubs.analysis.Power(analysis_pb2.PowerRequest(plan=plan))
    # The usual formula for two proportions, 0.10 against 0.12: (z.975 + z.8)^2 (p1 q1 + p2 q2) / 0.02^2 = 3,838, and a
    # little less or more by the variance that is used.
    assert 3_700 < answer.units_per_variant < 3_950
    assert answer.units_total == 2 * answer.units_per_variant
    assert answer.days == pytest.approx(answer.units_total / 1000, rel=0.01)
    assert not answer.HasField("achieved_power")
    running_one = stubs.analysis.Power(analysis_pb2.PowerRequest(key=KEY))
    assert 0 < running_one.achieved_power <= 1


def check_list_decisions(stubs: Stubs) -> None:
    stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
    answer = stubs.analysis.ListDecisions(analysis_pb2.ListDecisionsRequest(key=KEY))
    assert [each.kind for each in answer.decisions] == ["reached"]
    assert not answer.decisions[0].HasField("analysis")


def check_replay(stubs: Stubs) -> None:
    reached = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY)).reached
    answer = stubs.analysis.Replay(analysis_pb2.ReplayRequest(decision_id=reached.id))
    assert (answer.identical, list(answer.differences), answer.experiment) == (True, [], KEY)
    assert answer.decision.analysis.winner == reached.winner


CHECKS: dict[str, Callable[[Stubs], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


def method_names() -> set[str]:
    files: list[Any] = [assignment_pb2, recording_pb2, admin_pb2, analysis_pb2]
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    return {method.name for service in services for method in service.methods}


def test_there_is_a_check_for_every_method_of_the_contract() -> None:
    assert {name.replace("_", "") for name in CHECKS} == {name.lower() for name in method_names()}


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_method_does_what_the_contract_says(busy: Stubs, name: str) -> None:
    check_method = CHECKS[name]
    check_method(busy)
