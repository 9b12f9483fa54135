"""Completing: the decision is stored with its inputs, and a variant is shipped whole or not at all."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from sortition.analyzer.json import from_json
from sortition.errors import FailedPrecondition, InvalidArgument, ShipRefused, StoreUnavailable
from sortition.lifecycle import Actor, Experiments, recompute
from sortition.model import ExperimentStatus, JsonObject, canonical_json, config_hash
from sortition.model.names import CONFIG_BYTES
from sortition.store import audit, decisions, experiments, installation, subjects
from unit.lifecycle.world import World

CLEAR = {"old": 0.3, "new": 0.9}
EVEN = {"old": 0.5, "new": 0.5}
SILENT = Actor("ann")
CURRENT: JsonObject = {"model": "m", "limits": {"workers": 8, "depth": 1}}
SHIPPED: JsonObject = {"model": "m", "limits": {"workers": 2, "depth": 1}, "strategy": "all"}


def running(world: World, rates: dict[str, float]) -> None:
    world.subjects.create("default", world.ref, CURRENT, world.ann)
    world.standing(ExperimentStatus.RUNNING)
    world.run(rates)
    world.pass_time(days=1)


def test_the_winner_is_shipped_into_the_current_configuration(world: World) -> None:
    running(world, CLEAR)
    done = world.experiments.complete("default", "search-strategy", world.ann, ship=True)
    assert done.analysis.winner == "new"
    assert done.analysis.should_ship
    assert done.analysis.units == 300, "what was recorded last was flushed first"
    assert done.experiment.status is ExperimentStatus.COMPLETED
    assert (done.experiment.winner, done.experiment.shipped_version, done.experiment.ended_at) == ("new", 2, world.now)
    assert done.subject is not None
    version = done.subject.current
    assert version is not None
    assert (version.number, version.origin, version.experiment) == (2, "shipped", "search-strategy")
    assert version.config == SHIPPED
    assert version.config_hash == config_hash(SHIPPED)
    assert world.config() == SHIPPED
    assert world.experiments.get("default", "search-strategy") == done.experiment
    assert [action for _, action, _ in world.log()][-2:] == ["subject.promote", "experiment.complete"]


def test_a_rollback_brings_back_what_was_before_byte_for_byte(world: World) -> None:
    running(world, CLEAR)
    before = world.subjects.get("default", world.ref).current
    world.experiments.complete("default", "search-strategy", world.ann, ship=True)
    after = world.subjects.rollback("default", world.ref, world.ann).current
    assert before is not None
    assert after == before
    assert canonical_json(after.config) == canonical_json(CURRENT)


def test_without_shipping_the_subject_stays_as_it_is(world: World) -> None:
    running(world, CLEAR)
    done = world.experiments.complete("default", "search-strategy", world.ann)
    assert done.experiment.winner == "new"
    assert (done.subject, done.experiment.shipped_version) == (None, 0)
    assert world.config() == CURRENT


def test_a_paused_experiment_is_completed_and_shipped_too(world: World) -> None:
    running(world, CLEAR)
    world.experiments.pause("default", "search-strategy", world.ann)
    done = world.experiments.complete("default", "search-strategy", world.ann, ship=True)
    assert done.experiment.status is ExperimentStatus.COMPLETED
    assert world.config() == SHIPPED


@pytest.mark.parametrize(
    ("rates", "variant", "why"),
    [
        (EVEN, "", "has no winner to ship"),
        (EVEN, "new", "does not allow shipping 'new'"),
        (CLEAR, "old", "does not allow shipping 'old'"),
        ({"old": 0.9, "new": 0.3}, "new", "does not allow shipping 'new'"),
    ],
)
def test_what_the_analysis_forbids_is_refused_and_nothing_changes(
    world: World, rates: dict[str, float], variant: str, why: str
) -> None:
    running(world, rates)
    world.experiments.analyze("default", "search-strategy")
    stored = world.dump()
    with pytest.raises(ShipRefused, match=why) as caught:
        world.experiments.complete("default", "search-strategy", world.ann, ship=True, variant=variant)
    assert "force it with a reason" in caught.value.message
    assert world.dump() == stored


def test_too_little_data_is_refused(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    world.run(CLEAR, units=50)
    with pytest.raises(ShipRefused):
        world.experiments.complete("default", "search-strategy", world.ann, ship=True, variant="new")


def test_force_ships_and_makes_no_winner(world: World) -> None:
    running(world, EVEN)
    reason = Actor("ann", "the new one is cheaper to run")
    done = world.experiments.complete("default", "search-strategy", reason, ship=True, variant="new", force=True)
    assert done.experiment.winner == ""
    assert done.experiment.shipped_version == 2
    assert world.config() == SHIPPED
    [event], _ = world.audit.listing(action="experiment.complete", limit=10)
    assert event.reason == "the new one is cheaper to run"
    assert (event.details["shipped"], event.details["forced"], event.details["version"]) == ("new", True, 2)


def test_force_without_a_name_and_without_a_winner_has_nothing_to_ship(world: World) -> None:
    running(world, EVEN)
    with pytest.raises(ShipRefused, match="name a variant"):
        world.experiments.complete("default", "search-strategy", world.ann, ship=True, force=True)


@pytest.mark.parametrize(
    ("actor", "arguments", "fields"),
    [
        (SILENT, {"ship": True, "variant": "new", "force": True}, ["actor.reason"]),
        (Actor("ann", "  "), {"ship": True, "variant": "new", "force": True}, ["actor.reason"]),
        (SILENT, {"variant": "new"}, ["variant"]),
        (SILENT, {"variant": "new", "force": True}, ["variant", "force", "actor.reason"]),
        (SILENT, {"ship": True, "variant": "newest"}, ["variant"]),
        (Actor("n" * 129, "r" * 1025), {}, ["actor.name", "actor.reason"]),
    ],
)
def test_bad_requests_change_nothing(
    world: World, actor: Actor, arguments: dict[str, object], fields: list[str]
) -> None:
    running(world, CLEAR)
    world.experiments.analyze("default", "search-strategy")
    stored = world.dump()
    with pytest.raises(InvalidArgument) as caught:
        world.experiments.complete("default", "search-strategy", actor, **arguments)  # type: ignore[arg-type]
    assert [violation.field for violation in caught.value.violations] == fields
    assert world.dump() == stored


def test_another_experiment_that_rests_on_the_subject_is_in_the_way(world: World) -> None:
    world.standing(ExperimentStatus.PAUSED, key="second")
    running_first = world.standing(ExperimentStatus.RUNNING)
    world.run(CLEAR)
    with pytest.raises(FailedPrecondition, match="'second' is paused on subject agent/search-agent"):
        world.experiments.complete("default", running_first.spec.key, world.ann, ship=True)
    assert world.experiments.get("default", running_first.spec.key).status is ExperimentStatus.RUNNING
    world.experiments.complete("default", running_first.spec.key, world.ann, ship=True, force=True)
    [event], _ = world.audit.listing(object="subject/agent/search-agent", action="subject.promote", limit=1)
    assert event.details["active_experiments"] == ["search-strategy", "second"]


def test_a_result_beyond_the_limit_is_refused(world: World) -> None:
    running(world, CLEAR)
    large: JsonObject = {"text": "x" * (CONFIG_BYTES - 20)}
    version = world.subjects.add_version("default", world.ref, large, world.ann)
    with pytest.raises(FailedPrecondition, match="the limit is 262144"):
        world.subjects.promote("default", world.ref, version.number, world.ann, force=True)
    assert world.config() == CURRENT


def test_an_experiment_is_not_completed_when_its_records_cannot_be_flushed(world: World) -> None:
    running(world, CLEAR)
    stored = world.dump()

    def away() -> None:
        raise StoreUnavailable("the database is away")

    lifecycle = Experiments(world.db, flush=away, changed=lambda: None, now=lambda: world.now)
    with pytest.raises(StoreUnavailable):
        lifecycle.complete("default", "search-strategy", world.ann, ship=True)
    assert world.dump() == stored


STEPS: list[tuple[ModuleType, str]] = [
    (installation, "touch"),
    (decisions, "insert"),
    (subjects, "add_version"),
    (subjects, "promote"),
    (experiments, "save"),
    (audit, "append"),
]


@pytest.mark.parametrize(("module", "step"), STEPS, ids=[step for _, step in STEPS])
def test_a_crash_behind_any_step_leaves_nothing_half_done(
    world: World, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    running(world, CLEAR)
    world.experiments.analyze("default", "search-strategy")
    stored, version = world.dump(), world.engine.snapshot_version
    real = getattr(module, step)

    def crash(*given: object, **named: object) -> None:
        real(*given, **named)
        raise RuntimeError("crash")

    monkeypatch.setattr(module, step, crash)
    with pytest.raises(RuntimeError, match="crash"):
        world.experiments.complete("default", "search-strategy", world.ann, ship=True)
    monkeypatch.undo()
    assert world.dump() == stored
    assert world.engine.snapshot_version == version
    done = world.experiments.complete("default", "search-strategy", world.ann, ship=True)
    assert done.experiment.shipped_version == 2


def test_the_decision_can_be_computed_again_from_its_row(world: World) -> None:
    running(world, CLEAR)
    done = world.experiments.complete("default", "search-strategy", world.ann)
    with world.db.read() as tx:
        record = world.experiments.get("default", "search-strategy")
        decision = decisions.latest(tx, record.id)
    assert decision is not None
    assert decision.id == done.decision_id
    assert (decision.kind, decision.winner, decision.should_ship, decision.at) == ("complete", "new", True, world.now)
    assert repr(from_json(decision.result)) == repr(done.analysis)
    assert repr(recompute(decision)) == repr(done.analysis)
    # Through text, as another program would read it.
    assert json.loads(json.dumps(decision.inputs)) == decision.inputs


def test_a_decision_does_not_move_when_an_outcome_comes_late(world: World) -> None:
    running(world, CLEAR)
    live = world.experiments.analyze("default", "search-strategy")
    with world.db.read() as tx:
        before = decisions.latest(tx, world.experiments.get("default", "search-strategy").id, "complete")
    assert before is None
    # Recorded in time at a sidecar that could not flush before the experiment was completed elsewhere.
    world.run({"old": 1.0, "new": 0.0}, units=400)
    elsewhere = Experiments(world.db, flush=lambda: None, changed=lambda: None, now=lambda: world.now)
    done = elsewhere.complete("default", "search-strategy", world.ann)
    assert done.analysis.units == live.units
    again = world.experiments.analyze("default", "search-strategy")
    assert repr(again) == repr(done.analysis)
    assert repr(world.experiments.status("default", "search-strategy").analysis) == repr(done.analysis)
