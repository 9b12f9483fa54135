"""Streams and slow calls leave the threads of the hot path alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sidecars import (
    ACTOR,
    KEY,
    TIMEOUT_S,
    Stubs,
    assign,
    connected,
    locked,
    make_spec,
    outcome,
    running,
    start_experiment,
)
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2, recording_pb2
from sortition.service.sidecar import Service
from waiting import wait_until


class Stream:
    """A stream that the test feeds message by message."""

    def __init__(self, method: Any) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers = method(iter(self._requests.get, None), timeout=TIMEOUT_S)

    def ask(self, request: Any) -> Any:
        self._requests.put(request)
        return next(self._answers)

    def close(self) -> None:
        self._requests.put(None)
        assert list(self._answers) == []

    def code(self) -> grpc.StatusCode:
        """Waits for the end and returns its status."""
        try:
            for _ in self._answers:
                pass
        except grpc.RpcError:
            pass
        code: grpc.StatusCode = self._answers.code()
        return code


REQUEST = assignment_pb2.AssignRequest(experiment=KEY, unit="u")


def open_stream(stubs: Stubs) -> Stream:
    stream = Stream(stubs.assignment.AssignStream)
    assert stream.ask(REQUEST).assignment.variant
    return stream


@contextmanager
def small(state: Path, **flags: Any) -> Iterator[tuple[Service, Stubs]]:
    """Runs a sidecar with one worker, and room for two streams."""
    given = {"workers": 1, "max_streams": 2, **flags}
    with running(state, **given) as service, connected(service.address) as stubs:
        start_experiment(stubs)
        yield service, stubs


def test_open_streams_take_no_worker_and_one_too_many_is_refused(tmp_path: Path) -> None:
    with small(tmp_path / "state") as (_, stubs):
        first, second = open_stream(stubs), open_stream(stubs)
        refused = Stream(stubs.assignment.AssignStream)
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "streams: 2" in refused._answers.details()
        assert Stream(stubs.recording.RecordStream).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert assign(stubs, "while both are open").variant
        assert first.ask(REQUEST).assignment.variant
        first.close()
        wait_until(lambda: takes_another(stubs), what="room for another stream")
        second.close()


def takes_another(stubs: Stubs) -> bool:
    stream = Stream(stubs.assignment.AssignStream)
    try:
        stream.ask(REQUEST)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return False
        raise
    stream.close()
    return True


def test_a_cancelled_stream_gives_its_place_back(tmp_path: Path) -> None:
    with small(tmp_path / "state", max_streams=1) as (_, stubs):
        stream = open_stream(stubs)
        assert not takes_another(stubs)
        stream._answers.cancel()
        wait_until(lambda: takes_another(stubs), what="room for another stream")


def test_reflection_and_watching_health_take_no_worker_either(tmp_path: Path) -> None:
    with small(tmp_path / "state") as (_, stubs):
        reflections = [
            Stream(reflection_pb2_grpc.ServerReflectionStub(stubs.channel).ServerReflectionInfo) for _ in range(2)
        ]
        for stream in reflections:
            assert stream.ask(reflection_pb2.ServerReflectionRequest(list_services="")).list_services_response.service
        watches = [
            health_pb2_grpc.HealthStub(stubs.channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
            for _ in range(5)
        ]
        for watch in watches:
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        assert assign(stubs, "while all are open").variant
        third = Stream(reflection_pb2_grpc.ServerReflectionStub(stubs.channel).ServerReflectionInfo)
        assert third.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for watch in watches:
            watch.cancel()
        for stream in reflections:
            stream.close()


def test_a_drain_does_not_wait_for_idle_streams(tmp_path: Path) -> None:
    with small(tmp_path / "state", drain_s=3600) as (service, stubs):
        streams = [open_stream(stubs), open_stream(stubs)]
        stopping = threading.Thread(target=service.stop, daemon=True)
        stopping.start()
        # Which one depends on whether it waits for a message already.
        assert {stream.code() for stream in streams} <= {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
        stopping.join(TIMEOUT_S)
        assert not stopping.is_alive()


def test_what_a_stream_acknowledged_until_the_drain_is_what_is_counted(tmp_path: Path) -> None:
    acknowledged = 0
    with small(tmp_path / "state") as (service, stubs):
        variant = assign(stubs, "u").variant
        request = recording_pb2.RecordRequest(outcome=outcome("u", variant, 1.0))
        stream = Stream(stubs.recording.RecordStream)
        stopping = threading.Thread(target=service.stop)
        try:
            while True:
                acknowledged += stream.ask(request).recorded.accepted // 2
                if acknowledged == 50:
                    stopping.start()
        except (grpc.RpcError, StopIteration):
            pass
        stopping.join(TIMEOUT_S)
    assert acknowledged >= 50
    with running(tmp_path / "state") as service, connected(service.address) as stubs:
        result = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
    assert sum(each.n for each in result.metrics if each.metric == "time") == acknowledged


def create(key: str) -> admin_pb2.CreateExperimentRequest:
    return admin_pb2.CreateExperimentRequest(spec=make_spec(key), actor=ACTOR)


def test_calls_that_wait_for_the_database_take_no_worker(tmp_path: Path) -> None:
    with small(tmp_path / "state", flush_interval_s=3600) as (_, stubs):
        with locked(tmp_path / "state" / "sortition.db"):
            waiting = [
                stubs.admin.CreateExperiment.future(create(f"e{number}"), timeout=TIMEOUT_S) for number in range(8)
            ]
            for number in range(20):
                assert assign(stubs, f"u{number}").variant
            assert not any(call.done() for call in waiting)
        assert {call.result().spec.key for call in waiting} == {f"e{number}" for number in range(8)}


def test_a_call_whose_deadline_has_passed_is_not_begun(tmp_path: Path) -> None:
    with small(tmp_path / "state", flush_interval_s=3600) as (_, stubs):
        with locked(tmp_path / "state" / "sortition.db"):
            # As many as there are threads for them, so that the next one has to wait for its turn.
            waiting = [
                stubs.admin.CreateExperiment.future(create(f"e{number}"), timeout=TIMEOUT_S) for number in range(4)
            ]
            with pytest.raises(grpc.RpcError) as caught:
                stubs.admin.CreateExperiment(create("late"), timeout=0.3)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        for call in waiting:
            call.result()
        # Calls are taken in turn: when these have been answered, the late one has been looked at.
        behind = [stubs.admin.CreateExperiment.future(create(f"b{number}"), timeout=TIMEOUT_S) for number in range(8)]
        for call in behind:
            call.result()
        with pytest.raises(grpc.RpcError) as caught:
            stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key="late"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
