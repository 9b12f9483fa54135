"""A sidecar with canned answers, and a way to run commands against it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from commands import Run, run_command
from unit.cli.sidecar import Canned, serving


@pytest.fixture
def sidecar() -> Iterator[Canned]:
    with serving() as canned:
        yield canned


@pytest.fixture
def run(sidecar: Canned, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("SORTITION_STATE_DIR", "SORTITION_ORGANIZATION", "SORTITION_CONFIG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SORTITION_TARGET", sidecar.target)
    return run_command(capfd)
