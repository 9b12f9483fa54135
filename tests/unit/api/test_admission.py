"""Calls that wait are bounded, and those beyond are refused while the others are still waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sortition.api.admission import CallThreads, check_admitted
from sortition.errors import ResourceExhausted
from waiting import wait_until

LIMIT = 3


@pytest.fixture
def threads() -> Iterator[CallThreads]:
    made = CallThreads(2, LIMIT, "test")
    yield made
    made.shutdown()


def ask(gate: threading.Event, begun: list[str]) -> str:
    check_admitted()
    begun.append(threading.current_thread().name)
    assert gate.wait(20)
    return "answered"


def test_what_does_not_fit_is_refused_before_what_fits_is_answered(threads: CallThreads) -> None:
    gate, begun = threading.Event(), list[str]()
    busy = [threads.submit(ask, gate, begun) for _ in range(2)]
    wait_until(lambda: len(begun) == 2, what="both threads at work")
    waiting = [threads.submit(ask, gate, begun) for _ in range(LIMIT)]
    refused = [threads.submit(ask, gate, begun) for _ in range(5)]
    for each in refused:
        with pytest.raises(ResourceExhausted, match=f"{LIMIT} are waiting, which is the limit"):
            each.result(timeout=20)
    assert not any(each.done() for each in busy + waiting)
    gate.set()
    assert [each.result(timeout=20) for each in busy + waiting] == ["answered"] * (2 + LIMIT)
    assert all(name.startswith("test") and "refused" not in name for name in begun)


def test_there_is_room_again_once_the_waiting_are_answered(threads: CallThreads) -> None:
    for _ in range(20):
        gate, begun = threading.Event(), list[str]()
        calls = [threads.submit(ask, gate, begun) for _ in range(LIMIT)]
        gate.set()
        assert [call.result(timeout=20) for call in calls] == ["answered"] * LIMIT


def test_what_does_not_ask_is_answered_in_any_case(threads: CallThreads) -> None:
    gate, begun = threading.Event(), list[str]()
    for _ in range(2 + LIMIT):
        threads.submit(ask, gate, begun)
    wait_until(lambda: len(begun) == 2, what="both threads at work")
    for _ in range(LIMIT):
        threads.submit(ask, gate, begun)
    assert threads.submit(lambda: "serving").result(timeout=20) == "serving"
    gate.set()


def test_many_threads_count_alike(threads: CallThreads) -> None:
    def knock() -> int:
        answered = 0
        for _ in range(200):
            try:
                threads.submit(check_admitted).result(timeout=20)
                answered += 1
            except ResourceExhausted:
                pass
        return answered

    with ThreadPoolExecutor(8) as callers:
        assert sum(each.result() for each in [callers.submit(knock) for _ in range(8)]) > 0
    # A count that is off by one would refuse, or admit, for ever.
    test_there_is_room_again_once_the_waiting_are_answered(threads)
    test_what_does_not_fit_is_refused_before_what_fits_is_answered(threads)


def test_outside_of_these_threads_everything_is_admitted() -> None:
    assert check_admitted() is None  # type: ignore[func-returns-value]
