"""What several tests of the checks need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sortition import settings
from sortition.check import Finding
from sortition.check.finding import Probe, run
from sortition.settings import Settings


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    """The settings of a sidecar that never ran."""
    return settings.load({"state_dir": tmp_path / "state"})


@pytest.fixture
def found() -> Callable[[Iterator[Probe], str], Finding]:
    """Makes one of several checks."""

    def one(probes: Iterator[Probe], name: str) -> Finding:
        (finding,) = run(probe for probe in probes if probe.name == name)
        return finding

    return one
