"""Every act is on record: who, when, why."""

from __future__ import annotations

from sortition.lifecycle import ANONYMOUS, Actor
from unit.lifecycle.world import World


def test_each_act_leaves_one_row_in_its_own_transaction(world: World) -> None:
    key = "search-strategy"
    world.create()
    world.experiments.update(world.spec(hypothesis="x"), 0, world.ann)
    world.experiments.start("default", key, world.ann)
    world.experiments.pause("default", key, world.ann)
    world.experiments.resume("default", key, world.ann)
    world.experiments.complete("default", key, world.ann, ship=True, variant="new", force=True)
    world.experiments.archive("default", key, world.ann)
    world.subjects.rollback("default", world.ref, world.ann)
    world.subjects.add_version("default", world.ref, {}, world.ann, promote=True)
    world.create(key="second")
    world.experiments.cancel("default", "second", world.ann)
    assert [action for _, action, _ in world.log()] == [
        "subject.create",
        "experiment.create",
        "experiment.update",
        "experiment.start",
        "experiment.pause",
        "experiment.resume",
        "subject.promote",
        "experiment.complete",
        "experiment.archive",
        "subject.rollback",
        "subject.add_version",
        "subject.promote",
        "experiment.create",
        "experiment.cancel",
    ]
    events, _ = world.audit.listing(limit=100)
    assert {(event.actor, event.reason, event.organization) for event in events} == {("ann", "because", "default")}
    assert {event.object for event in events} == {
        "subject/agent/search-agent",
        "experiment/search-strategy",
        "experiment/second",
    }


def test_an_event_says_when_and_from_where_to_where(world: World) -> None:
    world.create()
    world.pass_time(hours=2)
    started = world.experiments.start("default", "search-strategy", world.ann)
    [event], _ = world.audit.listing(action="experiment.start", limit=10)
    assert event.at == world.now
    assert started.registration
    assert event.details == {"from": "draft", "to": "running", "registration": started.registration.hash}


def test_whoever_gives_no_name_is_anonymous(world: World) -> None:
    assert Actor().name == Actor("").name == ANONYMOUS == "anonymous"
    world.experiments.create(world.spec(), Actor(""))
    assert {actor for actor, _, _ in world.log()} == {"anonymous"}


def test_the_log_is_filtered_and_paged(world: World) -> None:
    world.create()
    world.create(organization="acme")
    world.create(key="second")
    ours, _ = world.audit.listing(organization="acme", limit=10)
    assert [event.action for event in ours] == ["experiment.create", "subject.create"]
    second, _ = world.audit.listing(object="experiment/second", limit=10)
    assert [event.object for event in second] == ["experiment/second"]
    first, token = world.audit.listing(action="experiment.create", limit=2)
    rest, end = world.audit.listing(action="experiment.create", limit=2, after=token)
    assert [event.id for event in (*first, *rest)] == sorted((event.id for event in (*first, *rest)), reverse=True)
    assert (len(first), len(rest), end) == (2, 1, "")
