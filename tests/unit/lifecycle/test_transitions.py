"""Every step from every status: allowed exactly where it is promised, and refused without a trace elsewhere."""

from __future__ import annotations

import pytest

from sortition.errors import IllegalTransition, NotFound
from sortition.model import ExperimentStatus
from unit.lifecycle.world import World

ACTS = ["start", "pause", "resume", "complete", "cancel", "archive"]
# What each act makes of each status, where it is allowed at all.
PROMISED = {
    ("draft", "start"): "running",
    ("draft", "cancel"): "cancelled",
    ("running", "pause"): "paused",
    ("running", "complete"): "completed",
    ("running", "cancel"): "cancelled",
    ("paused", "start"): "running",
    ("paused", "resume"): "running",
    ("paused", "complete"): "completed",
    ("paused", "cancel"): "cancelled",
    ("completed", "archive"): "completed",
    ("cancelled", "archive"): "cancelled",
}
NEXT = {
    "draft": "from draft it can become running or cancelled",
    "running": "from running it can become paused, completed or cancelled",
    "paused": "from paused it can become running, completed or cancelled",
    "completed": "from completed it can only be archived",
    "cancelled": "from cancelled it can only be archived",
}
TARGET = {
    "start": "running",
    "resume": "running",
    "pause": "paused",
    "complete": "completed",
    "cancel": "cancelled",
    "archive": "archived",
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("status", ExperimentStatus)
def test_each_act_from_each_status(world: World, status: ExperimentStatus, act: str) -> None:
    before = world.standing(status)
    world.pass_time(minutes=1)
    stored, version, events = world.dump(), world.version(), list(world.events)
    perform = getattr(world.experiments, act)
    promised = PROMISED.get((str(status), act))
    if promised is None:
        with pytest.raises(IllegalTransition) as caught:
            perform("default", before.spec.key, world.ann)
        assert f"is {status} and cannot be" in caught.value.message
        assert TARGET[act] in caught.value.message
        assert NEXT[str(status)] in caught.value.message
        assert world.dump() == stored
        assert "changed" not in world.events[len(events) :]
        return
    perform("default", before.spec.key, world.ann)
    after = world.experiments.get("default", before.spec.key)
    assert str(after.status) == promised
    assert after.id == before.id
    assert after.spec == before.spec
    assert after.revision == before.revision + 1
    assert world.log()[-1] == ("ann", f"experiment.{act}", "experiment/search-strategy")
    assert world.events[-1] == "changed"
    assert world.engine.snapshot_version == world.version() == version + 1


@pytest.mark.parametrize("status", [ExperimentStatus.COMPLETED, ExperimentStatus.CANCELLED])
@pytest.mark.parametrize("act", ACTS)
def test_nothing_leads_out_of_the_archive(world: World, status: ExperimentStatus, act: str) -> None:
    record = world.standing(status, archived=True)
    stored = world.dump()
    with pytest.raises(IllegalTransition, match="from archived it can go nowhere"):
        getattr(world.experiments, act)("default", record.spec.key, world.ann)
    assert world.dump() == stored


@pytest.mark.parametrize("act", ACTS)
def test_an_experiment_that_is_not_there(world: World, act: str) -> None:
    world.create()
    for organization, key in (("default", "other"), ("acme", "search-strategy")):
        with pytest.raises(NotFound, match=f"no experiment '{key}' in '{organization}'"):
            getattr(world.experiments, act)(organization, key, world.ann)


def test_the_times_of_a_life(world: World) -> None:
    created = world.now
    world.create()
    world.pass_time(hours=1)
    started = world.now
    world.experiments.start("default", "search-strategy", world.ann)
    world.pass_time(hours=1)
    world.experiments.pause("default", "search-strategy", world.ann)
    world.pass_time(hours=1)
    world.experiments.resume("default", "search-strategy", world.ann)
    world.pass_time(hours=1)
    ended = world.now
    world.experiments.complete("default", "search-strategy", world.ann)
    world.pass_time(hours=1)
    world.experiments.archive("default", "search-strategy", world.ann)
    record = world.experiments.get("default", "search-strategy")
    assert (record.created_at, record.started_at, record.ended_at) == (created, started, ended)
    assert record.archived_at == world.now
