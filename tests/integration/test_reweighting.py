"""Other weights for an experiment that runs: who stays, who moves, what is refused, what the analysis makes of it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import grpc
import pytest

from commands import run_command
from fleets import ANN, ANNOUNCED_S, KEY, Fleet, Sidecar, fresh_database, spec_with
from sidecars import TIMEOUT_S, Stubs, assign, connected, reason_of, running, start_experiment
from sortition.client import Client
from sortition.errors import FailedPrecondition, InvalidArgument
from sortition.lifecycle import AuditLog, recompute
from sortition.model import ExperimentStatus
from sortition.rpc.v1 import admin_pb2, assignment_pb2
from sortition.store import decisions, sqlite_url
from waiting import wait_until

STICKY = int(assignment_pb2.REASON_STICKY)
SPLIT = int(assignment_pb2.REASON_SPLIT)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    db = fresh_database(tmp_path)
    yield Fleet(db, tmp_path)
    db.close()


def two(fleet: Fleet, **weights: float) -> tuple[Sidecar, Sidecar]:
    one, other = fleet.add(), fleet.add()
    one.create(spec_with(weights or {"old": 90, "new": 10}))
    other.refresh()
    return one, other


def moving(one: Sidecar, units: int = 400) -> list[str]:
    """Returns units that get the control at 90 % and the treatment at 50 %."""
    named = [f"unit-{number}" for number in range(units)]
    return [unit for unit in named if 5000 <= one.assign(unit, expose=False).bucket < 9000]


def test_exposed_units_stay_also_where_nobody_saw_the_exposure(fleet: Fleet) -> None:
    one, other = two(fleet)
    seen, unseen = moving(one)[:20], moving(one)[20:40]
    for unit in seen:
        assert one.assign(unit).exposed
    one.reweight(old=50, new=50)
    fleet.settle()
    for sidecar in (one, other):
        kept = [sidecar.assign(unit) for unit in seen]
        assert {(each.variant, each.reason) for each in kept} == {("old", STICKY)}
        assert {(each.variant, each.reason) for each in map(sidecar.assign, unseen)} == {("new", SPLIT)}


def test_while_weights_are_announced_nobody_who_moves_is_exposed(fleet: Fleet) -> None:
    one, other = two(fleet)
    late = moving(one)[0]
    one.reweight(old=50, new=50)
    other.refresh()
    for sidecar in (one, other):
        answer = sidecar.assign(late)
        assert (answer.variant, answer.exposed) == ("old", False)
        assert sidecar.assign(stays(sidecar)).exposed
    fleet.settle()
    assert one.assign(late).variant == "new"


def stays(one: Sidecar) -> str:
    named = (f"other-{number}" for number in range(1000))
    return next(unit for unit in named if one.assign(unit, expose=False).bucket < 5000)


def test_one_that_is_cut_off_stays_on_the_weights_before_and_exposes_nobody_who_moves(fleet: Fleet) -> None:
    one, other = two(fleet)
    unit = moving(one)[0]
    one.reweight(old=50, new=50)
    other.refresh()
    one.tick()
    fleet.pass_time(ANNOUNCED_S)
    one.tick()
    one.tick()
    other.refresh()
    assert one.assign(unit).variant == "new"
    behind = other.assign(unit)
    assert (behind.variant, behind.exposed) == ("old", False), "it has not read who was exposed"
    other.tick()
    assert other.assign(unit).variant == "new"


def test_a_sidecar_that_starts_without_its_database_knows_who_stays(fleet: Fleet) -> None:
    one, other = two(fleet)
    seen = moving(one)[:10]
    for unit in seen:
        one.assign(unit)
    one.reweight(old=50, new=50)
    fleet.settle()
    other.restart(with_database=False)
    assert {other.assign(unit).variant for unit in seen} == {"old"}
    fresh = [unit for unit in moving(one) if unit not in seen]
    assert {other.assign(unit).variant for unit in fresh} == {"new"}
    (other.directory / "units").write_bytes(b"damaged")
    other.restart(with_database=False)
    answers = [other.assign(unit) for unit in fresh]
    assert {(each.variant, each.exposed) for each in answers} == {("old", False)}, "the weights before, and nobody new"


def test_an_outcome_of_an_answer_from_before_is_not_refused(fleet: Fleet) -> None:
    one, _ = two(fleet)
    unit = moving(one)[0]
    before = one.assign(unit, expose=False)
    one.reweight(old=50, new=50)
    fleet.settle()
    assert before.variant == "old"
    done = one.record(unit, True, "old")
    assert (done.accepted, done.ignored) == (0, 1), "it was not exposed to what it was answered"
    assert one.record(unit, True, "new").accepted == 1


def test_the_same_weights_again_change_nothing(fleet: Fleet) -> None:
    one, _ = two(fleet)
    assert not one.reweight(old=90, new=10).changed
    first = one.reweight(old=50, new=50)
    assert (first.changed, first.moved, first.effective) == (True, 4000, False)
    again = one.reweight(new=50, old=50)
    assert (again.changed, again.effective, again.after) == (False, False, one.stored().announced)
    fleet.settle()
    settled = one.reweight(old=50, new=50)
    assert (settled.changed, settled.effective) == (False, True)
    events, _ = AuditLog(fleet.db).listing(action="experiment.reweight", limit=10)
    assert [(event.actor, event.reason) for event in events] == [("ann", "because")]
    assert events[0].details["weights"] == {"old": "50", "new": "50"}
    effects, _ = AuditLog(fleet.db).listing(action="experiment.weights_in_effect", limit=10)
    assert len(effects) == 1, "two sidecars, one effect"


def test_everything_wrong_is_said_at_once_and_changes_nothing(fleet: Fleet) -> None:
    one, _ = two(fleet)
    before = one.stored()
    with pytest.raises(InvalidArgument) as caught:
        one.experiments.reweight("default", KEY, {"old": "some", "new": 120, "none": 1}, ANN)
    assert {found.field for found in caught.value.violations} == {"weights[old]", "weights[new]"}
    with pytest.raises(InvalidArgument) as caught:
        one.experiments.reweight("default", KEY, {"old": 50, "newer": 50}, ANN)
    assert {found.field for found in caught.value.violations} == {"weights[newer]", "weights"}
    with pytest.raises(InvalidArgument, match=r"sum to 99\.99 %; they must sum to 100 %"):
        one.reweight(old=50, new=49.99)
    with pytest.raises(InvalidArgument, match="finer than"):
        one.reweight(old=33.333, new=66.667)
    assert one.stored() == before


def test_only_what_runs_or_is_paused_is_reweighted(fleet: Fleet) -> None:
    one, _ = two(fleet)
    one.experiments.pause("default", KEY, ANN)
    assert one.reweight(old=80, new=20).changed
    with pytest.raises(FailedPrecondition, match="announced and take effect within seconds"):
        one.reweight(old=70, new=30)
    fleet.settle()
    one.experiments.cancel("default", KEY, ANN)
    with pytest.raises(FailedPrecondition, match="is cancelled"):
        one.reweight(old=50, new=50)


def test_a_check_changes_nothing(fleet: Fleet) -> None:
    one, _ = two(fleet)
    before = one.stored()
    plan = one.experiments.reweight("default", KEY, {"old": 50, "new": 50}, ANN, validate_only=True)
    assert (plan.changed, plan.moved, one.stored()) == (True, 4000, before)


RATES = {1: 0.2, 2: 0.6}
"""How many succeed before and after the change of weights, whatever the variant: a trend, and no effect."""


def with_trend(fleet: Fleet, effect: float = 0.0) -> Sidecar:
    """Two periods, 90/10 and then 30/70, of a metric that grows meanwhile."""
    one, other = two(fleet)
    draw = random.Random(11)

    def send(period: int, first: int, last: int) -> None:
        for number in range(first, last):
            sidecar = (one, other)[number % 2]
            answer = sidecar.assign(f"user-{number}")
            assert answer.variant is not None
            chance = RATES[period] + (effect if answer.variant == "new" else 0.0)
            sidecar.record(f"user-{number}", draw.random() < chance, answer.variant)

    send(1, 0, 3000)
    one.reweight(old=30, new=70)
    fleet.settle()
    send(2, 3000, 6000)
    other.flush()
    return one


def test_a_trend_is_not_taken_for_an_effect(fleet: Fleet) -> None:
    one = with_trend(fleet)
    data = one.data()
    means = [data.cells[variant, 0].mean for variant in (0, 1)]
    naive = means[1] - means[0]
    assert naive > 0.2, "together, the treatment looks far better: it has the later units"
    result = one.experiments.analyze("default", KEY)
    found = result.comparisons[0]
    assert abs(found.difference) < 4 * found.standard_error < 0.08
    assert not found.significant
    assert result.winner == ""
    assert "by_period" in found.method
    assert any("weights were changed once" in line and "Cochran 1954" in line for line in result.warnings)
    assert result.sample_ratio.verdict == "ok", "each period is tested against its own weights"
    assert [variant.weight for variant in result.variants] == [0.3, 0.7]


def test_an_effect_is_found_with_its_size_across_the_change(fleet: Fleet) -> None:
    found = with_trend(fleet, effect=0.1).experiments.analyze("default", KEY).comparisons[0]
    assert found.interval.lower < 0.1 < found.interval.upper
    assert found.significant
    assert abs(found.difference - 0.1) < 4 * found.standard_error


def test_the_combination_is_cochrans(fleet: Fleet) -> None:
    """By the textbook: within each period, weighted by n_c n_t / (n_c + n_t)."""
    one = with_trend(fleet, effect=0.05)
    data = one.data()
    weights, differences = [], []
    for period in (1, 2):
        cells = [
            data.periods[variant, 0, 2] if period == 2 else data.cells[variant, 0].without(data.periods[variant, 0, 2])
            for variant in (0, 1)
        ]
        n = [cell.n for cell in cells]
        weights.append(n[0] * n[1] / (n[0] + n[1]))
        differences.append(cells[1].mean - cells[0].mean)
    expected = math.fsum(w * d for w, d in zip(weights, differences, strict=True)) / math.fsum(weights)
    found = one.experiments.analyze("default", KEY).comparisons[0]
    assert found.difference == pytest.approx(expected, abs=1e-9)


def test_who_stays_belongs_to_the_period_of_the_first_exposure(fleet: Fleet) -> None:
    one, other = two(fleet)
    seen = [f"unit-{number}" for number in range(100)]
    for unit in seen:
        one.assign(unit)
    one.reweight(old=50, new=50)
    fleet.settle()
    for unit in seen:
        assert other.record(unit, True).accepted == 1
    for unit in ("new-1", "new-2", "new-3"):
        other.assign(unit)
        assert other.record(unit, True).accepted == 1
    other.flush()
    data = one.data()
    assert sum(cell.n for (_, _, period), cell in data.periods.items() if period == 2) == 3
    assert {period: int(units.sum()) for period, units in data.units_by_period.items()} == {1: 100, 2: 3}


def test_a_decision_across_the_change_can_be_computed_again(fleet: Fleet) -> None:
    one = with_trend(fleet)
    done = one.experiments.complete("default", KEY, ANN)
    with fleet.db.read() as tx:
        stored = decisions.get(tx, done.decision_id)
    assert stored is not None
    again = recompute(stored).comparisons[0]
    assert (again.difference, again.interval) == (
        done.analysis.comparisons[0].difference,
        done.analysis.comparisons[0].interval,
    )
    assert one.stored().status is ExperimentStatus.COMPLETED


def test_a_client_that_assigns_by_itself_answers_as_the_sidecar_does(tmp_path: Path) -> None:
    with (
        running(tmp_path / "a", announce_s=0.5, flush_interval_s=0.2) as service,
        connected(service.address) as stubs,
        Client(service.address, mode="local", on_error="raise", timeout_s=10) as client,
    ):
        variants = [
            {"name": "old", "weight": 90, "control": True, "config": {"way": "old"}},
            {"name": "new", "weight": 10, "config": {"way": "new"}},
        ]
        start_experiment(stubs, variants=variants)
        before = {}
        for number in range(60):
            with client.assign(experiment=KEY, unit=f"unit-{number}") as trial:
                before[f"unit-{number}"] = trial.variant
        assert client.flush(10) == 0
        stubs.admin.ReweightExperiment(weights(old="10", new="90"), timeout=TIMEOUT_S)
        numbers = count()

        def switched() -> bool:
            return assign(stubs, f"asks-{next(numbers)}").allocation_generation == 2

        wait_until(switched, within_s=20, what="the new weights")

        def answers(units: Iterable[str]) -> dict[str, str]:
            found = {}
            for unit in units:
                with client.assign(experiment=KEY, unit=unit) as trial:
                    found[unit] = trial.variant
            return found

        fresh = [f"fresh-{number}" for number in range(60)]
        theirs = {unit: assign(stubs, unit).variant for unit in fresh}
        wait_until(lambda: answers(fresh) == theirs, what="the client's snapshot")
        assert answers(before) == before
        with pytest.raises(FailedPrecondition, match="ask the sidecar"):
            client.assign_many(KEY, fresh)


def weights(**given: str) -> admin_pb2.ReweightExperimentRequest:
    return admin_pb2.ReweightExperimentRequest(
        key=KEY, weights=given, actor=admin_pb2.Actor(name="ada", reason="it does no harm")
    )


def test_over_real_sidecars_the_weights_change_everywhere(tmp_path: Path) -> None:
    shared = {"database_url": sqlite_url(tmp_path / "shared.db"), "announce_s": 1.0, "flush_interval_s": 0.2}
    with (
        running(tmp_path / "a", **shared) as a,
        running(tmp_path / "b", **shared) as b,
        connected(a.address) as near,
        connected(b.address) as far,
    ):
        variants = [
            {"name": "old", "weight": 90, "control": True, "config": {"way": "old"}},
            {"name": "new", "weight": 10, "config": {"way": "new"}},
        ]
        start_experiment(near, variants=variants)
        wait_until(lambda: reads(far), what="the start on the other sidecar")
        before = {f"unit-{number}": assign(near, f"unit-{number}").variant for number in range(100)}
        answer = near.admin.ReweightExperiment(weights(old="20", new="80"), timeout=TIMEOUT_S)
        assert (answer.changed, answer.effective, answer.moved_buckets) == (True, False, 7000)
        assert [(one.variant, one.before, one.after) for one in answer.weights] == [
            ("old", "90", "20"),
            ("new", "10", "80"),
        ]
        numbers = count()

        def switched(stubs: Stubs) -> bool:
            # Somebody else each time: who was exposed stays with the allocation of that time.
            return assign(stubs, f"asks-{next(numbers)}").allocation_generation == 2

        for stubs in (near, far):
            wait_until(partial(switched, stubs), within_s=20, what="the new weights")
            assert {unit: assign(stubs, unit).variant for unit in before} == before
            fresh = [assign(stubs, f"fresh-{number}").variant for number in range(200)]
            assert fresh.count("new") > 120
        again = far.admin.ReweightExperiment(weights(old="20", new="80"), timeout=TIMEOUT_S)
        assert (again.changed, again.effective) == (False, True)
        with pytest.raises(grpc.RpcError) as caught:
            far.admin.ReweightExperiment(weights(old="20", newest="80"), timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(caught.value)


def reads(stubs: Stubs) -> bool:
    try:
        return bool(json.loads(assign(stubs, "somebody").config))
    except grpc.RpcError:
        return False


FILE = """experiment: search-strategy
subject: {kind: agent, id: search-agent}
metrics:
  found: {kind: binary, goal: maximize, role: primary}
