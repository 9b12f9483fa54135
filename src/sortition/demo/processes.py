"""The demo's processes: a sidecar and agents, each ended by who started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from sortition import locations
from sortition.errors import InternalError, Unavailable

__all__ = ["Child", "start_agent", "start_sidecar"]

_START_S = 20.0
_POLL_S = 0.05
_LOG_LINES = 8


class Child:
    """A process of the demo.

    Args:
        what: What it is called in messages.
        arguments: The module to run, and its arguments.
        state: The state directory that it uses.
        log: The file that gets what it prints.
    """

    def __init__(self, what: str, arguments: Sequence[str], *, state: Path, log: Path) -> None:
        self.what = what
        self.log = log
        environment = {**os.environ, "SORTITION_STATE_DIR": str(state)}
        # The demo's own sidecar, whatever else is configured.
        for name in ("SORTITION_TARGET", "SORTITION_CONFIG", "SORTITION_DATABASE_URL", "SORTITION_WRITER"):
            environment.pop(name, None)
        with log.open("wb") as output:
            # In a session of its own: Ctrl-C reaches the demo alone, which then ends its processes in order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def let_go(self) -> None:
        """Closes its standard input; an agent ends after its session, a sidecar does not care."""
        stdin: IO[bytes] | None = self._process.stdin
        if stdin is not None:
            stdin.close()

    def wait(self, timeout_s: float) -> None:
        """Waits until it has ended by itself.

        Raises:
            InternalError: It takes longer than `timeout_s`, or it ended with an error.
        """
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise InternalError(f"{self.what} (process {self.pid}) is still there after {timeout_s:g} s") from None
        if code != 0:
            raise InternalError(f"{self.what} ended with {code}: {self.last_words()}")

    def terminate(self, timeout_s: float) -> None:
        """Asks it to end, as an operator would.

        Raises:
            InternalError: It takes longer than `timeout_s`, or it ended with an error.
        """
        if self.running:
            self._process.terminate()
        self.wait(timeout_s)

    def end(self) -> None:
        """Ends it for sure: politely first."""
        self.let_go()
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def last_words(self) -> str:
        """Returns the last lines it printed, in one."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-_LOG_LINES:]) or "it printed nothing"


def start_sidecar(state: Path) -> tuple[Child, str]:
    """Starts a sidecar on a free port; returns it with its address.

    Raises:
        Unavailable: It does not announce its address in time.
        InternalError: It ended instead.
    """
    arguments = ["sortition", "serve", "--state-dir", str(state), "--listen", "127.0.0.1:0"]
    sidecar = Child("the sidecar", arguments, state=state, log=state / "sidecar.log")
    deadline = time.monotonic() + _START_S
    endpoint = locations.endpoint_file(state)
    try:
        while not endpoint.exists():
            if not sidecar.running:
                raise InternalError(f"the sidecar ended instead of listening: {sidecar.last_words()}")
            if time.monotonic() >= deadline:
                raise Unavailable(f"the sidecar does not listen after {_START_S:g} s: {sidecar.last_words()}")
            time.sleep(_POLL_S)
    except BaseException:
        sidecar.end()
        raise
    return sidecar, endpoint.read_text().strip()


def start_agent(name: str, state: Path, exam: Path, sessions: int) -> Child:
    """Starts an agent that runs `sessions` sessions, or fewer if it is let go."""
    arguments = ["sortition.demo.agent", "--name", name, "--exam", str(exam), "--sessions", str(sessions)]
    return Child(name, arguments, state=state, log=state / f"{name}.log")
