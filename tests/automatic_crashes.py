"""Kills automatic mode, for real, before each of its steps in turn, and looks at what is left: a program of its own.

It forks a process for every step, so it must be the only thread in its process.

    python -m automatic_crashes DIRECTORY ACT
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as SqlEngine
from sqlalchemy import event, text

from sortition.lifecycle import Automatic, KillSwitch
from sortition.model import ExperimentStatus
from sortition.store import Database, sqlite_url
from unit.lifecycle.world import START, World

KEY = "search-strategy"
RATES = {
    "promote": {"old": 0.3, "new": 0.9},
    "rollback": {"old": 0.9, "new": 0.3},
    "hold": {"old": 0.9, "new": 0.3},
}
POLICY: dict[str, Any] = {
    "min_samples": 100,
    "max_samples": 200,
    "auto_promote": True,
    "auto_rollback": True,
    "expire": True,
}


class Steps:
    """Counts statements, commits and renamed files, and kills this process before one of them."""

    def __init__(self) -> None:
        self.left = -1
        event.listen(SqlEngine, "before_cursor_execute", lambda *_: self.step())
        event.listen(SqlEngine, "commit", lambda *_: self.step())
        sys.addaudithook(lambda name, _: self.step() if name in ("os.rename", "os.remove") else None)

    def step(self) -> None:
        if self.left > 0:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def prepare(directory: Path, act: str) -> dict[str, Any]:
    """Makes the state in which there is something to do; returns what is stored in it."""
    directory.mkdir()
    db = Database.open(sqlite_url(directory / "sortition.db"))
    world = World(db, directory)
    world.standing(ExperimentStatus.RUNNING, decision=POLICY)
    world.run(RATES[act])
    if act == "hold":
        switch(world, directory).look()
    else:
        world._flush()
    found = left(world, directory)
    db.close()
    return found


def switch(world: World, directory: Path) -> KillSwitch:
    return KillSwitch(world.engine, snapshot=directory / "snapshot.pb", kept=directory / "held", now=lambda: START)


def action(directory: Path, act: str) -> tuple[World, Callable[[], object]]:
    """Returns a sidecar over the state, and what is to be cut off."""
    world = World(Database.open(sqlite_url(directory / "sortition.db")), directory)
    mode = Automatic(world.db, flush=world._flush, changed=world._changed, now=lambda: START)
    world.keeper.refresh()
    if act != "hold":
        record = world.experiments.get("default", KEY)
        running = record.status is ExperimentStatus.RUNNING
        return world, (lambda: mode.step(record)) if running else (lambda: None)
    kill = switch(world, directory)
    kill.attach(world.db, mode, lambda: "test")

    def report() -> None:
        # Without what it has recorded it sees no harm again: this is about the report alone.
        kill._follow()
        kill.report()
        kill._follow()

    return world, report


def left(world: World, directory: Path) -> dict[str, Any]:
    """Returns what is stored."""
    with world.db.read() as tx:

        def rows(query: str) -> list[list[Any]]:
            return [list(row) for row in tx.execute(text(query))]

        found = {
            "experiment": rows("SELECT status, winner, shipped_version, revision FROM experiments"),
            "decisions": rows("SELECT kind, winner, act FROM decisions WHERE kind IN ('complete', 'hold')"),
            "versions": rows("SELECT number, origin, config FROM subject_versions ORDER BY number"),
            "current": rows("SELECT current FROM subjects"),
            "audit": rows("SELECT action FROM audit WHERE action NOT LIKE '%.reached' ORDER BY id"),
        }
    held = directory / "held"
    found["held"] = [[one["reported"]] for one in json.loads(held.read_bytes())["held"]] if held.exists() else []
    return found


def main(directory: Path, act: str) -> None:
    """Writes, for every step before which there was a kill, what was left and what it became."""
    before = prepare(directory / "template", act)
    steps = Steps()
    found: dict[str, Any] = {"before": before, "killed": [], "ended": []}
    for number in range(1, 1000):
        state = directory / f"state-{number}"
        shutil.copytree(directory / "template", state)
        child = os.fork()
        if child == 0:
            _, act_now = action(state, act)
            steps.left = number
            act_now()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if status and not killed:
            raise SystemExit(f"step {number}: the act failed with {status}")
        world, again = action(state, act)
        if killed:
            found["killed"].append(left(world, state))
        again()
        found["ended"].append(left(world, state))
        world.db.close()
        shutil.rmtree(state)
        if not killed:
            print(json.dumps(found))
            return
    raise SystemExit("it did not end")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
