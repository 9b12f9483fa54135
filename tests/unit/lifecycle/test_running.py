"""Starting: the first allocation, and one running experiment on a subject."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from sortition.errors import FailedPrecondition
from sortition.lifecycle import Actor, Experiments
from sortition.lifecycle.allocation import first_allocation
from sortition.model import ExperimentStatus, SubjectRef
from sortition.model.names import CONFIG_BYTES
from sortition.store import Database
from sortition.store import experiments as rows
from unit.lifecycle.world import World

OTHER = SubjectRef(kind="agent", id="other-agent")


def arms(*weights: object) -> list[dict[str, Any]]:
    return [{"name": f"v{index}", "weight": weight, "control": not index} for index, weight in enumerate(weights)]


@pytest.mark.parametrize(
    ("weights", "ranges"),
    [
        ((50, 50), ((5000, 0), (10000, 1))),
        (("33.33", "33.33", "33.34"), ((3333, 0), (6666, 1), (10000, 2))),
        ((0, 100), ((10000, 1),)),
        ((100, 0), ((10000, 0),)),
        ((30, 0, 70), ((3000, 0), (10000, 2))),
        (("0.01", "99.99"), ((1, 0), (10000, 1))),
    ],
)
def test_weights_become_ranges_in_declared_order(
    world: World, weights: tuple[object, ...], ranges: tuple[tuple[int, int], ...]
) -> None:
    allocation = first_allocation(world.spec(variants=arms(*weights)))
    assert allocation.generation == 1
    assert allocation.ranges == ranges


def test_the_allocation_is_made_at_the_first_start_and_kept(world: World) -> None:
    world.create()
    started = world.experiments.start("default", "search-strategy", world.ann)
    assert started.allocations == (first_allocation(started.spec),)
    world.pass_time(hours=1)
    world.experiments.pause("default", "search-strategy", world.ann)
    resumed = world.experiments.start("default", "search-strategy", world.ann)
    assert resumed.allocations == started.allocations
    assert resumed.started_at == started.started_at
    assert world.experiments.get("default", "search-strategy") == resumed


def test_a_second_experiment_on_the_subject_does_not_start(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    world.create(key="second")
    stored = world.dump()
    with pytest.raises(FailedPrecondition, match="'search-strategy' runs on subject agent/search-agent already"):
        world.experiments.start("default", "second", world.ann)
    assert world.dump() == stored


def test_other_subjects_and_organizations_are_not_in_the_way(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    for replaced in ({"key": "second", "subject": OTHER}, {"organization": "acme"}):
        record = world.create(**replaced)
        started = world.experiments.start(record.spec.organization, record.spec.key, world.ann)
        assert started.status is ExperimentStatus.RUNNING


def test_a_paused_experiment_lets_another_one_run_and_then_waits_for_it(world: World) -> None:
    world.standing(ExperimentStatus.PAUSED)
    world.standing(ExperimentStatus.RUNNING, key="second")
    for act in (world.experiments.resume, world.experiments.start):
        with pytest.raises(FailedPrecondition, match="'second' runs on subject"):
            act("default", "search-strategy", world.ann)
    world.experiments.cancel("default", "second", world.ann)
    assert world.experiments.resume("default", "search-strategy", world.ann).status is ExperimentStatus.RUNNING


def test_two_starts_at_once_are_told_apart_by_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.standing(ExperimentStatus.RUNNING)
    world.create(key="second")
    stored = world.dump()
    # As if the other start were not visible yet.
    monkeypatch.setattr(rows, "active", lambda *_: [])
    with pytest.raises(FailedPrecondition, match="another experiment is running on subject agent/search-agent"):
        world.experiments.start("default", "second", world.ann)
    assert world.dump() == stored


def test_of_many_starts_at_once_one_succeeds(world: World) -> None:
    keys = [world.create(key=f"k{number}").spec.key for number in range(6)]
    gate = Barrier(len(keys), timeout=30)

    def start(key: str) -> str:
        db = Database.open(world.url)
        sidecar = Experiments(db, flush=lambda: None, changed=lambda: None, now=lambda: world.now)
        try:
            gate.wait()
            return sidecar.start("default", key, world.ann).spec.key
        except FailedPrecondition:
            return ""
        finally:
            db.close()

    with ThreadPoolExecutor(len(keys)) as threads:
        started = [key for key in threads.map(start, keys) if key]
    assert len(started) == 1
    running, _ = world.experiments.listing(statuses=[ExperimentStatus.RUNNING], limit=10)
    assert [record.spec.key for record in running] == started


def test_the_active_experiment_is_the_running_one_else_the_paused_one(world: World) -> None:
    assert world.experiments.active("default", world.ref) is None
    world.standing(ExperimentStatus.PAUSED)
    first = world.experiments.active("default", world.ref)
    assert first is not None
    assert first.spec.key == "search-strategy"
    world.standing(ExperimentStatus.RUNNING, key="second")
    second = world.experiments.active("default", world.ref)
    assert second is not None
    assert second.spec.key == "second"
    assert world.experiments.active("default", OTHER) is None


def test_a_draft_that_outgrew_the_limit_does_not_start(world: World) -> None:
    world.create()
    world.subjects.add_version("default", world.ref, {"text": "x" * (CONFIG_BYTES - 20)}, world.ann, promote=True)
    assert world.keeper.refresh(), "the draft keeps no snapshot from loading"
    stored = world.dump()
    with pytest.raises(FailedPrecondition, match=r"the configuration of variant 'old' has 2621\d\d bytes"):
        world.experiments.start("default", "search-strategy", world.ann)
    assert world.dump() == stored


def test_answers_follow_each_step_at_once(world: World) -> None:
    world.subjects.create("default", world.ref, {"model": "m", "limits": {"depth": 1}}, world.ann)
    world.create(
        variants=[{"name": "a", "weight": 0, "control": True}, {"name": "b", "weight": 100, "config": {"x": 1}}]
    )

    def answer() -> tuple[str | None, bytes]:
        given = world.engine.assign_unit("search-strategy", "u", now_ms=world.now_ms)
        return given.variant, given.config

    current = b'{"limits":{"depth":1},"model":"m"}'
    assert answer() == (None, current)
    world.experiments.start("default", "search-strategy", world.ann)
    assert answer() == ("b", b'{"limits":{"depth":1},"model":"m","x":1}')
    world.experiments.pause("default", "search-strategy", world.ann)
    assert answer() == ("a", current)
    world.experiments.resume("default", "search-strategy", world.ann)
    assert answer()[0] == "b"
    world.experiments.complete("default", "search-strategy", Actor("ann", "test"), ship=True, variant="b", force=True)
    assert answer() == (None, b'{"limits":{"depth":1},"model":"m","x":1}')
    world.subjects.rollback("default", world.ref, world.ann)
    assert answer() == (None, current)
