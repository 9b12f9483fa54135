"""The loop of automatic mode: one leads, a dead one is followed, and one that slept does nothing any more."""

from __future__ import annotations

from typing import Any

import pytest

from sortition.errors import Conflict
from sortition.lifecycle import Automatic, Leader
from sortition.model import ExperimentStatus
from sortition.store import leases
from unit.lifecycle.world import World

KEY = "search-strategy"
WORSE = {"old": 0.9, "new": 0.3}
LEASE_S = 5.0


class Sidecar:
    """A loop with a clock of its own, which nobody else's is compared with."""

    def __init__(self, world: World, start: float) -> None:
        self.seconds = start
        self.automatic = Automatic(world.db, flush=world._flush, changed=world._changed, now=lambda: world.now)
        self.loop = Leader(world.db, self.automatic, lease_s=LEASE_S, clock=lambda: self.seconds)

    def tick(self, later_s: float = 0.0) -> bool:
        self.seconds += later_s
        self.loop.tick()
        return self.loop.leads


def begin(world: World, **policy: Any) -> None:
    world.standing(ExperimentStatus.RUNNING, decision={"min_samples": 100, "auto_rollback": True, **policy})


def status(world: World) -> ExperimentStatus:
    return world.experiments.get("default", KEY).status


def lease(world: World) -> leases.Lease:
    with world.db.read() as tx:
        return leases.read(tx, "automatic")


def test_it_acts_on_what_was_flushed(world: World) -> None:
    begin(world)
    one = Sidecar(world, 0)
    assert one.tick()
    assert status(world) is ExperimentStatus.RUNNING
    world.run(WORSE)
    world._flush()
    one.tick(1)
    assert status(world) is ExperimentStatus.COMPLETED


def test_without_a_policy_nobody_leads_and_nothing_is_written(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    before = world.dump()
    assert not Sidecar(world, 0).tick()
    assert world.dump() == before


def test_one_leads_at_a_time(world: World) -> None:
    begin(world)
    one, other = Sidecar(world, 1000), Sidecar(world, 0)
    assert one.tick()
    for _ in range(20):
        assert not other.tick(1)
        assert one.tick(1)


def test_a_dead_one_is_followed_after_its_lease_and_not_before(world: World) -> None:
    begin(world)
    one, other = Sidecar(world, 0), Sidecar(world, 77)
    assert one.tick()
    assert not other.tick()
    assert not other.tick(LEASE_S - 0.1)
    assert other.tick(0.2)
    assert lease(world).token == 2


def test_one_that_ends_is_followed_at_once(world: World) -> None:
    begin(world)
    one, other = Sidecar(world, 0), Sidecar(world, 0)
    assert one.tick()
    one.loop.stop()
    assert other.tick()


def test_one_that_slept_through_the_loss_of_its_lease_does_nothing(world: World) -> None:
    begin(world)
    one, other = Sidecar(world, 0), Sidecar(world, 0)
    assert one.tick()
    old = lease(world)
    other.tick()
    assert other.tick(LEASE_S)
    world.run(WORSE)
    world._flush()
    before = world.dump()
    with pytest.raises(Conflict, match="was taken by another sidecar"):
        one.automatic.step(world.experiments.get("default", KEY), lease=old)
    after = world.dump()
    # What a look reaches is kept whoever looks; the experiment is as it was.
    assert after["experiments"] == before["experiments"]
    assert after["subject_versions"] == before["subject_versions"]
    # Its clock says that its lease still holds; the database says otherwise.
    with pytest.raises(Conflict):
        one.tick()
    assert not one.loop.leads
    assert status(world) is ExperimentStatus.RUNNING
    other.tick(1)
    assert status(world) is ExperimentStatus.COMPLETED


def test_time_alone_lets_expire(world: World) -> None:
    begin(world, expire=True, max_days=1)
    one = Sidecar(world, 0)
    one.tick()
    world.pass_time(days=1)
    one.tick(1)
    assert status(world) is ExperimentStatus.RUNNING, "nothing was recorded: it is looked at less often"
    one.tick(30)
    assert status(world) is ExperimentStatus.COMPLETED
