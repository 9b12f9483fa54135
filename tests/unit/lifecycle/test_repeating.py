"""What is done again and again."""

from __future__ import annotations

import threading

import structlog

from sortition.errors import StoreUnavailable
from sortition.lifecycle.repeating import Repeating, stop_all
from waiting import wait_until


class Work:
    """Fails in turn as it is told, and then works."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.times = 0

    def __call__(self) -> None:
        self.times += 1
        if self.failures:
            raise self.failures.pop(0)


def test_it_goes_on_until_it_is_stopped_and_not_after() -> None:
    work = Work()
    one = Repeating("work", work, every_s=0.001)
    one.start()
    wait_until(lambda: work.times >= 3, what="the third time")
    one.stop()
    done = work.times
    assert not [thread for thread in threading.enumerate() if thread.name == "sortition-work"]
    assert work.times == done


def test_what_waits_is_said_once_for_each_reason_and_nothing_ends_it() -> None:
    away, other = StoreUnavailable("the database is away"), StoreUnavailable("it is read-only")
    work = Work(away, away, other, RuntimeError("a bug"), away)
    one = Repeating("work", work, every_s=0.001)
    with structlog.testing.capture_logs() as logs:
        one.start()
        wait_until(lambda: work.times >= 7, what="going on behind all failures")
        one.stop()
    said = [(entry["event"], entry.get("error", ""), entry["log_level"]) for entry in logs]
    assert said == [
        ("work waits", "the database is away", "warning"),
        ("work waits", "it is read-only", "warning"),
        ("work failed", "", "error"),
        ("work waits", "the database is away", "warning"),
    ]


def test_waking_does_it_now() -> None:
    work = Work()
    one = Repeating("work", work, every_s=3600)
    one.start()
    assert work.times == 0
    one.wake()
    wait_until(lambda: work.times == 1, what="the work it was woken for")
    one.stop()
    assert work.times == 1


def test_what_was_never_started_can_be_stopped() -> None:
    work = Work()
    Repeating("work", work, every_s=0.001).stop()
    assert work.times == 0


def test_several_end_at_once_and_not_one_behind_the_other() -> None:
    """The second is told to end while the first is still busy, and both are waited for."""
    busy, told = threading.Event(), threading.Event()

    def first() -> None:
        busy.set()
        assert told.wait(10), "the second was not told to end before the first was done"

    class Second(Repeating):
        def end(self) -> None:
            super().end()
            told.set()

    both = [Repeating("first", first, every_s=0.001), Second("second", Work(), every_s=3600)]
    for one in both:
        one.start()
    assert busy.wait(10)
    stop_all(both, 10)
    assert told.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name in ("sortition-first", "sortition-second")]
