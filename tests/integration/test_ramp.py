"""Ramps: from step to step once a step was held and harms nobody, by one act each, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleets import KEY, Fleet, Sidecar, fresh_database, spec_with
from sortition.errors import Conflict, InvalidArgument
from sortition.lifecycle import Act, AuditLog, Automatic, Leader, Step
from sortition.lifecycle.automatic.acts import LEASE
from sortition.lifecycle.replay import replay
from sortition.model import ExperimentStatus
from sortition.model.file import parse_experiment
from sortition.store import decisions, leases
from sortition.store.records import DecisionRecord

STEPS = [{"treatment": 10, "hold": "1h"}, {"treatment": 30, "hold": "24h"}, {"treatment": 50}]
METRICS = [
    {"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"},
    {"name": "failed", "kind": "binary", "goal": "minimize", "role": "guardrail", "margin": 0.2},
]
HOUR = 3600.0


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    db = fresh_database(tmp_path)
    yield Fleet(db, tmp_path)
    db.close()


def begin(fleet: Fleet, **decision: Any) -> Sidecar:
    one = fleet.add()
    spec = spec_with(
        {"old": 50, "new": 50},
        metrics=METRICS,
        ramp=STEPS,
        decision={"min_samples": 100_000, **decision},
    )
    one.create(spec)
    return one


def automatic(one: Sidecar) -> Automatic:
    return Automatic(one.fleet.db, flush=one.flush, changed=one.refresh, now=lambda: one.fleet.now)


def look(one: Sidecar, **how: Any) -> Step:
    [step] = automatic(one).run(**how)
    return step


def send(one: Sidecar, first: int, last: int, *, failing: dict[str, float]) -> None:
    served = dict.fromkeys(failing, 0)
    for number in range(first, last):
        variant = one.assign(f"user-{number}").variant
        assert variant is not None
        before, served[variant] = served[variant], served[variant] + 1
        failed = int(served[variant] * failing[variant]) > int(before * failing[variant])
        one.record(f"user-{number}", number % 2 == 0, variant)
        one.record_metric(f"user-{number}", "failed", failed, variant)


FINE = {"old": 0.2, "new": 0.2}


def weights(one: Sidecar) -> tuple[int, ...]:
    return one.stored().weights


def stored(one: Sidecar, id: str) -> DecisionRecord:
    with one.fleet.db.read() as tx:
        found = decisions.get(tx, id)
    assert found is not None
    return found


def test_a_ramp_goes_from_step_to_step(fleet: Fleet) -> None:
    one = begin(fleet)
    assert weights(one) == (9000, 1000), "it begins with the first step and not with the declared weights"
    send(one, 0, 1500, failing=FINE)
    held = look(one)
    assert held.judgement.act is Act.CONTINUE
    assert held.judgement.missing[0].startswith(
        "ramp: step 1 of 3 (10 % in treatments); missing for the next (30 %): 1 h"
    )
    fleet.pass_time(HOUR)
    step = look(one)
    assert (step.judgement.act, step.allowed, bool(step.decision_id)) == (Act.ADVANCE, True, True)
    decision = stored(one, step.decision_id)
    assert (decision.kind, decision.act and decision.act["weights"]) == ("ramp", {"old": "70", "new": "30"})
    assert not replay(decision).differences
    fleet.settle()
    assert weights(one) == (7000, 3000)
    fleet.pass_time(24 * HOUR)
    send(one, 1500, 2000, failing=FINE)
    assert look(one).judgement.act is Act.ADVANCE
    fleet.settle()
    assert weights(one) == (5000, 5000)
    last = look(one).judgement
    assert (last.act, last.missing[0]) == (Act.CONTINUE, "ramp: step 3 of 3 (50 % in treatments), the last one")
    events, _ = AuditLog(fleet.db).listing(action="experiment.auto_advance", limit=10)
    assert [event.details["step"] for event in events] == [3, 2]


def test_looking_again_and_again_takes_one_step(fleet: Fleet) -> None:
    one = begin(fleet)
    send(one, 0, 1500, failing=FINE)
    fleet.pass_time(HOUR)
    assert look(one, dry_run=True).judgement.act is Act.ADVANCE
    assert one.stored().announced is None, "a dry run does nothing"
    assert look(one).judgement.act is Act.ADVANCE
    for _ in range(3):
        again = look(one).judgement
        assert again.act is Act.CONTINUE
        assert "other weights are announced" in again.missing[0]
    fleet.settle()
    assert look(one).judgement.act is Act.CONTINUE, "the next step is held for its own time"
    assert weights(one) == (7000, 3000)


def test_a_step_that_was_taken_meanwhile_is_not_taken_twice(fleet: Fleet) -> None:
    one = begin(fleet)
    send(one, 0, 1500, failing=FINE)
    one.flush()
    fleet.pass_time(HOUR)
    seen = one.stored()
    assert automatic(one).step(seen).decision_id
    late = automatic(one).step(seen)
    assert (late.decision_id, bool(late.refused)) == ("", True)
    events, _ = AuditLog(fleet.db).listing(action="experiment.auto_advance", limit=10)
    assert len(events) == 1


def test_a_step_is_taken_under_the_lease_alone(fleet: Fleet) -> None:
    one = begin(fleet)
    send(one, 0, 1500, failing=FINE)
    one.flush()
    fleet.pass_time(HOUR)
    mine = fleet.db.run(lambda tx: leases.take(tx, LEASE, "me", leases.read(tx, LEASE)))
    assert mine is not None
    fleet.db.run(lambda tx: leases.take(tx, LEASE, "other", leases.read(tx, LEASE)))
    with pytest.raises(Conflict):
        automatic(one).step(one.stored(), lease=mine)
    assert one.stored().announced is None


def test_the_leader_takes_the_steps(fleet: Fleet) -> None:
    one = begin(fleet)
    send(one, 0, 1500, failing=FINE)
    one.flush()
    fleet.pass_time(HOUR)
    leader = Leader(fleet.db, automatic(one), clock=lambda: fleet.seconds)
    leader.tick()
    assert one.stored().announced is not None


def test_too_few_outcomes_hold_a_step(fleet: Fleet) -> None:
    one = begin(fleet)
    send(one, 0, 200, failing=FINE)
    fleet.pass_time(HOUR)
    judged = look(one).judgement
    assert judged.act is Act.CONTINUE
    assert "more outcomes of failed in new" in judged.missing[0]


@pytest.mark.parametrize("policy", ["sequential", "fixed_horizon"])
def test_a_guardrail_that_is_harmed_stops_the_ramp(fleet: Fleet, policy: str) -> None:
    one = begin(fleet, policy=policy, max_regression=0.9)
    send(one, 0, 3000, failing={"old": 0.2, "new": 0.8})
    fleet.pass_time(HOUR)
    step = look(one)
    assert step.decision_id == ""
    # More than the tolerated regression is shown as well: what the policy does not let it do by itself is only said.
    assert step.judgement.act in (Act.CONTINUE, Act.ROLLBACK)
    assert weights(one) == (9000, 1000)
    assert one.stored().announced is None
    [line] = [line for line in one.experiments.status("default", KEY).todo if line.startswith("ramp")]
    assert "stopped: failed of new" in line


def test_harm_rolls_back_where_that_is_on(fleet: Fleet) -> None:
    one = begin(fleet, auto_rollback=True)
    send(one, 0, 3000, failing={"old": 0.2, "new": 0.8})
    fleet.pass_time(HOUR)
    assert look(one).judgement.act is Act.ROLLBACK
    assert one.stored().status is ExperimentStatus.COMPLETED


def test_weights_changed_by_hand_end_the_ramp(fleet: Fleet) -> None:
    one = begin(fleet)
    send(one, 0, 1500, failing=FINE)
    one.reweight(old=80, new=20)
    fleet.settle()
    fleet.pass_time(HOUR)
    judged = look(one).judgement
    assert (judged.act, judged.missing[0]) == (Act.CONTINUE, "ramp: left, the weights were changed by hand")
    assert weights(one) == (8000, 2000)


def test_the_status_says_which_step_it_is_at(fleet: Fleet) -> None:
    one = begin(fleet)
    todo = one.experiments.status("default", KEY).todo
    assert todo[0].startswith("ramp: step 1 of 3 (10 % in treatments); missing for the next (30 %): 1 h of the 1 h")


FILE = """experiment: search-strategy
subject: {kind: agent, id: search-agent}
metrics:
  found: {kind: binary, goal: maximize, role: primary}
