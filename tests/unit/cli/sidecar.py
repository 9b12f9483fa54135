"""A sidecar with canned answers, for what a command does with each kind of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message

from sortition.api.errors import abort
from sortition.errors import SortitionError
from sortition.rpc.v1 import admin_pb2, analysis_pb2, recording_pb2

Answer = Message | SortitionError
_FILES = {"Admin": admin_pb2, "Analysis": analysis_pb2, "Recording": recording_pb2}


class Canned:
    """Gives each method its next answer (the last one stays), and keeps what was asked."""

    def __init__(self) -> None:
        self.target = ""
        self.asked: list[Any] = []
        self.gate = threading.Event()
        self.gate.set()
        self._answers: dict[str, list[Answer]] = {}

    def answers(self, method: str, *answers: Answer) -> None:
        """Says what a method, such as ``Admin/GetExperiment``, answers."""
        self._answers[method] = list(answers)

    def take(self, method: str, request: Message, context: grpc.ServicerContext) -> Message:
        self.asked.append(request)
        assert self.gate.wait(10), "the test has not opened the gate"
        queue = self._answers[method]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, SortitionError):
            abort(context, answer)
        return answer


# Its stubs say that it is generic, which at run time it is not.
_Handler: Any = grpc.GenericRpcHandler


class _Handlers(_Handler):  # type: ignore[misc]
    def __init__(self, canned: Canned) -> None:
        self._canned = canned

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        package, method = details.method.lstrip("/").split("/")
        service = package.rpartition(".")[2]
        kind: Any = (
            _FILES[service].DESCRIPTOR.services_by_name[service].methods_by_name[method].input_type._concrete_class
        )

        def behave(request: Message, context: grpc.ServicerContext) -> Message:
            return self._canned.take(f"{service}/{method}", request, context)

        serialize: Callable[[Message], bytes] = lambda message: message.SerializeToString()  # noqa: E731
        return grpc.unary_unary_rpc_method_handler(behave, kind.FromString, serialize)


@contextmanager
def serving() -> Iterator[Canned]:
    """Runs a sidecar with canned answers."""
    canned = Canned()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Handlers(canned),))
    canned.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield canned
    finally:
        server.stop(0).wait(5)
