"""Subjects: versions, promotion, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sortition.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from sortition.lifecycle import Actor
from sortition.model import ExperimentStatus, JsonObject, SubjectRef, canonical_json, config_hash
from sortition.model.names import CONFIG_BYTES
from unit.lifecycle.world import World

FIRST: JsonObject = {"model": "m", "prompt": "Grüße, {name}", "t": 0.1}
SECOND: JsonObject = {"model": "n"}
LARGE: JsonObject = {"text": "x" * (CONFIG_BYTES - 50)}
LIVE = [ExperimentStatus.RUNNING, ExperimentStatus.PAUSED]
IDLE = [status for status in ExperimentStatus if status not in LIVE]


def made(world: World) -> None:
    world.subjects.create("default", world.ref, FIRST, world.ann, description="finds things")
    world.subjects.add_version("default", world.ref, SECOND, world.ann, note="cheaper")


def test_a_subject_is_created_with_its_first_version(world: World) -> None:
    subject = world.subjects.create("default", world.ref, FIRST, world.ann, description="finds things")
    assert world.subjects.get("default", world.ref) == subject
    assert subject.description == "finds things"
    assert subject.current is not None
    assert (subject.current.number, subject.current.origin, subject.current.config) == (1, "created", FIRST)
    assert subject.current.config_hash == config_hash(FIRST)
    assert subject.created_at == subject.current.created_at == world.now
    assert world.events == ["changed"]


def test_a_name_is_taken_once(world: World) -> None:
    world.create()
    stored = world.dump()
    with pytest.raises(AlreadyExists, match="agent/search-agent exists already"):
        world.subjects.create("default", world.ref, FIRST, world.ann)
    assert world.dump() == stored
    assert world.subjects.create("acme", world.ref, FIRST, world.ann).organization == "acme"


def test_everything_is_refused_at_once(world: World) -> None:
    stored = world.dump()
    bad: Any = {"a": float("nan")}
    with pytest.raises(InvalidArgument) as caught:
        world.subjects.create("A B", world.ref, bad, Actor("n" * 129), description="d" * 8193)
    assert [violation.field for violation in caught.value.violations] == [
        "organization",
        "config",
        "description",
        "actor.name",
    ]
    world.subjects.create("default", world.ref, FIRST, world.ann)
    with pytest.raises(InvalidArgument) as caught:
        world.subjects.add_version("default", world.ref, {"text": "x" * CONFIG_BYTES}, world.ann, note="n" * 8193)
    assert [violation.field for violation in caught.value.violations] == ["config", "note"]
    assert world.dump() != stored
    assert [version.number for version in world.subjects.versions("default", world.ref, limit=9)[0]] == [1]


def test_a_version_is_added_without_becoming_current(world: World) -> None:
    made(world)
    assert world.config() == FIRST
    versions, token = world.subjects.versions("default", world.ref, limit=10)
    assert [(version.number, version.origin, version.note) for version in versions] == [
        (2, "added", "cheaper"),
        (1, "created", ""),
    ]
    assert token == ""


def test_promotion_and_the_way_back_step_by_step(world: World) -> None:
    made(world)
    third = world.subjects.add_version("default", world.ref, {}, world.ann, promote=True)
    world.subjects.promote("default", world.ref, 2, world.ann)
    assert world.config() == SECOND
    for expected in ({}, FIRST):
        current = world.subjects.rollback("default", world.ref, world.ann).current
        assert current is not None
        assert canonical_json(current.config) == canonical_json(expected)
        assert current.config_hash == config_hash(expected)
    stored = world.dump()
    with pytest.raises(FailedPrecondition, match="no promotion to roll back"):
        world.subjects.rollback("default", world.ref, world.ann)
    assert world.dump() == stored
    assert third.number == 3
    details = [event.details for event in world.audit.listing(action="subject.rollback", limit=9)[0]]
    assert [(step["from"], step["to"]) for step in details] == [(3, 1), (2, 3)]


def test_what_is_current_is_not_promoted_again(world: World) -> None:
    made(world)
    with pytest.raises(FailedPrecondition, match="version 1 of subject agent/search-agent is current already"):
        world.subjects.promote("default", world.ref, 1, world.ann)


@pytest.mark.parametrize("number", [0, 3, 2**40])
def test_a_version_that_is_not_there(world: World, number: int) -> None:
    made(world)
    with pytest.raises(NotFound, match=f"has no version {number}"):
        world.subjects.promote("default", world.ref, number, world.ann)


def test_a_subject_that_is_not_there(world: World) -> None:
    made(world)
    other = SubjectRef(kind="agent", id="other")
    for act in (
        lambda: world.subjects.get("default", other),
        lambda: world.subjects.get("acme", world.ref),
        lambda: world.subjects.versions("default", other, limit=1),
        lambda: world.subjects.promote("default", other, 1, world.ann),
        lambda: world.subjects.rollback("default", other, world.ann),
        lambda: world.subjects.add_version("default", other, {}, world.ann),
    ):
        with pytest.raises(NotFound, match="there is no subject"):
            act()


@pytest.mark.parametrize("status", LIVE)
def test_no_version_becomes_current_below_a_live_experiment(world: World, status: ExperimentStatus) -> None:
    made(world)
    world.standing(status)
    stored = world.dump()
    verb = "runs" if status is ExperimentStatus.RUNNING else "is paused"
    for act in (
        lambda: world.subjects.promote("default", world.ref, 2, world.ann),
        lambda: world.subjects.add_version("default", world.ref, {}, world.ann, promote=True),
    ):
        with pytest.raises(FailedPrecondition, match=f"'search-strategy' {verb} on subject agent/search-agent"):
            act()
        assert world.dump() == stored
    assert world.subjects.add_version("default", world.ref, {}, world.ann).number == 3


@pytest.mark.parametrize("status", IDLE)
def test_other_experiments_are_not_in_the_way(world: World, status: ExperimentStatus) -> None:
    made(world)
    world.standing(status)
    assert world.subjects.promote("default", world.ref, 2, world.ann).current is not None
    assert world.config() == SECOND


def test_force_needs_a_reason_and_leaves_a_trace(world: World) -> None:
    made(world)
    world.standing(ExperimentStatus.RUNNING)
    with pytest.raises(InvalidArgument) as caught:
        world.subjects.promote("default", world.ref, 2, Actor("ann"), force=True)
    assert [violation.field for violation in caught.value.violations] == ["actor.reason"]
    world.subjects.promote("default", world.ref, 2, world.ann, force=True)
    [event], _ = world.audit.listing(action="subject.promote", limit=9)
    assert event.reason == "because"
    assert event.details == {
        "from": 1,
        "to": 2,
        "config_hash": config_hash(SECOND),
        "active_experiments": ["search-strategy"],
        "forced": True,
    }


@pytest.mark.parametrize("status", LIVE)
def test_the_way_back_is_open_while_an_experiment_is_live(world: World, status: ExperimentStatus) -> None:
    made(world)
    world.subjects.promote("default", world.ref, 2, world.ann)
    world.standing(status)
    world.subjects.rollback("default", world.ref, world.ann)
    assert world.config() == FIRST
    assert world.keeper.refresh()
    [event], _ = world.audit.listing(action="subject.rollback", limit=9)
    assert event.details["active_experiments"] == ["search-strategy"]


def test_no_way_leads_to_a_snapshot_that_would_not_load(world: World) -> None:
    world.subjects.create("default", world.ref, LARGE, world.ann)
    world.subjects.add_version("default", world.ref, {}, world.ann, promote=True)
    world.standing(ExperimentStatus.RUNNING)
    stored = world.dump()
    acts: list[Callable[[], object]] = [
        lambda: world.subjects.rollback("default", world.ref, world.ann),
        lambda: world.subjects.promote("default", world.ref, 1, world.ann, force=True),
    ]
    for act in acts:
        with pytest.raises(FailedPrecondition, match="'search-strategy': the configuration of variant 'new' has"):
            act()
    assert world.dump() == stored
    world.experiments.cancel("default", "search-strategy", world.ann)
    world.subjects.rollback("default", world.ref, world.ann)
    assert world.engine.snapshot_version == world.version()


def test_subjects_are_listed_by_kind_and_id(world: World) -> None:
    for kind, id in (("prompt", "b"), ("agent", "z"), ("prompt", "a")):
        world.subjects.create("default", SubjectRef(kind=kind, id=id), {}, world.ann)
    world.subjects.create("acme", SubjectRef(kind="prompt", id="c"), {}, world.ann)
    first, token = world.subjects.listing(organization="default", limit=2)
    second, end = world.subjects.listing(organization="default", limit=2, after=token)
    assert [str(subject.ref) for subject in (*first, *second)] == ["agent/z", "prompt/a", "prompt/b"]
    assert end == ""
    prompts, _ = world.subjects.listing(kind="prompt", limit=10)
    assert [str(subject.ref) for subject in prompts] == ["prompt/a", "prompt/b", "prompt/c"]