variants:
  old: {weight: 50, control: true}
  new: {weight: 50}
ramp: [{treatment: 10, hold: 1h}, {treatment: 50}]
"""


def test_by_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("SORTITION_TARGET", raising=False)
    monkeypatch.setenv("SORTITION_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "search.yaml").write_text(FILE)
    run = run_command(capfd)
    with running(tmp_path / "state", log_level="error"):
        assert run("start", tmp_path / "search.yaml").code == 0
        assert "ramp: step 1 of 2 (10 % in treatments)" in run("status", KEY).out
        looked = run("auto", "--once", "--dry-run")
        assert "missing for the next (50 %): " in looked.out
        wrong = run("reweight", KEY, "old=50", "new=49", "--reason", "to see")
        assert wrong.code != 0
        assert "sum to 99 %; they must sum to 100 %" in wrong.err
        assert "must be a variant and its weight" in run("reweight", KEY, "old").err
        planned = run("reweight", KEY, "old=50", "new=50", "--dry-run")
        assert "nothing changed: a dry run" in planned.out
        done = run("reweight", KEY, "old=50", "new=50", "--reason", "no harm", "-o", "json")
        assert (done.code, done.document["moved_buckets"], done.document["changed"]) == (0, 4000, True)
        again = run("reweight", KEY, "old=50", "new=50")
        assert (again.code, "these weights are announced already" in again.out) == (0, True)
        assert "experiment.reweight" in run("audit").out
