"""Runs cycles of a fault, and compares every few of them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from faults.catalogue import Fault, small_file_system
from faults.truth import Verdict
from faults.world import World, world
from postgres import PostgresServer

__all__ = ["Result", "run"]


@dataclass
class Result:
    """What came of one fault on one database.

    Attributes:
        fault: Its name.
        text: The fault in words.
        database: "sqlite" or "postgresql".
        cycles: How many there were.
        hits: In how many of them the fault struck.
        calls: How many calls were acknowledged.
        again: How often one was sent that had been sent before.
        compared: How many observations and exposures were compared with the truth.
        lost: How many of them were missing.
        doubled: How many were there too often.
        wrong: Everything that differed, in words.
        seconds: How long it took.
    """

    fault: str
    text: str
    database: str
    cycles: int = 0
    hits: int = 0
    calls: int = 0
    again: int = 0
    compared: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        """Whether nothing differed."""
        return not (self.wrong or self.lost or self.doubled)


def run(
    fault: Fault,
    cycles: int,
    *,
    server: PostgresServer | None = None,
    seed: int = 0,
    program: Sequence[str] = ("-m", "sortition"),
    together: int | None = None,
    tick: Callable[[Result], None] = lambda _: None,
) -> Result:
    """Lets a fault happen `cycles` times, unless something is found to be wrong before.

    Args:
        fault: The fault.
        cycles: How often.
        server: The PostgreSQL server; None for SQLite.
        seed: Of everything that is left to chance here. What the processes and the kernel leave to it stays so.
        program: What the interpreter is given; see `Sidecar`.
        together: How many cycles there are between two comparisons; the fault's own number when None.
        tick: Is told after every cycle.
    """
    result = Result(fault.name, fault.text, "postgresql" if server else "sqlite")
    began = time.monotonic()
    in_one = 1 if fault.fresh else cycles
    for first in range(0, cycles, in_one):
        options = {**fault.options, "server": server, "seed": seed + first, "program": program}
        with world(**options) as made, _file_system(fault, made):
            if not fault.fresh:
                made.begin()
            for cycle in range(1, in_one + 1):
                try:
                    fault.cycle(made)
                    result.cycles += 1
                    if cycle % (together or fault.together) == 0 or cycle == in_one:
                        _add(result, made.check())
                except AssertionError as error:
                    result.wrong.append(f"cycle {first + cycle}: {error}")
                result.seconds = time.monotonic() - began
                tick(result)
                if not result.right:
                    break
            result.hits += made.hits
            if made.traffic is not None:
                result.calls += made.traffic.acknowledged
                result.again += made.traffic.sent_again
                result.compared += made.truth.observations
        if not result.right:
            break
    result.seconds = time.monotonic() - began
    return result


def _add(result: Result, verdict: Verdict) -> None:
    result.lost += verdict.lost
    result.doubled += verdict.doubled
    result.wrong += verdict.wrong


@contextmanager
def _file_system(fault: Fault, made: World) -> Iterator[None]:
    if not fault.needs_root:
        yield
        return
    assert os.geteuid() == 0, f"{fault.name} needs root"
    small_file_system(made.state.parent)
    try:
        yield
    finally:
        made.sidecar.kill()
        subprocess.run(["umount", "--lazy", str(made.state.parent)], check=True)
