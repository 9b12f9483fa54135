"""Automatic mode: what is done, what is not, and that nothing is done twice."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sortition.lifecycle import Act, Automatic, Step, recompute
from sortition.lifecycle.replay import replay
from sortition.model import ExperimentStatus, JsonObject
from sortition.store import decisions
from unit.lifecycle.world import World

KEY = "search-strategy"
BETTER = {"old": 0.3, "new": 0.9}
WORSE = {"old": 0.9, "new": 0.3}
EVEN = {"old": 0.5, "new": 0.5}
CURRENT: JsonObject = {"model": "m", "strategy": "one"}
ALL: JsonObject = {"auto_promote": True, "auto_rollback": True, "expire": True}


def automatic(world: World) -> Automatic:
    return Automatic(world.db, flush=world._flush, changed=world._changed, now=lambda: world.now)


def begin(world: World, **policy: Any) -> None:
    world.subjects.create("default", world.ref, CURRENT, world.ann)
    world.standing(ExperimentStatus.RUNNING, decision={"min_samples": 100, **ALL, **policy})


def only(steps: list[Step]) -> Step:
    assert len(steps) == 1
    return steps[0]


def stored(world: World, step: Step) -> Any:
    with world.db.read() as tx:
        found = decisions.get(tx, step.decision_id)
    assert found is not None
    return found


def test_a_winner_is_promoted_with_its_reasons_and_inputs(world: World) -> None:
    begin(world)
    world.run(BETTER)
    step = only(automatic(world).run())
    assert (step.judgement.act, step.judgement.variant, step.allowed) == (Act.PROMOTE, "new", True)
    record = world.experiments.get("default", KEY)
    assert (record.status, record.winner, record.shipped_version) == (ExperimentStatus.COMPLETED, "new", 2)
    assert world.config()["strategy"] == "all"
    decision = stored(world, step)
    assert decision.act == {"act": "promote", "variant": "new", "reasons": list(step.judgement.reasons)}
    assert decision.act["reasons"][0].startswith("Ship new: found +203.7 %")
    assert not replay(decision).differences
    assert recompute(decision).winner == "new"
    assert ("sortition", "experiment.auto_promote", f"experiment/{KEY}") in world.log()


def test_harm_ends_it_with_the_control_for_everybody_before_the_minimum_sample(world: World) -> None:
    begin(world, min_samples=100_000)
    world.run(WORSE)
    step = only(automatic(world).run())
    assert (step.judgement.act, step.judgement.variant) == (Act.ROLLBACK, "old")
    record = world.experiments.get("default", KEY)
    assert (record.status, record.winner, record.shipped_version) == (ExperimentStatus.COMPLETED, "", 0)
    assert world.config() == CURRENT, "the control is the current configuration: no version is made of it"
    answers = {world.engine.assign_unit(KEY, f"after-{number}").variant for number in range(50)}
    assert answers == {None}
    assert re.match(r"new: found −66\.\d %, worse by \d\d", step.judgement.reasons[0])
    assert "limit 10 %" in step.judgement.reasons[0]
    assert not replay(stored(world, step)).differences


def test_the_control_becomes_current_where_it_was_not(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING, decision={"min_samples": 100, **ALL})
    world.run(WORSE)
    before = world.config()
    automatic(world).run()
    assert (before, world.config()) == ({}, {"strategy": "one"})
    assert world.experiments.get("default", KEY).shipped_version == 2
    world.subjects.rollback("default", world.ref, world.ann)
    assert world.config() == before


def test_what_is_over_expires_to_the_control(world: World) -> None:
    begin(world, max_days=3)
    world.run(EVEN)
    assert only(automatic(world).run()).judgement.act is Act.CONTINUE
    world.pass_time(days=3)
    step = only(automatic(world).run())
    assert (step.judgement.act, step.judgement.reasons) == (Act.EXPIRE, ("ran for 3 days; max_days is 3",))
    assert world.experiments.get("default", KEY).status is ExperimentStatus.COMPLETED


def test_the_largest_sample_expires_it_too(world: World) -> None:
    begin(world, max_samples=250)
    world.run(EVEN)
    step = only(automatic(world).run())
    assert (step.judgement.act, step.judgement.reasons) == (Act.EXPIRE, ("has 300 sessions; max_samples is 250",))


def test_it_says_what_is_missing(world: World) -> None:
    begin(world, min_samples=1000)
    world.run(EVEN)
    step = only(automatic(world).run())
    assert step.judgement.act is Act.CONTINUE
    assert step.judgement.missing[0] == "700 more sessions"
    assert step.judgement.missing[-1] == "14 days are left"


@pytest.mark.parametrize(
    ("policy", "rates", "act"),
    [
        ({"auto_promote": False}, BETTER, Act.PROMOTE),
        ({"auto_rollback": False}, WORSE, Act.ROLLBACK),
        ({"expire": False, "max_samples": 200}, EVEN, Act.EXPIRE),
    ],
)
def test_what_the_policy_does_not_allow_is_said_and_not_done(
    world: World, policy: JsonObject, rates: dict[str, float], act: Act
) -> None:
    begin(world, **policy)
    world.run(rates)
    step = only(automatic(world).run())
    assert (step.judgement.act, step.allowed, step.decision_id) == (act, False, "")
    assert world.experiments.get("default", KEY).status is ExperimentStatus.RUNNING


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"improvement_threshold": 2.5}, "new: an improvement of 250 % is promoted, it has +203.7 %"),
        ({"min_effect_size": 3}, "new: an effect size of 3 is promoted, it has 1.54"),
    ],
)
def test_a_winner_below_a_threshold_is_not_promoted(world: World, policy: JsonObject, why: str) -> None:
    begin(world, **policy)
    world.run(BETTER)
    step = only(automatic(world).run())
    assert step.judgement.act is Act.CONTINUE
    assert any(line.startswith(why[:40]) for line in step.judgement.missing), step.judgement.missing


def test_a_loss_within_the_limit_is_no_harm(world: World) -> None:
    begin(world, max_regression=0.3)
    world.run({"old": 0.6, "new": 0.5}, units=2000)
    assert only(automatic(world).run()).judgement.act is Act.CONTINUE


def test_a_dry_run_does_nothing(world: World) -> None:
    begin(world)
    world.run(WORSE)
    automatic(world)._flush()
    before = world.dump()
    step = only(automatic(world).run(dry_run=True))
    assert (step.judgement.act, step.decision_id) == (Act.ROLLBACK, "")
    assert world.dump() == before


def test_nothing_is_done_twice(world: World) -> None:
    begin(world)
    world.run(BETTER)
    record = world.experiments.get("default", KEY)
    mode = automatic(world)
    mode._flush()
    assert mode.step(record).decision_id
    before = world.dump()
    again = mode.step(record)
    assert again.decision_id == ""
    assert world.dump() == before


def test_what_is_paused_is_rolled_back_and_neither_promoted_nor_expired(world: World) -> None:
    begin(world, max_days=1)
    world.run(BETTER)
    world.experiments.pause("default", KEY, world.ann)
    world.pass_time(days=9)
    assert only(automatic(world).run()).judgement.missing == ("is paused: resume or complete it",)
    assert world.experiments.get("default", KEY).status is ExperimentStatus.PAUSED


def test_a_promotion_that_the_state_forbids_is_refused_and_tried_again(world: World) -> None:
    world.standing(ExperimentStatus.PAUSED, key="other")
    world.standing(ExperimentStatus.RUNNING, decision={"min_samples": 100, **ALL})
    world.run(BETTER)
    step = only(automatic(world).run(key=KEY))
    assert "other" in step.refused
    assert world.experiments.get("default", KEY).status is ExperimentStatus.RUNNING
    world.experiments.cancel("default", "other", world.ann)
    assert only(automatic(world).run(key=KEY)).decision_id
