"""A sidecar as users run it: ``python -m sortition serve``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sortition.locations import endpoint_file
from waiting import wait_until

__all__ = ["Sidecar"]

_START_S = 60
_END_S = 90


class Sidecar:
    """One sidecar that is started again and again in the same state directory."""

    def __init__(
        self,
        state: Path,
        settings: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "sortition"),
    ) -> None:
        """Names a sidecar that is not running.

        Args:
            state: Its state directory.
            settings: Its other settings, by name.
            environment: What it needs besides.
            program: What the interpreter is given; the shipped program unless a bug is planted.
        """
        self.state = state
        self.log = state.with_name(f"{state.name}.log")
        self._command = [sys.executable, *program, "serve"]
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **(environment or {}),
            **{f"SORTITION_{name.upper()}": str(value) for name, value in settings.items()},
            "SORTITION_STATE_DIR": str(state),
            "SORTITION_LISTEN": "127.0.0.1:0",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, beside: bool = False) -> None:
        """Starts it, `beside` another one in the same directory or alone; `address` waits until it listens."""
        assert not self.running
        if not beside:
            # One that was killed could not remove it.
            endpoint_file(self.state).unlink(missing_ok=True)
        self.state.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdin=subprocess.DEVNULL, stderr=log)

    def listens(self) -> bool:
        """Whether it listens."""
        return endpoint_file(self.state).exists()

    def address(self) -> str | None:
        """Waits until it listens; None when it ended instead."""
        wait_until(lambda: self.listens() or not self.running, within_s=_START_S, what="the address of the sidecar")
        return endpoint_file(self.state).read_text().strip() if self.running and self.listens() else None

    def kill(self) -> None:
        """Kills it where it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_END_S)

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> int:
        """Waits for its end; returns its exit code."""
        assert self._process is not None
        try:
            return self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the sidecar did not end within {_END_S} s:\n{self.last_words()}") from None

    def terminate(self) -> int:
        """Asks it to drain and waits for its end; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.end()

    def resident_bytes(self) -> int:
        """Returns how much memory it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def last_words(self) -> str:
        """Returns the end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
