"""Kills a start, for real, before each of its steps in turn, and looks at what is left: a program of its own.

It forks a process for every step, so it must be the only thread in its process.

    python -m registration_crashes DIRECTORY
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import text

from automatic_crashes import KEY, Steps
from sortition.store import Database, sqlite_url
from unit.lifecycle.world import World


def opened(directory: Path) -> World:
    return World(Database.open(sqlite_url(directory / "sortition.db")), directory)


def left(world: World) -> list[Any]:
    """Returns the status, and how many registrations, allocations and audited starts there are."""
    tables = "registrations", "allocations", "audit WHERE action = 'experiment.start'"
    with world.db.read() as tx:
        status: str = tx.execute(text("SELECT status FROM experiments")).scalar_one()
        return [status, *(tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables)]


def main(directory: Path) -> None:
    """Writes, for every step before which there was a kill, what was left and what a second start made of it."""
    template = directory / "template"
    template.mkdir(parents=True)
    world = opened(template)
    world.create()
    world.db.close()
    steps = Steps()
    found: dict[str, list[Any]] = {"killed": [], "ended": []}
    for number in range(1, 1000):
        state = directory / f"state-{number}"
        shutil.copytree(template, state)
        child = os.fork()
        if child == 0:
            world = opened(state)
            steps.left = number
            world.experiments.start("default", KEY, world.ann)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if status and not killed:
            raise SystemExit(f"step {number}: the start failed with {status}")
        world = opened(state)
        if killed:
            found["killed"].append(left(world))
        if left(world)[0] == "draft":
            world.experiments.start("default", KEY, world.ann)
        found["ended"].append([*left(world), list(world.experiments.registered("default", KEY).differences)])
        world.db.close()
        shutil.rmtree(state)
        if not killed:
            print(json.dumps(found))
            return
    raise SystemExit("it did not end")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
