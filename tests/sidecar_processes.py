"""Sidecars for tests, each in a process of its own, which can be told and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sortition import locations
from waiting import wait_until

PROGRAM = """
import json, sys
from sortition.errors import SortitionError
from sortition.service import serve
from sortition.settings import load

try:
    serve(load(json.loads(sys.argv[1])))
except SortitionError as error:
    sys.exit(f"{type(error).__name__}: {error.message}")
"""


class Process:
    """A sidecar in a process of its own."""

    def __init__(self, state: Path, **flags: Any) -> None:
        self.state = state
        settings = {"state_dir": str(state), "listen": "127.0.0.1:0", "flush_interval_s": 3600, **flags}
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(settings)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stderr=subprocess.PIPE,
            text=True,
        )

    def address(self) -> str:
        """Waits until it listens."""
        endpoint = locations.endpoint_file(self.state)
        wait_until(lambda: endpoint.exists() or self._process.poll() is not None, within_s=30, what="the endpoint")
        return endpoint.read_text().strip()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Waits for its end; returns its exit code and what it wrote."""
        _, written = self._process.communicate(timeout=60)
        return self._process.returncode, written

    def kill(self) -> None:
        """Ends it at once; does nothing where it has ended."""
        running = self._process.poll() is None
        self._process.kill()
        if running:
            # It could not take it away itself, and the next one would be looked for there.
            locations.endpoint_file(self.state).unlink(missing_ok=True)
        if self._process.stderr and not self._process.stderr.closed:
            self._process.communicate()


@contextmanager
def process(state: Path, **flags: Any) -> Iterator[Process]:
    started = Process(state, **flags)
    try:
        yield started
    finally:
        started.kill()
