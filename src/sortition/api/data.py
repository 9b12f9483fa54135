"""The hot path: bytes go into the engine and bytes come out, with nothing in between.

No message is decoded here and no interceptor is passed. An error costs more, but only the caller who made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from sortition.api.admission import CallThreads, check_admitted
from sortition.api.errors import abort, refuse, to_status
from sortition.api.limits import MAX_SINGLE_BYTES, check_answer, too_large
from sortition.api.streams import Streams
from sortition.api.watch import Watches
from sortition.core import Engine
from sortition.errors import SortitionError
from sortition.rpc.v1 import assignment_pb2, common_pb2, recording_pb2

if TYPE_CHECKING:
    # Generic in the stubs only.
    Handler: TypeAlias = grpc.RpcMethodHandler[bytes, bytes]

__all__ = ["ASSIGNMENT", "RECORDING", "data_handlers"]

ASSIGNMENT = assignment_pb2.DESCRIPTOR.services_by_name["Assignment"].full_name
RECORDING = recording_pb2.DESCRIPTOR.services_by_name["Recording"].full_name

Handle = Callable[[bytes], bytes]


def data_handlers(
    engine: Engine, streams: Streams, watches: Watches, assign_threads: CallThreads, record_threads: CallThreads
) -> dict[str, dict[str, Handler]]:
    """Returns the handlers of the services Assignment and Recording, by service and method.

    Args:
        engine: What answers.
        streams: Where streams run.
        watches: Who is told of snapshots.
        assign_threads: Where unary assignments run.
        record_threads: Where unary recordings run: an agent waits for its variant, and never behind others' outcomes.
    """
    assignment = {
        "Assign": _single(engine.assign, f"{ASSIGNMENT}/Assign", assign_threads),
        "AssignBatch": _batch(engine.assign_batch, f"{ASSIGNMENT}/AssignBatch", assign_threads),
        "AssignStream": _stream(
            engine.assign_stream_message, f"{ASSIGNMENT}/AssignStream", assignment_pb2.AssignStreamResponse, streams
        ),
        "Expose": _single(engine.expose, f"{ASSIGNMENT}/Expose", assign_threads),
        "Watch": watches.handler(),
    }
    recording = {
        "Record": _single(engine.record, f"{RECORDING}/Record", record_threads),
        "RecordBatch": _batch(engine.record_batch, f"{RECORDING}/RecordBatch", record_threads),
        "RecordStream": _stream(
            engine.record_stream_message, f"{RECORDING}/RecordStream", recording_pb2.RecordStreamResponse, streams
        ),
    }
    return {ASSIGNMENT: assignment, RECORDING: recording}


def _single(handle: Handle, method: str, threads: CallThreads) -> Handler:
    """A call about one unit."""

    def behavior(request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            check_admitted()
            if len(request) > MAX_SINGLE_BYTES:
                raise too_large(len(request), MAX_SINGLE_BYTES)
            return handle(request)
        except Exception as error:
            problem = refuse(error, method)
        abort(context, problem)

    # grpcio runs a behaviour with this attribute on that pool instead of the server's.
    behavior.experimental_thread_pool = threads  # type: ignore[attr-defined]
    return grpc.unary_unary_rpc_method_handler(behavior)


def _batch(handle: Handle, method: str, threads: CallThreads) -> Handler:
    """A call about many units; the server has bounded its size."""

    def behavior(request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            check_admitted()
            return check_answer(handle(request), "ask for fewer units, or name the configurations that are known")
        except Exception as error:
            problem = refuse(error, method)
        abort(context, problem)

    # grpcio runs a behaviour with this attribute on that pool instead of the server's.
    behavior.experimental_thread_pool = threads  # type: ignore[attr-defined]
    return grpc.unary_unary_rpc_method_handler(behavior)


def _stream(handle: Handle, method: str, answer: Any, streams: Streams) -> Handler:
    """A stream of calls about one unit each; a bad one is answered with a Failure, and the stream goes on."""

    def behavior(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            try:
                if len(request) > MAX_SINGLE_BYTES:
                    failure = _failure(too_large(len(request), MAX_SINGLE_BYTES))
                    response = answer(failure=failure).SerializeToString()
                else:
                    response = handle(request)
            except Exception as error:
                problem = refuse(error, method)
                break
            yield response
        else:
            return
        abort(context, problem)

    return grpc.stream_stream_rpc_method_handler(streams.bound(behavior))


def _failure(error: SortitionError) -> common_pb2.Failure:
    violations = [
        common_pb2.FieldViolation(field=found.field, description=found.description) for found in error.violations
    ]
    return common_pb2.Failure(code=to_status(error).code, message=error.message, violations=violations)
