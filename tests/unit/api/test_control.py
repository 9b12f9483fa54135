"""The guard around every method of the control plane."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from sortition.api.control import control_handlers
from sortition.errors import NotFound
from sortition.rpc.v1 import analysis_pb2

SERVICE = analysis_pb2.DESCRIPTOR.services_by_name["Analysis"]


class Methods:
    """Answers like the service Analysis, and remembers what it was asked."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def _any(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    analyze = get_status = list_status = summarize = get_series = power = _any
    list_decisions = replay = get_distribution = get_power_curve = get_full_report = _any


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(1)
    yield pool
    pool.shutdown()


def guarded(methods: Methods, threads: ThreadPoolExecutor, name: str = "Analyze") -> Any:
    handler: Any = control_handlers(SERVICE, methods, threads)[SERVICE.full_name][name]
    return handler.unary_unary


def test_requests_and_answers_are_messages_inside_and_bytes_outside(threads: ThreadPoolExecutor, context: Any) -> None:
    methods = Methods(analysis_pb2.AnalysisResult(winner="fast"))
    call = guarded(methods, threads)
    answer = call(analysis_pb2.AnalyzeRequest(key="k").SerializeToString(), context)
    assert methods.asked == [analysis_pb2.AnalyzeRequest(key="k")]
    assert analysis_pb2.AnalysisResult.FromString(answer).winner == "fast"
    assert call.experimental_thread_pool is threads


def test_a_method_that_is_missing_is_noticed_when_the_server_is_built(threads: ThreadPoolExecutor) -> None:
    with pytest.raises(AttributeError, match="analyze"):
        control_handlers(SERVICE, object(), threads)


@pytest.mark.parametrize("remaining", [0.0, -1.0])
def test_what_is_too_late_is_not_begun(threads: ThreadPoolExecutor, context: Any, remaining: float) -> None:
    methods = Methods()
    context.remaining = remaining
    with pytest.raises(context.ended):
        guarded(methods, threads)(b"", context)
    assert context.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert methods.asked == []


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (NotFound("no experiment 'k'"), grpc.StatusCode.NOT_FOUND, "no experiment 'k'"),
        (KeyError("secret"), grpc.StatusCode.INTERNAL, "internal error; the log of the sidecar says more"),
        (
            analysis_pb2.AnalysisResult(recommendation="x" * (4 * 1024 * 1024)),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "ask for a smaller page_size",
        ),
    ],
)
def test_failures_become_statuses(
    threads: ThreadPoolExecutor, context: Any, answer: Any, code: grpc.StatusCode, text: str
) -> None:
    with pytest.raises(context.ended):
        guarded(Methods(answer), threads)(b"", context)
    assert context.code is code
    assert context.details.endswith(text)