variants:
  old: {weight: 50, control: true}
  new: {weight: 50}
ramp: [{treatment: 1, hold: 1h}, {treatment: 10, hold: 1d}, {weights: {old: 50, new: 50}}]
"""


def test_a_ramp_is_written_in_one_line() -> None:
    spec = parse_experiment(FILE)
    assert spec.starting_weights == (9900, 100)
    assert [step.hold for step in spec.ramp] == [1, 24, 0]


@pytest.mark.parametrize(
    ("ramp", "fields"),
    [
        ("[{treatment: 1}, {treatment: 10}]", {"ramp[0].hold"}),
        ("[{treatment: 1, hold: 1h}]", {"ramp[0].hold"}),
        ("[{treatment: 0, hold: 1h}, {}]", {"ramp[0].treatment", "ramp[1]"}),
        ("[{treatment: 1, weights: {old: 50, new: 50}}]", {"ramp[0]"}),
        ("[{weights: {old: 50, none: 50}}]", {"ramp[0].weights.none", "ramp[0].weights"}),
        ("[{weights: {old: 50, new: 49}}]", {"ramp[0].weights"}),
        ("[{treatment: 1, hold: soon}, {treatment: 5}]", {"ramp[0].hold"}),
    ],
)
def test_a_wrong_ramp_is_refused_where_it_is_wrong(ramp: str, fields: set[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_experiment(FILE.rsplit("ramp:", 1)[0] + f"ramp: {ramp}\n")
    assert {found.field for found in caught.value.violations} == fields
