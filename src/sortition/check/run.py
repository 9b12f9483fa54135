"""All checks in order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from sortition.check import assignment, clock, recording, statistics, storage
from sortition.check.finding import Finding, run

if TYPE_CHECKING:
    from sortition.settings import Settings

__all__ = ["AREAS", "check"]

AREAS = ("assignment", "statistics", "recording", "storage", "clock")
"""What is checked, in order."""


def check(settings: Settings, areas: Collection[str] = AREAS) -> Iterator[Finding]:
    """Checks an installation; nothing of it is changed, and sidecars may be running.

    Args:
        settings: Those of the sidecar that is meant.
        areas: Which of `AREAS` to check.

    Yields:
        Each finding as soon as it is there.
    """
    probes = chain(
        assignment.probes(),
        statistics.probes(),
        recording.probes(),
        storage.probes(settings),
        clock.probes(settings),
    )
    return run(probe for probe in probes if probe.area in areas)
