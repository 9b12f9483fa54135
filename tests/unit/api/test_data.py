"""The handlers of the hot path, over an engine that fails in every way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from sortition.api.admission import CallThreads
from sortition.api.data import ASSIGNMENT, RECORDING, data_handlers
from sortition.api.streams import Streams
from sortition.api.watch import Watches
from sortition.errors import NotReady
from sortition.rpc.v1 import assignment_pb2, recording_pb2

MIB = 1024 * 1024
# Only named by the handlers: nothing runs on it here.
THREADS = CallThreads(1, 1, "test")


class Engine:
    """Answers every call with `answer`, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def _any(self, _request: bytes) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: bytes = self.answer
        return answer

    assign = assign_batch = assign_stream_message = expose = _any
    record = record_batch = record_stream_message = _any


@pytest.fixture
def streams() -> Iterator[Streams]:
    made = Streams(1)
    yield made
    made.close()


UNARY = [
    (ASSIGNMENT, "Assign"),
    (ASSIGNMENT, "AssignBatch"),
    (ASSIGNMENT, "Expose"),
    (RECORDING, "Record"),
    (RECORDING, "RecordBatch"),
]
STREAMS = [(ASSIGNMENT, "AssignStream"), (RECORDING, "RecordStream")]
WATCH = (ASSIGNMENT, "Watch")


def handler(engine: Engine, streams: Streams, service: str, method: str) -> Any:
    return data_handlers(engine, streams, Watches(engine, 1), THREADS, THREADS)[service][method]  # type: ignore[arg-type]


def test_every_method_of_the_contract_has_a_handler(streams: Streams) -> None:
    handlers = data_handlers(Engine(b""), streams, Watches(Engine(b""), 1), THREADS, THREADS)  # type: ignore[arg-type]
    files: list[Any] = [assignment_pb2, recording_pb2]
    expected = {
        service.full_name: {method.name for method in service.methods}
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
    }
    assert {service: set(methods) for service, methods in handlers.items()} == expected
    assert {(service, name) for service, methods in expected.items() for name in methods} == {*UNARY, *STREAMS, WATCH}


@pytest.mark.parametrize(("service", "method"), [*UNARY, *STREAMS])
def test_bytes_go_through_untouched(service: str, method: str, streams: Streams) -> None:
    found = handler(Engine(b"answer"), streams, service, method)
    assert found.request_deserializer is None
    assert found.response_serializer is None


@pytest.mark.parametrize(("service", "method"), UNARY)
@pytest.mark.parametrize(
    ("error", "code"),
    [(NotReady("no snapshot"), grpc.StatusCode.UNAVAILABLE), (ValueError("secret"), grpc.StatusCode.INTERNAL)],
)
def test_an_error_ends_a_call(
    service: str, method: str, error: Exception, code: grpc.StatusCode, streams: Streams, context: Any
) -> None:
    with pytest.raises(context.ended):
        handler(Engine(error), streams, service, method).unary_unary(b"", context)
    assert context.code is code
    assert "secret" not in context.details


@pytest.mark.parametrize(("service", "method"), STREAMS)
def test_a_defect_ends_a_stream_and_gives_its_place_back(
    service: str, method: str, streams: Streams, context: Any
) -> None:
    found = handler(Engine(ValueError("secret")), streams, service, method)
    # Twice: there is one place.
    for _ in range(2):
        with pytest.raises(context.ended):
            list(found.stream_stream(iter([b""]), context))
        assert context.code is grpc.StatusCode.INTERNAL
        assert "secret" not in context.details


@pytest.mark.parametrize("method", ["AssignBatch"])
def test_an_answer_too_large_for_clients_is_refused(method: str, streams: Streams, context: Any) -> None:
    assert handler(Engine(bytes(4 * MIB)), streams, ASSIGNMENT, method).unary_unary(b"", context) == bytes(4 * MIB)
    with pytest.raises(context.ended):
        handler(Engine(bytes(4 * MIB + 1)), streams, ASSIGNMENT, method).unary_unary(b"", context)
    assert context.code is grpc.StatusCode.RESOURCE_EXHAUSTED
