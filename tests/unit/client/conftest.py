"""A sidecar for clients to meet: a real gRPC server whose answers and misbehaviour a test scripts."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sortition.errors import SortitionError
from sortition.rpc.v1 import assignment_pb2, recording_pb2

Behaviour = Callable[[grpc.ServicerContext], None]


class Sidecar:
    """Answers Assign with `answer`, and counts what is recorded as the real one does: each delivery once.

    `misbehave(method, behaviour, ...)` queues what the next calls of a method meet before (or, with `after=True`,
    after) they have taken effect.
    """

    def __init__(self) -> None:
        self.port = 0
        self.answer = assignment_pb2.AssignResponse(
            experiment="search-strategy",
            variant="combined",
            reason=assignment_pb2.REASON_SPLIT,
            bucket=4711,
            exposed=True,
            snapshot_version=3,
            subject={"kind": "agent", "id": "search-agent"},
            subject_version=1,
        )
        self.config: bytes = b'{"strategy":"combined"}'
        self.assigned: list[assignment_pb2.AssignRequest] = []
        self.sent_configs: list[bool] = []
        self.exposed: list[assignment_pb2.ExposeRequest] = []
        self.recorded: list[recording_pb2.Outcome] = []
        self.arrived: list[Any] = []
        self._seen: set[tuple[bytes, int]] = set()
        self._script: dict[str, list[tuple[Behaviour, bool]]] = {}
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None

    # --- what a test says ---

    def misbehave(self, method: str, *behaviours: Behaviour, after: bool = False) -> None:
        self._script.setdefault(method, []).extend((each, after) for each in behaviours)

    def start(self) -> None:
        """Starts, on the port of the last time if there was one."""
        self._server = server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers(
            (
                self._service("Assignment", {"Assign": self._assign, "Expose": self._expose}),
                self._service("Recording", {"Record": self._record, "RecordBatch": self._record}),
            )
        )
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait(5)
            self._server = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def metrics(self) -> list[dict[str, float]]:
        """What was recorded, by metric, one entry per outcome."""
        return [{each.metric: value_of(each) for each in outcome.observations} for outcome in self.recorded]

    # --- how it can misbehave ---

    @staticmethod
    def unavailable(context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")

    @staticmethod
    def refuse(error: SortitionError) -> Behaviour:
        """Refuses as a sidecar does: with the class of the error and its violations."""

        def behave(context: grpc.ServicerContext) -> None:
            number: int = grpc.StatusCode[error.code].value[0]
            status = status_pb2.Status(code=number, message=error.message)
            info, refused = error_details_pb2.ErrorInfo(reason=type(error).__name__), error_details_pb2.BadRequest()
            for field, description, *_ in error.violations:
                refused.field_violations.add(field=field, description=description)
            for detail in (info, refused):
                packed = any_pb2.Any()
                packed.Pack(detail)
                status.details.append(packed)
            context.abort_with_status(rpc_status.to_status(status))

        return behave

    @staticmethod
    def hang(context: grpc.ServicerContext) -> None:
        """Answers nothing for as long as anybody listens."""
        gone = threading.Event()
        if context.add_callback(gone.set):
            gone.wait(10)
        context.abort(grpc.StatusCode.CANCELLED, "gone")

    # --- what a client meets ---

    def _service(self, name: str, methods: dict[str, Callable[..., Any]]) -> Any:
        requests: dict[str, Any] = {
            "Assign": assignment_pb2.AssignRequest,
            "Expose": assignment_pb2.ExposeRequest,
            "Record": recording_pb2.RecordRequest,
            "RecordBatch": recording_pb2.RecordBatchRequest,
        }
        handlers = {
            method: grpc.unary_unary_rpc_method_handler(
                self._scripted(method, handle),
                request_deserializer=requests[method].FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
            for method, handle in methods.items()
        }
        return grpc.method_handlers_generic_handler(f"sortition.rpc.v1.{name}", handlers)

    def _scripted(self, method: str, handle: Callable[[Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            with self._lock:
                script = self._script.get(method)
                behaviour, after = script.pop(0) if script else (None, False)
            if behaviour is not None and not after:
                behaviour(context)
            with self._lock:
                response = handle(request)
            if behaviour is not None and after:
                behaviour(context)
            return response

        return answer

    def _assign(self, request: assignment_pb2.AssignRequest) -> assignment_pb2.AssignResponse:
        self.assigned.append(request)
        response = assignment_pb2.AssignResponse()
        response.CopyFrom(self.answer)
        response.config_hash = hashlib.sha256(self.config).digest()[:16]
        response.config_omitted = response.config_hash in request.known_config_hashes
        if not response.config_omitted:
            response.config = self.config
        if request.HasField("expose") and not request.expose:
            response.exposed = False
        self.sent_configs.append(not response.config_omitted)
        return response

    def _expose(self, request: assignment_pb2.ExposeRequest) -> assignment_pb2.ExposeResponse:
        self.exposed.append(request)
        return assignment_pb2.ExposeResponse(exposed=True, variant=self.answer.variant)

    def _record(self, request: Any) -> recording_pb2.RecordResponse:
        self.arrived.append(request)
        key = (request.delivery.client, request.delivery.seq)
        if key in self._seen:
            return recording_pb2.RecordResponse(duplicate=True)
        self._seen.add(key)
        outcomes = request.outcomes if isinstance(request, recording_pb2.RecordBatchRequest) else [request.outcome]
        self.recorded.extend(outcomes)
        return recording_pb2.RecordResponse(accepted=sum(len(each.observations) for each in outcomes))


def value_of(observation: recording_pb2.Observation) -> float:
    return observation.flag if observation.WhichOneof("value") == "flag" else observation.number


@pytest.fixture
def sidecar() -> Iterator[Sidecar]:
    made = Sidecar()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def nowhere(sidecar: Sidecar) -> str:
    """An address at which nobody listens."""
    sidecar.stop()
    return sidecar.target
