"""Runs commands in this process, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import pytest
import structlog

from sortition.cli import main


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Run: TypeAlias = Callable[..., Ended]


def run_command(capfd: pytest.CaptureFixture[str]) -> Run:
    """Returns a function that runs ``sortition`` with its arguments."""

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        # A sidecar in the same process logs on the same descriptors; that is not the command's output.
        with structlog.testing.capture_logs(), pytest.raises(SystemExit) as caught:
            main([str(each) for each in arguments])
        out, err = capfd.readouterr()
        code = caught.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), out, err)

    return run
