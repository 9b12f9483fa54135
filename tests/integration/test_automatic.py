"""Automatic mode over real sidecars: how soon everybody answers with the control, also without the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from postgres import PostgresServer, frozen
from sidecars import KEY, TIMEOUT_S, Stubs, assign, connected, locked, outcome, record, running, start_experiment
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2, experiment_pb2
from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus
from waiting import wait_until

# The time in which harm has to be over everywhere, counted from the outcome that shows it.
SOON_S = 10
VARIANTS = [
    {"name": "fast", "weight": 50, "control": True, "config": {"passes": 1}},
    {"name": "slow", "weight": 50, "config": {"passes": 2}},
]
POLICY: dict[str, Any] = {"min_samples": 5000, "auto_rollback": True}
COMPLETED = ExperimentStatus.EXPERIMENT_STATUS_COMPLETED
PAUSED = assignment_pb2.REASON_PAUSED


def begin(stubs: Stubs, **policy: Any) -> None:
    start_experiment(stubs, variants=VARIANTS, decision={**POLICY, **policy})


def do_harm(stubs: Stubs, first: int = 0, count: int = 400) -> None:
    """Records that the treatment takes twice the time."""
    served: dict[str, int] = {}
    outcomes = []
    for number in range(first, first + count):
        variant = assign(stubs, f"unit-{number}").variant
        served[variant] = served.get(variant, 0) + 1
        seconds = (2.0 if variant == "slow" else 1.0) + 0.01 * (served[variant] % 10)
        outcomes.append(outcome(f"unit-{number}", variant, seconds))
    record(stubs, *outcomes)


def configs(stubs: Stubs) -> set[float | None]:
    """Returns what units are answered by now."""
    return {json.loads(assign(stubs, f"asked-{number}").config).get("passes") for number in range(40)}


def experiment(stubs: Stubs) -> experiment_pb2.Experiment:
    found: experiment_pb2.Experiment = stubs.admin.GetExperiment(
        admin_pb2.GetExperimentRequest(key=KEY), timeout=TIMEOUT_S
    )
    return found


def decisions(stubs: Stubs) -> list[analysis_pb2.StoredDecision]:
    request = analysis_pb2.ListDecisionsRequest(key=KEY)
    return list(stubs.analysis.ListDecisions(request, timeout=TIMEOUT_S).decisions)


def test_all_sidecars_answer_with_the_control_soon_after_the_harm(postgresql_url: str, tmp_path: Path) -> None:
    shared = {"database_url": postgresql_url}
    with (
        running(tmp_path / "one", **shared) as one,
        running(tmp_path / "other", **shared) as other,
        connected(one.address) as there,
        connected(other.address) as here,
    ):
        begin(there)
        wait_until(lambda: configs(here) == {1.0, 2.0}, what="the start on the other sidecar")
        do_harm(there)
        wait_until(lambda: configs(there) == configs(here) == {1.0}, within_s=SOON_S, what="the control")
        wait_until(lambda: experiment(here).status == COMPLETED)
        assert experiment(here).winner == ""
        acts = [(each.kind, each.act) for each in decisions(here)]
        assert acts.count(("complete", "rollback")) == 1
        assert all(each.reasons for each in decisions(here) if each.act)


def test_the_leader_alone_is_as_soon(postgresql_url: str, tmp_path: Path) -> None:
    """Neither sidecar sees enough by itself: only together they show it."""
    shared = {"database_url": postgresql_url}
    with (
        running(tmp_path / "one", **shared) as one,
        running(tmp_path / "other", **shared) as other,
        connected(one.address) as there,
        connected(other.address) as here,
    ):
        begin(there)
        wait_until(lambda: configs(here) == {1.0, 2.0}, what="the start on the other sidecar")
        do_harm(there, 0, 130)
        do_harm(here, 130, 130)
        wait_until(lambda: configs(there) == configs(here) == {1.0}, within_s=SOON_S, what="the control")
        assert "hold" not in {each.act for each in decisions(here)}, "nobody paused it alone"


def test_the_sidecar_that_sees_harm_pauses_it_without_the_database_and_reports_it_later(tmp_path: Path) -> None:
    with (
        running(tmp_path, database_timeout_s=0.2) as sidecar,
        connected(sidecar.address) as stubs,
    ):
        begin(stubs)
        with locked(tmp_path / "sortition.db"):
            do_harm(stubs)
            wait_until(lambda: configs(stubs) == {1.0}, within_s=SOON_S, what="the control")
            answer = assign(stubs, "somebody")
            assert (answer.variant, answer.reason, answer.exposed) == ("fast", PAUSED, False)
            assert experiment(stubs).status == ExperimentStatus.EXPERIMENT_STATUS_RUNNING
        wait_until(
            lambda: experiment(stubs).status == COMPLETED,
            within_s=30,
            what="the report, and then the rollback",
        )
        assert {each.act for each in decisions(stubs)} >= {"hold", "rollback"}
        assert configs(stubs) == {1.0}
    assert (tmp_path / "held").read_text() == '{"format": 1, "held": []}'


def test_a_database_that_hangs_keeps_nobody_from_pausing(
    postgresql_url: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    with (
        running(tmp_path, database_url=postgresql_url) as sidecar,
        connected(sidecar.address) as stubs,
    ):
        begin(stubs)
        with frozen(postgres):
            do_harm(stubs)
            wait_until(lambda: configs(stubs) == {1.0}, within_s=SOON_S, what="the control")
        wait_until(
            lambda: experiment(stubs).status == COMPLETED,
            within_s=60,
            what="the report, and then the rollback",
        )
        assert {each.act for each in decisions(stubs)} >= {"hold", "rollback"}


def test_a_winner_is_promoted_by_itself(tmp_path: Path) -> None:
    with running(tmp_path) as sidecar, connected(sidecar.address) as stubs:
        swapped = [{**VARIANTS[0], "control": False}, {**VARIANTS[1], "control": True}]
        start_experiment(stubs, variants=swapped, decision={"min_samples": 100, "auto_promote": True})
        do_harm(stubs)
        wait_until(lambda: experiment(stubs).status == COMPLETED, within_s=SOON_S)
        ended = experiment(stubs)
        assert (ended.winner, ended.shipped_version) == ("fast", 2)
        assert configs(stubs) == {1.0}


def test_a_sidecar_that_may_not_act_only_pauses(tmp_path: Path) -> None:
    with running(tmp_path, automatic=False) as sidecar, connected(sidecar.address) as stubs:
        begin(stubs)
        do_harm(stubs)
        wait_until(
            lambda: experiment(stubs).status == ExperimentStatus.EXPERIMENT_STATUS_PAUSED,
            within_s=SOON_S,
            what="the pause",
        )
        request = admin_pb2.RunAutomaticRequest(dry_run=True)
        (step,) = stubs.admin.RunAutomatic(request, timeout=TIMEOUT_S).steps
        assert (step.key, step.act, step.allowed, step.decision_id) == (
            KEY,
            admin_pb2.AutomaticAct.AUTOMATIC_ACT_ROLLBACK,
            True,
            "",
        )
        (step,) = stubs.admin.RunAutomatic(admin_pb2.RunAutomaticRequest(), timeout=TIMEOUT_S).steps
        assert step.decision_id
        assert experiment(stubs).status == COMPLETED
