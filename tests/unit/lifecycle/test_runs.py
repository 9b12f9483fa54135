"""Runs of the same question: each has a key, assignments, data and a registration of its own."""

from __future__ import annotations

from typing import Any

import pytest

from sortition.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from sortition.lifecycle import Experiments
from sortition.model import ExperimentStatus
from sortition.store.records import ExperimentRecord
from unit.lifecycle.world import World

KEY = "search-strategy"


def rerun(world: World, key: str = KEY, **replaced: Any) -> ExperimentRecord:
    spec = world.spec(**{"key": key, **replaced}) if replaced else None
    return world.experiments.rerun("default", key, world.ann, spec)


def test_a_run_follows_the_one_before(world: World) -> None:
    first = world.standing(ExperimentStatus.COMPLETED)
    second = rerun(world)
    assert (second.spec.key, second.status, second.id != first.id) == (f"{KEY}.run2", ExperimentStatus.DRAFT, True)
    assert second.spec == first.spec.model_copy(update={"key": f"{KEY}.run2"})
    assert second == world.experiments.get("default", f"{KEY}.run2")
    world.experiments.start("default", f"{KEY}.run2", world.ann)
    # From any run, the next one is behind all of them.
    third = rerun(world, f"{KEY}.run2", hypothesis="Now it will.", decision={"min_samples": 200})
    assert (third.spec.key, third.run.number, third.spec.hypothesis) == (f"{KEY}.run3", 3, "Now it will.")
    named = [world.experiments.get("default", key) for key in (KEY, f"{KEY}.run2", f"{KEY}.run3")]
    assert [(record.run.number, record.run.of) for record in named] == [(1, 3), (2, 3), (3, 3)]
    assert {record.run.keys for record in named} == {(KEY, f"{KEY}.run2", f"{KEY}.run3")}
    listed, _ = world.experiments.listing(limit=10)
    assert sorted(record.run.number for record in listed) == [1, 2, 3]


def test_a_run_can_have_a_key_of_its_own(world: World) -> None:
    world.standing(ExperimentStatus.CANCELLED)
    own = world.experiments.rerun("default", KEY, world.ann, world.spec(key="again"))
    assert (own.spec.key, own.run.keys) == ("again", (KEY, "again"))


def test_runs_assign_independently_and_share_no_data(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    world.run({"old": 0.5, "new": 0.5}, units=2000)
    before = {unit: variant_of(world, KEY, unit) for unit in range(2000)}
    assert world.experiments.complete("default", KEY, world.ann).analysis.units == 2000
    second = rerun(world)
    world.experiments.start("default", second.spec.key, world.ann)
    assert world.experiments.analyze("default", second.spec.key).units == 0
    after = {unit: variant_of(world, second.spec.key, unit) for unit in range(2000)}
    # Of 2,000 fair coins, within five standard deviations of a half.
    assert abs(sum(before[unit] == after[unit] for unit in before) - 1000) < 112


def variant_of(world: World, key: str, unit: int) -> str | None:
    return world.engine.assign_unit(key, f"unit-{unit}", "default", now_ms=world.now_ms).variant


def test_a_run_has_a_registration_of_its_own(world: World) -> None:
    first = world.standing(ExperimentStatus.COMPLETED).registration
    second = world.experiments.start("default", rerun(world).spec.key, world.ann).registration
    assert first is not None
    assert second is not None
    assert first.hash != second.hash
    assert '"experiment":{"id":"default-2","run":2}' in second.document
    assert world.experiments.registered("default", f"{KEY}.run2").differences == ()


def test_drafts_are_no_runs_yet(world: World) -> None:
    world.create()
    stored = world.dump()
    with pytest.raises(FailedPrecondition, match=f"{KEY}' is a draft"):
        rerun(world)
    assert world.dump() == stored
    world.experiments.start("default", KEY, world.ann)
    rerun(world)
    with pytest.raises(FailedPrecondition, match=r"search-strategy\.run2' is a draft"):
        rerun(world)


@pytest.mark.parametrize(
    ("replaced", "error", "expected"),
    [
        ({"subject": {"kind": "agent", "id": "other"}}, InvalidArgument, "subject: is agent/other"),
        ({"key": "taken"}, AlreadyExists, "'taken' is taken"),
    ],
)
def test_a_run_is_about_the_same_and_takes_nobody_elses_key(
    world: World, replaced: dict[str, Any], error: type[Exception], expected: str
) -> None:
    world.standing(ExperimentStatus.COMPLETED)
    world.create(key="taken", subject={"kind": "agent", "id": "third"})
    stored = world.dump()
    with pytest.raises(error, match=expected):
        world.experiments.rerun("default", KEY, world.ann, world.spec(**replaced))
    assert world.dump() == stored


def test_keys_that_do_not_fit_or_are_taken_are_refused(world: World) -> None:
    long = "k" * 126
    world.standing(ExperimentStatus.COMPLETED, key=long)
    with pytest.raises(InvalidArgument, match="131 bytes; the limit is 128"):
        world.experiments.rerun("default", long, world.ann)
    world.standing(ExperimentStatus.COMPLETED)
    world.create(key=f"{KEY}.run2")
    with pytest.raises(InvalidArgument, match=r"search-strategy\.run2', which is taken"):
        rerun(world)
    with pytest.raises(NotFound):
        rerun(world, "nothing")


def test_a_run_waits_until_the_subject_is_free(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    key = rerun(world).spec.key
    with pytest.raises(FailedPrecondition, match="runs on subject"):
        world.experiments.start("default", key, world.ann)


def test_ids_are_the_salt_and_never_come_again(world: World) -> None:
    fresh = Experiments(world.db, flush=lambda: None, changed=lambda: None, now=lambda: world.now)
    first = fresh.create(world.spec(), world.ann)
    fresh.cancel("default", KEY, world.ann)
    assert fresh.rerun("default", KEY, world.ann).id != first.id
