"""How a service of the control plane is put on the wire: one guard around every method, on threads of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from sortition.api.errors import abort, refuse
from sortition.api.limits import check_answer
from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    # Generic in the stubs only.
    Handler: TypeAlias = grpc.RpcMethodHandler[bytes, bytes]

__all__ = ["control_handlers"]


def control_handlers(
    service: ServiceDescriptor, implementation: object, threads: ThreadPoolExecutor
) -> dict[str, dict[str, Handler]]:
    """Returns the handlers of a service whose methods are all unary.

    Args:
        service: The service's descriptor.
        implementation: Has a method for each of the service's, in snake case, from the request to the answer.
        threads: Where they run: apart from the hot path, which never waits behind SQL.

    Raises:
        AttributeError: The implementation lacks a method.
    """
    return {service.full_name: {method.name: _handler(method, implementation, threads) for method in service.methods}}


def _handler(method: MethodDescriptor, implementation: object, threads: ThreadPoolExecutor) -> Handler:
    behavior: Callable[[Any], Message] = getattr(implementation, _snake(method.name))
    request_class = message_factory.GetMessageClass(method.input_type)
    path = f"{method.containing_service.full_name}/{method.name}"

    def guarded(raw: bytes, context: grpc.ServicerContext) -> bytes:
        # None, whatever the types say, where there is no deadline.
        remaining: float | None = context.time_remaining()
        if not context.is_active() or (remaining is not None and remaining <= 0):
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline had passed before the call was begun")
        try:
            answer = behavior(_parsed(request_class, raw)).SerializeToString()
            return check_answer(answer, "ask for a smaller page_size")
        except Exception as error:
            problem = refuse(error, path)
        abort(context, problem)

    # grpcio runs a behaviour with this attribute on that pool instead of the server's.
    guarded.experimental_thread_pool = threads  # type: ignore[attr-defined]
    return grpc.unary_unary_rpc_method_handler(guarded)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _parsed(request_class: type[Message], raw: bytes) -> Message:
    try:
        return request_class.FromString(raw)
    except DecodeError:
        raise InvalidArgument.of([("request", f"is not a valid {request_class.DESCRIPTOR.name}")]) from None
