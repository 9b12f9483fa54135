"""Every fault once on each database, one after the other on the same sidecar: nothing is lost and nothing doubled."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.catalogue import FAULTS, Fault
from faults.run import run
from faults.world import World
from postgres import PostgresServer

# These need a world of their own.
APART = ("overload", "migration", "name", "full")
# What strikes the log strikes it whatever the database is; the campaign tries both all the same.
WITH_POSTGRESQL = ("kill", "flush", "away", "frozen", "commit", "server", "name", "sigterm-away", "migration")
CASES = [
    pytest.param(fault, database, id=f"{database}-{fault.name}")
    for database in ("sqlite", "postgresql")
    for fault in FAULTS.values()
    if database in fault.databases and (database == "sqlite" or fault.name in WITH_POSTGRESQL)
]


class Worlds:
    """One world for each database, until something went wrong in it."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="sortition-faults-"))
        self._made: dict[str, World] = {}
        self._count = 0

    def get(self, database: str, server: PostgresServer | None) -> World:
        """Returns the world, begun."""
        if database not in self._made:
            self._count += 1
            home = self._home / str(self._count)
            home.mkdir()
            self._made[database] = World(home, server=server, seed=self._count, dated=False, proxied=True, drain_s=4)
            self._made[database].begin()
        return self._made[database]

    def discard(self, database: str) -> None:
        """Ends a world in which something is wrong already."""
        if database in self._made:
            self._made.pop(database).end()

    def end(self) -> None:
        """Ends them all."""
        for database in list(self._made):
            self.discard(database)
        shutil.rmtree(self._home, ignore_errors=True)


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    made = Worlds()
    yield made
    made.end()


@pytest.mark.parametrize(("fault", "database"), CASES)
def test_nothing_is_lost_and_nothing_doubled(
    fault: Fault, database: str, worlds: Worlds, postgres: PostgresServer
) -> None:
    server = postgres if database == "postgresql" else None
    if fault.name in APART:
        if not fault.available:
            # It is part of the campaign where there is root; everywhere else "no-space" stands for it.
            assert FAULTS["no-space"] in [case.values[0] for case in CASES]
            return
        result = run(fault, 1, server=server, seed=1)
        assert result.right, result.wrong
        assert result.compared > 0
        return
    world = worlds.get(database, server)
    before = world.clients.acknowledged
    try:
        fault.cycle(world)
        verdict = world.look()
        assert verdict.right, str(verdict)
        assert world.clients.acknowledged > before
        assert verdict.observations > 0
    except BaseException:
        worlds.discard(database)
        raise


def test_every_fault_is_tried() -> None:
    assert {case.values[0].name for case in CASES} == FAULTS.keys()  # type: ignore[union-attr]
    assert FAULTS.keys() > {*APART, *WITH_POSTGRESQL}


def test_a_drain_leaves_nothing_behind(worlds: Worlds) -> None:
    world = worlds.get("sqlite", None)
    world.up()
    world.clients.wait_for(50)
    verdict = world.check()
    assert verdict.right, str(verdict)
