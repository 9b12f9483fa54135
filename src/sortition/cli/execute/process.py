"""Runs one command as if it had been started directly: same descriptors, same signals, same exit status."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

__all__ = [
    "CANNOT_RUN",
    "NOT_FOUND",
    "SIGNALLED",
    "Ended",
    "arrived",
    "free_descriptor",
    "held_signals",
    "run",
    "unfit",
]

NOT_FOUND: Final = 127
"""The exit code that shells have for a command that is not there."""
CANNOT_RUN: Final = 126
"""The exit code that shells have for a command that is there and cannot be run."""
SIGNALLED: Final = 128
"""What shells add to the number of the signal that ended a command."""

# They stop and continue a whole job, which the terminal does by itself, or are about this process: its children, its
# faults, its pipes.
_OWN: Final = frozenset(
    getattr(signal, name)
    for name in (
        *("SIGKILL", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGCHLD"),
        *("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGPIPE"),
    )
)
_PASSED_ON: Final = frozenset(signal.valid_signals()) - _OWN
_AWAITED: Final = _PASSED_ON | {signal.SIGCHLD}
_ENDING: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
# The interpreter ignores these; a command expects them as they are.
_AS_USUAL: Final = [signal.SIGPIPE, signal.SIGXFSZ]
# A shell names descriptors by one digit only; the first three are taken.
_ONE_DIGIT: Final = range(3, 10)


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; 128 and the signal's number where a signal ended it.
        seconds: How long it ran.
        problem: Why it could not be started; empty when it was.
    """

    code: int
    seconds: float = 0.0
    problem: str = ""


@contextmanager
def held_signals() -> Iterator[Collection[int]]:
    """Holds signals back until `run` passes them on; yields those that were held back before.

    To be entered before there is a second thread: threads take over what is held back, and one that does not would end
    this process in the command's place.
    """
    # Where whoever started this process ignored the ends of children, there would be no end to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        yield before
    finally:
        # What came after the command's end was meant for the command.
        while late := arrived(_AWAITED - before):
            signal.sigwait({late})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def arrived(among: Collection[int] = _ENDING) -> int:
    """Returns a signal that was held back and waits; 0 where there is none."""
    return next((int(number) for number in sorted(signal.sigpending()) if number in among), 0)


def unfit(program: str) -> Ended | None:
    """Returns how a command ends that cannot be found or run; ``None`` for one that can be tried."""
    if shutil.which(program):
        return None
    if "/" in program and os.path.exists(program):
        return Ended(CANNOT_RUN, problem=f"{program} is no program that may be run")
    return Ended(NOT_FOUND, problem=f"{program} is not there")


def free_descriptor() -> int:
    """Returns the lowest descriptor from 3 to 9 that was not handed to this process; 10 where all were."""
    return next((number for number in _ONE_DIGIT if not _handed_over(number)), _ONE_DIGIT.stop)


def run(
    command: Sequence[str], environment: Mapping[str, str], *, descriptors: Mapping[int, int], mask: Collection[int]
) -> Ended:
    """Runs a command to its end, and passes on the signals that come meanwhile. To be called with signals held back.

    Args:
        command: The program and its arguments.
        environment: Its environment.
        descriptors: Descriptors of this process by the number they have in the command.
        mask: The signals that are held back from the command.
    """
    started = time.perf_counter()
    try:
        process = os.posix_spawnp(
            command[0],
            list(command),
            dict(environment),
            file_actions=[(os.POSIX_SPAWN_DUP2, own, number) for number, own in descriptors.items()],
            setsigmask=mask,
            setsigdef=_AS_USUAL,
        )
    except OSError as error:
        code = NOT_FOUND if isinstance(error, (FileNotFoundError, NotADirectoryError)) else CANNOT_RUN
        return Ended(code, problem=f"{command[0]} cannot be run: {error.strerror}")
    status = _wait(process)
    return Ended(status if status >= 0 else SIGNALLED - status, time.perf_counter() - started)


def _wait(process: int) -> int:
    """Returns the exit code of a child; the negative number of a signal that ended it."""
    while True:
        number, shared = _next_signal()
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
        elif not shared:
            # It has not been waited for, so nobody else can have its number. It may have become somebody else's.
            with suppress(PermissionError, ProcessLookupError):
                os.kill(process, number)


def _next_signal() -> tuple[int, bool]:
    """Waits for a signal; says whether the command has it too, as what is typed goes to all of a terminal's job."""
    if sys.platform == "darwin":
        number = signal.sigwait(_AWAITED)
        return number, number in (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH) and _in_foreground()
    found = signal.sigwaitinfo(_AWAITED)
    # What the kernel itself sends is above 0, and what processes send is not.
    return found.si_signo, found.si_code > 0


def _in_foreground() -> bool:
    """Returns whether keys of the terminal reach this process."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _handed_over(number: int) -> bool:
    # What this process opened itself is not inherited by others.
    try:
        return os.get_inheritable(number)
    except OSError:
        return False
