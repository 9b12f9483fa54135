"""Bad requests through a real channel: the right status, the fields at fault, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from sidecars import (
    ACTOR,
    KEY,
    TIMEOUT_S,
    Stubs,
    assign,
    connected,
    make_spec,
    outcome,
    reason_of,
    running,
    violations_of,
)
from sidecars import start_experiment as start
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2, common_pb2, recording_pb2, snapshot_pb2

INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stubs]:
    state = tmp_path_factory.mktemp("refusals") / "state"
    with running(state) as service, connected(service.address, max_send_message_length=-1) as connection:
        start(connection)
        yield connection


def method_names() -> list[str]:
    files: list[Any] = [assignment_pb2, recording_pb2, admin_pb2, analysis_pb2]
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    return [
        f"{service.name}/{method.name}"
        for service in services
        for method in service.methods
        if not method.client_streaming
    ]


def test_there_are_methods() -> None:
    assert len(method_names()) >= 29


@pytest.mark.parametrize("method", method_names())
def test_malformed_bytes_are_an_invalid_argument_everywhere(stubs: Stubs, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        # A field that promises more bytes than there are.
        stubs.raw(method, b"\x0a\xff\xff\xff\x7f")
    assert caught.value.code() is INVALID
    assert reason_of(caught.value) == "InvalidArgument"
    assert "request" in violations_of(caught.value)


@pytest.mark.parametrize("method", ["Assignment/AssignStream", "Recording/RecordStream"])
def test_a_malformed_message_does_not_end_a_stream(stubs: Stubs, method: str) -> None:
    answers = stubs.raw_stream(method, b"\xff", b"\xff")
    assert len(answers) == 2
    kind = assignment_pb2.AssignStreamResponse if "Assign" in method else recording_pb2.RecordStreamResponse
    for answer in answers:
        assert kind.FromString(answer).failure.code == INVALID.value[0]


@pytest.mark.parametrize("method", ["Assignment/Assign", "Assignment/Expose", "Recording/Record"])
def test_a_call_about_one_unit_is_bounded(stubs: Stubs, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stubs.raw(method, bytes(256 * 1024 + 1))
    assert caught.value.code() is EXHAUSTED
    text = violations_of(caught.value)["request"]
    assert "262,145" in text
    assert "262,144" in text
    with pytest.raises(grpc.RpcError) as caught:
        stubs.raw(method, bytes(256 * 1024))
    assert caught.value.code() is INVALID, "it is read, and found malformed"


def test_a_message_of_a_stream_is_bounded_and_the_stream_goes_on(stubs: Stubs) -> None:
    good = assignment_pb2.AssignRequest(experiment=KEY, unit="u").SerializeToString()
    large, after = stubs.raw_stream("Assignment/AssignStream", bytes(256 * 1024 + 1), good)
    failure = assignment_pb2.AssignStreamResponse.FromString(large).failure
    assert failure.code == EXHAUSTED.value[0]
    assert "262,144" in failure.violations[0].description
    assert assignment_pb2.AssignStreamResponse.FromString(after).assignment.variant


def test_no_message_is_larger_than_4_mib(stubs: Stubs) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stubs.raw("Recording/RecordBatch", bytes(4 * 1024 * 1024 + 1))
    assert caught.value.code() is EXHAUSTED
    assert "4194304" in str(caught.value.details())


def test_an_answer_that_no_client_would_take_is_refused(stubs: Stubs) -> None:
    # Ten copies of a configuration of half a megabyte, which is one below the limit for each variant.
    text = {"x": "a" * 200_000}
    start(
        stubs,
        "large",
        subject={"kind": "agent", "id": "large"},
        variants=[
            {"name": "a", "weight": 50, "control": True, "config": text},
            {"name": "b", "weight": 50, "config": text},
        ],
    )
    requests = [assignment_pb2.AssignRequest(experiment="large", unit=str(number)) for number in range(30)]
    with pytest.raises(grpc.RpcError) as caught:
        stubs.assignment.AssignBatch(assignment_pb2.AssignBatchRequest(requests=requests))
    assert caught.value.code() is EXHAUSTED
    assert "configurations that are known" in str(caught.value.details())
    known = (
        stubs.assignment.AssignBatch(assignment_pb2.AssignBatchRequest(requests=requests[:1])).responses[0].config_hash
    )
    for request in requests:
        request.known_config_hashes.append(known)
    answer = stubs.assignment.AssignBatch(assignment_pb2.AssignBatchRequest(requests=requests))
    assert all(each.config_omitted for each in answer.responses)


def batch(*outcomes: recording_pb2.Outcome) -> recording_pb2.RecordBatchRequest:
    return recording_pb2.RecordBatchRequest(outcomes=outcomes)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_value_that_cannot_be_refuses_the_batch_and_names_it(stubs: Stubs, value: float) -> None:
    variant = assign(stubs, "u").variant
    before = stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()).counters["observations"]
    with pytest.raises(grpc.RpcError) as caught:
        stubs.recording.RecordBatch(batch(outcome("u", variant, 1.0), outcome("u", variant, value)))
    assert caught.value.code() is INVALID
    (field,) = violations_of(caught.value)
    assert field == "outcomes[1].observations[0].number"
    after = stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()).counters["observations"]
    assert after == before, "the good one was not counted either"


def test_thousands_of_violations_still_make_an_answer(stubs: Stubs) -> None:
    bad = outcome("u", assign(stubs, "u").variant, float("nan"))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.recording.RecordBatch(batch(*[bad] * 5000))
    assert caught.value.code() is INVALID
    assert "outcomes[0].observations[0].number" in violations_of(caught.value)


@pytest.mark.parametrize(
    ("method", "request_", "code", "field"),
    [
        (
            "Assign",
            assignment_pb2.AssignRequest(experiment="unknown", unit="u"),
            grpc.StatusCode.NOT_FOUND,
            "experiment",
        ),
        ("Assign", assignment_pb2.AssignRequest(experiment=KEY), INVALID, "unit"),
        ("Assign", assignment_pb2.AssignRequest(experiment=KEY, unit="x" * 513), INVALID, "unit"),
        (
            "Expose",
            assignment_pb2.ExposeRequest(experiment="unknown", unit="u"),
            grpc.StatusCode.NOT_FOUND,
            "experiment",
        ),
    ],
)
def test_bad_assignments_name_their_field(
    stubs: Stubs, method: str, request_: Any, code: grpc.StatusCode, field: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stubs.assignment, method)(request_)
    assert caught.value.code() is code
    assert field in violations_of(caught.value)


def test_violations_of_a_specification_and_of_the_actor_come_together(stubs: Stubs) -> None:
    spec = make_spec("bad")
    spec.key = "Bad"
    spec.variants[1].weight = "49.999"
    request = admin_pb2.CreateExperimentRequest(spec=spec, actor=admin_pb2.Actor(name="n" * 129))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.admin.CreateExperiment(request)
    assert caught.value.code() is INVALID
    assert {"spec.key", "spec.variants[1].weight", "actor.name"} <= set(violations_of(caught.value))


def test_what_only_the_lifecycle_knows_names_its_path_too(stubs: Stubs) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stubs.admin.CreateExperiment(admin_pb2.CreateExperimentRequest(spec=make_spec(), actor=ACTOR))
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert "spec.key" in violations_of(caught.value)


REF = common_pb2.SubjectRef(kind="agent", id="search-agent")


@pytest.mark.parametrize(
    ("call", "request_", "field"),
    [
        ("admin.StartExperiment", admin_pb2.ChangeExperimentRequest(), "key"),
        (
            "admin.StartExperiment",
            admin_pb2.ChangeExperimentRequest(key=KEY, actor=admin_pb2.Actor(reason="r" * 1025)),
            "actor.reason",
        ),
        ("admin.CompleteExperiment", admin_pb2.CompleteExperimentRequest(key=KEY, force=True), "force"),
        (
            "admin.CompleteExperiment",
            admin_pb2.CompleteExperimentRequest(key=KEY, ship=True, force=True),
            "actor.reason",
        ),
        ("admin.GetExperiment", admin_pb2.GetExperimentRequest(), "key"),
        ("admin.ListExperiments", admin_pb2.ListExperimentsRequest(page_size=1001), "page_size"),
        ("admin.ListExperiments", admin_pb2.ListExperimentsRequest(page_token="x"), "page_token"),
        ("admin.ListExperiments", admin_pb2.ListExperimentsRequest(statuses=[17]), "statuses[0]"),  # type: ignore[list-item]
        ("admin.ListSubjects", admin_pb2.ListSubjectsRequest(page_size=1001), "page_size"),
        ("admin.ListSubjectVersions", admin_pb2.ListSubjectVersionsRequest(ref=REF, page_size=1001), "page_size"),
        ("admin.ListAuditEvents", admin_pb2.ListAuditEventsRequest(page_size=1001), "page_size"),
        ("admin.GetActiveExperiment", admin_pb2.GetActiveExperimentRequest(), "subject.kind"),
        ("admin.CreateSubject", admin_pb2.CreateSubjectRequest(), "ref.kind"),
        ("admin.PromoteSubjectVersion", admin_pb2.PromoteSubjectVersionRequest(ref=REF), "number"),
        ("admin.RollbackSubject", admin_pb2.RollbackSubjectRequest(), "ref.id"),
        ("analysis.Analyze", analysis_pb2.AnalyzeRequest(), "key"),
        ("analysis.GetStatus", analysis_pb2.GetStatusRequest(), "key"),
        ("analysis.GetSeries", analysis_pb2.GetSeriesRequest(), "key"),
        ("analysis.ListStatus", analysis_pb2.ListStatusRequest(page_size=101), "page_size"),
        ("analysis.Power", analysis_pb2.PowerRequest(), "of"),
        ("analysis.Power", analysis_pb2.PowerRequest(plan=analysis_pb2.PowerPlan(baseline=0.1, mde=0.1)), "plan.kind"),
        (
            "analysis.Power",
            analysis_pb2.PowerRequest(
                plan=analysis_pb2.PowerPlan(kind=snapshot_pb2.METRIC_KIND_BINARY, baseline=1.5, mde=0.1)
            ),
            "plan.baseline",
        ),
    ],
)
def test_requests_of_the_control_plane_name_their_field(stubs: Stubs, call: str, request_: Any, field: str) -> None:
    service, method = call.split(".")
    with pytest.raises(grpc.RpcError) as caught:
        getattr(getattr(stubs, service), method)(request_, timeout=TIMEOUT_S)
    assert caught.value.code() is INVALID
    assert field in violations_of(caught.value)


def test_an_unknown_method_is_unimplemented(stubs: Stubs) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stubs.raw("Admin/Nothing", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_illegal_steps_are_failed_preconditions_by_their_own_name(stubs: Stubs) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stubs.admin.ArchiveExperiment(admin_pb2.ChangeExperimentRequest(key=KEY, actor=ACTOR))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(caught.value) == "IllegalTransition"
