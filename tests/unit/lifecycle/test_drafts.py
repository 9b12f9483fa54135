"""Drafts: created, checked, updated."""

from __future__ import annotations

from typing import Any

import pytest

from sortition.errors import AlreadyExists, Conflict, FailedPrecondition, InvalidArgument, NotFound
from sortition.lifecycle import Actor
from sortition.model import ExperimentStatus, JsonObject, SubjectRef
from sortition.model.names import CONFIG_BYTES
from unit.lifecycle.world import World

BULKY: JsonObject = {"text": "x" * (CONFIG_BYTES - 100)}


def arms(config: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "old", "weight": 50, "control": True}, {"name": "new", "weight": 50, "config": config}]


def test_a_draft_is_stored_with_its_subject(world: World) -> None:
    record = world.create()
    assert world.experiments.get("default", "search-strategy") == record
    assert record.status is ExperimentStatus.DRAFT
    assert (record.created_at, record.started_at, record.allocations) == (world.now, None, ())
    subject = world.subjects.get("default", world.ref)
    assert subject.current is not None
    assert (subject.current.number, subject.current.config, subject.current.origin) == (1, {}, "created")
    assert [action for _, action, _ in world.log()] == ["subject.create", "experiment.create"]


def test_a_subject_that_is_there_keeps_its_configuration(world: World) -> None:
    world.subjects.create("default", world.ref, {"model": "m"}, world.ann)
    world.create()
    assert world.config() == {"model": "m"}


def test_ids_are_random_unless_a_test_says_otherwise(world: World) -> None:
    from sortition.lifecycle import Experiments

    plain = Experiments(world.db, flush=lambda: None, changed=lambda: None, now=lambda: world.now)
    ids = {plain.create(world.spec(key=f"k{number}"), world.ann).id for number in range(3)}
    assert len(ids) == 3
    assert all(len(id) == 16 and int(id, 16) >= 0 for id in ids)


def test_checking_stores_nothing(world: World) -> None:
    stored = world.dump()
    record = world.experiments.create(world.spec(), world.ann, validate_only=True)
    assert (record.spec, record.status) == (world.spec(), ExperimentStatus.DRAFT)
    assert world.dump() == stored
    assert world.events == []


@pytest.mark.parametrize("validate_only", [False, True])
def test_a_key_is_taken_once_in_an_organization(world: World, validate_only: bool) -> None:
    world.create()
    world.create(organization="acme")
    stored = world.dump()
    with pytest.raises(AlreadyExists, match="'search-strategy' is taken in 'default'") as caught:
        world.experiments.create(world.spec(), world.ann, validate_only=validate_only)
    assert [violation.field for violation in caught.value.violations] == ["key"]
    assert world.dump() == stored


def test_the_key_of_an_archived_experiment_stays_taken(world: World) -> None:
    world.standing(ExperimentStatus.CANCELLED, archived=True)
    with pytest.raises(AlreadyExists):
        world.create()


@pytest.mark.parametrize("validate_only", [False, True])
def test_everything_is_refused_at_once(world: World, validate_only: bool) -> None:
    world.subjects.create("default", world.ref, BULKY, world.ann)
    world.create()
    stored = world.dump()
    spec = world.spec(variants=arms({"more": "y" * 200}))
    with pytest.raises(InvalidArgument) as caught:
        world.experiments.create(spec, Actor("n" * 129, "ä" * 513), validate_only=validate_only)
    assert {violation.field for violation in caught.value.violations} == {
        "variants[1].config",
        "actor.name",
        "actor.reason",
        "key",
    }
    assert "1026 bytes; the limit is 1024" in caught.value.message
    assert "over that of agent/search-agent; the limit is 262144" in caught.value.message
    assert world.dump() == stored


def test_an_actor_at_the_limits_is_accepted(world: World) -> None:
    world.experiments.create(world.spec(), Actor("n" * 128, "r" * 1024))
    [event, _], _ = world.audit.listing(limit=10)
    assert (event.actor, event.reason) == ("n" * 128, "r" * 1024)


def test_a_draft_is_replaced_whole(world: World) -> None:
    before = world.create()
    other = SubjectRef(kind="prompt", id="greeting")
    spec = world.spec(hypothesis="better", subject=other)
    after = world.experiments.update(spec, before.revision, world.ann)
    assert (after.id, after.spec, after.status) == (before.id, spec, ExperimentStatus.DRAFT)
    assert world.experiments.get("default", "search-strategy") == after
    assert world.subjects.get("default", other).current is not None
    [event], _ = world.audit.listing(action="experiment.update", limit=10)
    assert event.details == {"spec_hash": spec.hash, "spec_hash_before": before.spec.hash}


def test_a_change_based_on_an_old_revision_is_refused(world: World) -> None:
    first = world.create()
    world.experiments.update(world.spec(hypothesis="one"), first.revision, world.ann)
    stored = world.dump()
    with pytest.raises(Conflict, match="read it again"):
        world.experiments.update(world.spec(hypothesis="two"), first.revision, world.ann)
    assert world.dump() == stored
    overwritten = world.experiments.update(world.spec(hypothesis="two"), 0, world.ann)
    assert overwritten.spec.hypothesis == "two"


@pytest.mark.parametrize("status", [status for status in ExperimentStatus if status is not ExperimentStatus.DRAFT])
def test_only_a_draft_is_updated(world: World, status: ExperimentStatus) -> None:
    world.standing(status)
    stored = world.dump()
    with pytest.raises(FailedPrecondition, match=f"is {status}, and only a draft can be updated"):
        world.experiments.update(world.spec(hypothesis="other"), 0, world.ann)
    assert world.dump() == stored


def test_an_update_is_checked_like_a_new_one(world: World) -> None:
    world.subjects.create("default", world.ref, BULKY, world.ann)
    world.create()
    stored = world.dump()
    with pytest.raises(InvalidArgument) as caught:
        world.experiments.update(world.spec(variants=arms({"more": "y" * 200})), 0, Actor("n" * 129))
    assert [violation.field for violation in caught.value.violations] == [
        "variants[1].config",
        "actor.name",
    ]
    assert world.dump() == stored


def test_an_update_of_nothing(world: World) -> None:
    with pytest.raises(NotFound):
        world.experiments.update(world.spec(), 0, world.ann)
