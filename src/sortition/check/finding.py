"""What a check found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from sortition.errors import SortitionError

__all__ = ["Failed", "Finding", "Probe", "Skipped", "State", "run"]


class State(str, Enum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        area: What was checked, such as "assignment".
        name: Which part of it.
        state: How it ended; "skipped" where there is nothing to check.
        detail: What was found, in plain words.
        seconds: How long it took.
    """

    area: str
    name: str
    state: State
    detail: str
    seconds: float


class Failed(Exception):
    """A check failed; says what is wrong and what to do."""


class Skipped(Exception):
    """There is nothing to check; says why."""


@dataclass(frozen=True)
class Probe:
    """One check: `look` returns what it found, or raises `Failed` or `Skipped`."""

    area: str
    name: str
    look: Callable[[], str]


def run(probes: Iterator[Probe]) -> Iterator[Finding]:
    """Makes checks one after the other; whatever one raises is its failure, and the others go on."""
    for probe in probes:
        begun = time.monotonic()
        try:
            state, detail = State.OK, probe.look()
        except Skipped as why:
            state, detail = State.SKIPPED, str(why)
        except (Failed, SortitionError, OSError) as error:
            state, detail = State.FAILED, str(error)
        except Exception as error:
            # A defect, which is what is looked for here: it must not keep the others from being found.
            state, detail = State.FAILED, f"{type(error).__name__}: {error}"
        yield Finding(probe.area, probe.name, state, detail, time.monotonic() - begun)
