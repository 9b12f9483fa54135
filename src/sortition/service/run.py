"""A sidecar as a process: signals, logs, and the way it ends."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sortition.events import configure_logs, configure_logs_later
from sortition.service.first import First
from sortition.settings import Settings

__all__ = ["serve"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# How often it is asked whether the service has given up by itself.
_LOOK_S = 1.0
_SWITCH_S = 0.0005
_COLLECT_AFTER = (10_000, 20, 100)


def serve(settings: Settings) -> None:
    """Runs a sidecar until SIGTERM or SIGINT, then drains it. Only for the main thread: signals are told to no other.

    Args:
        settings: Its settings.

    Raises:
        SortitionError: It could not be started, or what it had recorded could not be stored at the end.
    """
    configure_logs_later(settings.log_level)
    # Before the start, so that a signal during it is not lost; until behind the drain, so that a second one changes
    # nothing: draining is bounded, and what would be lost by hurrying has been acknowledged.
    with _signalled() as told:
        first = First.open(settings)
        # What takes longest; agents are answered meanwhile.
        from sortition.service.sidecar import Service

        configure_logs(settings.log_level)
        service = Service(settings, first=first)
        service.start()
        _keep_calls_short()
        while not told(_LOOK_S) and not service.wait(0):
            pass
        service.stop()


def _keep_calls_short() -> None:
    """Sees to it that calls in Python wait little for what else this process does, such as a flush."""
    # What waits for the interpreter gets it from a thread that computes after this time, and not after ten times that.
    sys.setswitchinterval(_SWITCH_S)
    # What was imported stays: a collection that walked all of it would stop every thread for a tenth of a second.
    gc.collect()
    gc.freeze()
    # A flush makes and drops objects by the hundred thousand, nearly none of them in cycles.
    gc.set_threshold(*_COLLECT_AFTER)


@contextmanager
def _signalled() -> Iterator[Callable[[float], bool]]:
    """Catches the signals; yields a function that waits some seconds for one, and returns whether there was one.

    A handler that runs Python code could interrupt the main thread while that holds the very lock the handler needs. So
    nothing is done in one: the interpreter writes a byte into a pipe, and the main thread reads it.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    woken = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    try:
        yield lambda timeout_s: bool(select.select([read], [], [], timeout_s)[0])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        os.close(read)
        os.close(write)
