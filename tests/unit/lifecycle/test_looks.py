"""What stays of a look: planned ones count, a decision that was reached is kept, and each can be computed again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sortition.analyzer.json import from_json
from sortition.analyzer.result import RecommendationKind
from sortition.errors import NotFound, ShipRefused
from sortition.lifecycle.decision import LOOK, REACHED
from sortition.lifecycle.replay import replay
from sortition.model import ExperimentStatus
from sortition.store import decisions
from unit.lifecycle.world import World

KEY = "search-strategy"
CLEAR = {"old": 0.2, "new": 0.8}
REVERSED = {"old": 0.9, "new": 0.1}
ALIKE = {"old": 0.5, "new": 0.5}
ONCE: dict[str, Any] = {"min_samples": 100, "policy": "fixed_horizon"}
PLANNED: dict[str, Any] = {"min_samples": 100, "policy": "group_sequential", "looks": [100, 600]}


def running(world: World, rates: dict[str, float], units: int = 300, **decision: Any) -> None:
    replaced: dict[str, Any] = {"decision": decision} if decision else {}
    world.standing(ExperimentStatus.RUNNING, **replaced)
    world.run(rates, units=units)


def kinds(world: World) -> list[str]:
    return [head.kind for head in world.experiments.decisions("default", KEY)]


def test_a_sequential_decision_is_kept_when_a_look_reaches_it(world: World) -> None:
    running(world, CLEAR)
    first = world.experiments.analyze("default", KEY)
    assert (first.settled, first.winner) == (True, "new")
    assert first.reached is not None
    (head,) = world.experiments.decisions("default", KEY)
    assert (head.kind, head.winner, head.should_ship, head.id) == (REACHED, "new", True, first.reached.id)
    assert world.log()[-1] == ("sortition", "experiment.reached", f"experiment/{KEY}")


def test_it_does_not_flip_back(world: World) -> None:
    running(world, CLEAR)
    first = world.experiments.analyze("default", KEY)
    world.pass_time(hours=1)
    world.run_from(REVERSED, 300, 2000)
    later = world.experiments.status("default", KEY).analysis
    assert later.comparisons[0].difference < 0 < first.comparisons[0].difference
    assert (later.winner, later.should_ship, later.settled) == ("new", True, False)
    assert later.reached == first.reached
    assert kinds(world) == [REACHED]
    done = world.experiments.complete("default", KEY, world.ann, ship=True)
    assert (done.experiment.winner, done.experiment.shipped_version) == ("new", 2)
    assert kinds(world) == ["complete", REACHED]


def test_an_experiment_that_was_completed_at_its_first_look_can_be_looked_at(world: World) -> None:
    running(world, CLEAR)
    done = world.experiments.complete("default", KEY, world.ann, ship=True)
    analysis = world.experiments.analyze("default", KEY)
    assert (analysis.winner, analysis.settled) == (done.experiment.winner, True) == ("new", True)
    assert world.experiments.status("default", KEY).analysis == analysis
    assert world.experiments.full_report("default", KEY).report.analysis == analysis
    assert kinds(world) == ["complete"]


def test_a_look_that_reaches_nothing_leaves_nothing(world: World) -> None:
    running(world, ALIKE)
    world.experiments.analyze("default", KEY)
    world.experiments.statuses(limit=10)
    assert kinds(world) == []
    assert "experiment.reached" not in {action for _, action, _ in world.log()}


def test_a_list_of_states_keeps_what_it_reaches_too(world: World) -> None:
    running(world, CLEAR)
    (report,), _ = world.experiments.statuses(limit=10)
    assert report.analysis.reached is not None
    assert kinds(world) == [REACHED]


def test_a_fixed_horizon_has_one_look(world: World) -> None:
    """The first from the horizon on: what it does not find is not found by looking again."""
    running(world, ALIKE, units=99, **ONCE)
    assert world.experiments.analyze("default", KEY).provisional
    assert kinds(world) == []
    with pytest.raises(ShipRefused, match="Need more data"):
        world.experiments.complete("default", KEY, world.ann, ship=True, variant="new")
    world.run_from(ALIKE, 99, 110)
    first = world.experiments.analyze("default", KEY)
    assert (first.recommendation_kind, first.settled) == (RecommendationKind.NOT_SIGNIFICANT, True)
    world.run_from(CLEAR, 110, 1500)
    later = world.experiments.analyze("default", KEY)
    assert later.comparisons[0].p_value < 0.001
    assert (later.recommendation_kind, later.winner) == (RecommendationKind.NOT_SIGNIFICANT, "")
    with pytest.raises(ShipRefused, match="Decided at"):
        world.experiments.complete("default", KEY, world.ann, ship=True, variant="new")


def test_an_early_look_at_a_fixed_horizon_decides_nothing(world: World) -> None:
    running(world, CLEAR, units=99, **ONCE)
    for _ in range(3):
        early = world.experiments.analyze("default", KEY)
        assert (early.provisional, early.winner, early.settled) == (True, "", False)
    assert kinds(world) == []


def test_planned_looks_are_counted(world: World) -> None:
    running(world, ALIKE, units=120, **PLANNED)
    first = world.experiments.analyze("default", KEY)
    assert [look.units for look in first.looks] == [120, 0]
    assert kinds(world) == [LOOK]
    # Another glance is not another look.
    glance = world.experiments.analyze("default", KEY)
    assert (glance.provisional, [look.units for look in glance.looks]) == (True, [120, 0])
    assert kinds(world) == [LOOK]
    world.pass_time(hours=1)
    world.run_from(CLEAR, 120, 640)
    last = world.experiments.analyze("default", KEY)
    assert ([look.units for look in last.looks], last.winner) == ([120, 640], "new")
    assert kinds(world) == [REACHED, LOOK]


@pytest.mark.parametrize("decision", [{"min_samples": 100}, ONCE, {**PLANNED, "looks": [100, 250]}])
def test_every_decision_is_computed_again_to_the_last_bit(world: World, decision: dict[str, Any]) -> None:
    running(world, {"old": 0.31, "new": 0.77}, units=211, **decision)
    world.experiments.analyze("default", KEY)
    world.pass_time(hours=3)
    world.run_from({"old": 0.43, "new": 0.59}, 211, 301)
    world.experiments.analyze("default", KEY)
    world.experiments.complete("default", KEY, world.ann)
    heads = world.experiments.decisions("default", KEY)
    assert len(heads) >= 2
    for head in heads:
        found = world.experiments.replay(head.id)
        assert found.differences == ()
        assert (found.decision.id, found.record.spec.key) == (head.id, KEY)


def test_a_decision_that_does_not_follow_is_told(world: World) -> None:
    running(world, CLEAR)
    world.experiments.analyze("default", KEY)
    (head,) = world.experiments.decisions("default", KEY)
    with world.db.read() as tx:
        stored = decisions.get(tx, head.id)
    assert stored is not None
    moved = json.loads(json.dumps(stored.result))
    moved["comparisons"][0]["p_value"] *= 1 + 2**-52
    moved["winner"] = "old"
    found = replay(replace(stored, result=moved))
    assert [text.split(":")[0] for text in found.differences] == ["comparisons[0].p_value", "winner"]
    assert found.differences[1] == 'winner: "old" is now "new"'
    others = json.loads(json.dumps(stored.inputs))
    others["units"][0] += 1
    assert "units: " in " ".join(replay(replace(stored, inputs=others)).differences)


def test_a_decision_of_an_older_version_is_compared_in_what_it_has(world: World) -> None:
    """Stored before there were policies, histories and beliefs."""
    running(world, CLEAR, **ONCE)
    world.experiments.analyze("default", KEY)
    (head,) = world.experiments.decisions("default", KEY)
    with world.db.read() as tx:
        stored = decisions.get(tx, head.id)
    assert stored is not None
    result, inputs = json.loads(json.dumps(stored.result)), json.loads(json.dumps(stored.inputs))
    for name in ("policy", "looks", "reached", "settled", "quality", "segments"):
        del result[name]
    del inputs["history"]
    assert from_json(result).reached is None
    assert replay(replace(stored, result=result, inputs=inputs)).differences == ()


def test_an_unknown_decision(world: World) -> None:
    with pytest.raises(NotFound, match="there is no decision 'nowhere'"):
        world.experiments.replay("nowhere")
