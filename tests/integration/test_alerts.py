"""Alerts over real sidecars and a real receiver that fails, hangs and recovers; and sidecars that die."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import grpc
import pytest

from commands import run_command
from receivers import Receiver, receiving, secret_file
from sidecar_processes import process
from sidecars import KEY, Stubs, assign, connected, locked, outcome, record, running, start_experiment
from sortition.errors import SettingsError
from sortition.rpc.v1 import admin_pb2
from waiting import wait_until

VARIANTS = [
    {"name": "fast", "weight": 50, "control": True, "config": {"passes": 1}},
    {"name": "slow", "weight": 50, "config": {"passes": 2}},
]
RULES = """
[rules.early-significance]
enabled = false
[rules.regression]
resolve_s = 0
[rules.system-unhealthy]
hold_s = 0
resolve_s = 0
[rules.max-samples]
enabled = false
[rules.many]
trigger = "max_samples"
threshold = 1.5
severity = "warning"
"""


def flags(directory: Path, receiver: Receiver, **more: Any) -> dict[str, Any]:
    path = directory / "rules.toml"
    path.write_text(RULES)
    return {
        "flush_interval_s": 0.1,
        "alert_interval_s": 0.2,
        "alert_rules": str(path),
        "alert_webhook": receiver.url,
        "alert_webhook_secret_file": str(secret_file(directory)),
        "alert_webhook_timeout_s": 1.0,
        **more,
    }


def begin(stubs: Stubs) -> None:
    start_experiment(stubs, variants=VARIANTS, decision={"min_samples": 1000, "max_samples": 1000})


def serve(stubs: Stubs, first: int, last: int, slow: float = 2.0) -> None:
    """Records that the treatment takes so many times as long."""
    served: dict[str, int] = {}
    outcomes = []
    for number in range(first, last):
        variant = assign(stubs, f"unit-{number}").variant
        served[variant] = served.get(variant, 0) + 1
        seconds = (slow if variant == "slow" else 1.0) + 0.01 * (served[variant] % 10)
        outcomes.append(outcome(f"unit-{number}", variant, seconds))
    record(stubs, *outcomes)


def active(stubs: Stubs) -> set[str]:
    return {one.rule for one in stubs.admin.ListAlerts(admin_pb2.ListAlertsRequest()).alerts}


def counters(stubs: Stubs) -> dict[str, int]:
    return dict(stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()).counters)


def actions(stubs: Stubs) -> list[str]:
    events = stubs.admin.ListAuditEvents(admin_pb2.ListAuditEventsRequest()).events
    return [event.action for event in reversed(events) if event.action.startswith("alert.")]


def test_a_receiver_that_fails_and_recovers_takes_each_transition_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        receiving(lambda number: 503 if number < 2 else 204) as receiver,
        running(tmp_path / "state", **flags(tmp_path, receiver)) as sidecar,
        connected(sidecar.address) as stubs,
    ):
        begin(stubs)
        serve(stubs, 0, 400)
        wait_until(lambda: receiver.told() == [("alert.opened", "regression")], within_s=30)
        assert [one.status for one in receiver.attempts] == [503, 503, 204]
        assert len({one.body for one in receiver.attempts}) == len({one.id for one in receiver.attempts}) == 1
        assert all(one.signed for one in receiver.attempts)
        assert active(stubs) == {"regression"}
        assert counters(stubs)["alerts_active_critical"] == 1

        run = run_command(capfd)
        shown = run("alerts", "--target", sidecar.address)
        assert "critical" in shown.out
        assert "limit 10 %" in shown.out
        assert run("alerts", "--check", "--target", sidecar.address).out.count("FIRING") == 1
        listed = run("alerts", "--severity", "info", "-o", "json", "--target", sidecar.address)
        assert listed.document == {"alerts": [], "next_page_token": ""}

        # As many that are much better, until the estimate is within the limit.
        serve(stubs, 400, 2200, slow=0.6)
        wait_until(lambda: ("alert.resolved", "regression") in receiver.told(), within_s=30)
        wait_until(lambda: active(stubs) == {"many"})
        stubs.admin.CancelExperiment(
            admin_pb2.ChangeExperimentRequest(key=KEY, actor=admin_pb2.Actor(name="ada", reason="done"))
        )
        wait_until(lambda: len(receiver.taken) == 4, within_s=60)
        assert set(receiver.often.values()) == {1}
        assert sorted(actions(stubs)) == ["alert.opened", "alert.opened", "alert.resolved", "alert.resolved"]
        history = run("alerts", "--all", "-o", "json", "--target", sidecar.address).document["alerts"]
        assert {one["rule"]: bool(one["resolved_at"]) for one in history} == {"regression": True, "many": True}


def test_a_receiver_that_hangs_keeps_nobody_from_looking(tmp_path: Path) -> None:
    go = threading.Event()

    def answer(_: int) -> int:
        go.wait(60)
        return 204

    with (
        receiving(answer) as receiver,
        running(tmp_path / "state", **flags(tmp_path, receiver)) as sidecar,
        connected(sidecar.address) as stubs,
    ):
        begin(stubs)
        serve(stubs, 0, 400)
        wait_until(lambda: receiver.begun)
        serve(stubs, 400, 1600)
        wait_until(lambda: active(stubs) == {"regression", "many"}, within_s=30)
        assert counters(stubs)["alerts_sent"] == 0
        go.set()
        wait_until(lambda: {rule for _, rule in receiver.told()} == {"regression", "many"}, within_s=30)
        # It took what it had been sent before in the end: the same messages, by their ids.
        assert len(receiver.often) == 2


def test_a_sidecar_that_is_killed_while_it_tells_is_followed_by_one_that_tells(tmp_path: Path) -> None:
    go = threading.Event()

    def answer(_: int) -> int:
        go.wait(60)
        return 204

    with receiving(answer) as receiver:
        settings = flags(tmp_path, receiver)
        with process(tmp_path / "state", **settings) as first, connected(first.address()) as stubs:
            begin(stubs)
            serve(stubs, 0, 400)
            wait_until(lambda: receiver.begun, within_s=30)
            assert actions(stubs) == ["alert.opened"]
            first.kill()
        go.set()
        before = receiver.begun
        with process(tmp_path / "state", **settings) as second, connected(second.address()) as stubs:
            wait_until(lambda: receiver.begun > before and receiver.taken, within_s=30)
            assert actions(stubs) == ["alert.opened"]
            assert active(stubs) == {"regression"}
    assert {one.id for one in receiver.attempts} == {receiver.attempts[0].id}


def test_a_sidecar_tells_of_itself_without_its_database_and_reports_later(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with receiving() as receiver:
        settings = flags(tmp_path, receiver, database_timeout_s=0.2)
        with running(state, **settings) as sidecar, connected(sidecar.address) as stubs:
            begin(stubs)
        with locked(state / "sortition.db", wholly=True) as lock:
            with running(state, **settings) as sidecar, connected(sidecar.address) as stubs:
                wait_until(lambda: receiver.told() == [("alert.opened", "system-unhealthy")])
                assert receiver.taken[0].message["data"]["metric"] == "database"
                assert receiver.taken[0].message["data"]["severity"] == "critical"
                assert counters(stubs)["sidecar_alerts_active"] == 1
            # It survives a restart, and is told of once.
            with running(state, **settings) as sidecar, connected(sidecar.address) as stubs:
                assert counters(stubs)["sidecar_alerts_active"] == 1
                assert len(receiver.taken) == 1
                lock.execute("ROLLBACK")
                lock.close()
                wait_until(lambda: ("alert.resolved", "system-unhealthy") in receiver.told(), within_s=30)
                wait_until(lambda: actions(stubs) == ["alert.opened", "alert.resolved"], within_s=30)
                (listed,) = stubs.admin.ListAlerts(admin_pb2.ListAlertsRequest(include_resolved=True)).alerts
                assert (listed.rule, listed.experiment, listed.metric) == ("system-unhealthy", "", "database")
                assert counters(stubs)["sidecar_alerts_active"] == 0
        assert set(receiver.often.values()) == {1}


def test_rules_that_cannot_be_used_are_refused_before_anything_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[rules.a]\ntrigger = "moon"\n[rules.b]\ntrigger = "duration"\nthreshold = 99\n')
    with pytest.raises(SettingsError) as refused, running(tmp_path / "state", alert_rules=path):
        pass
    assert {one.field for one in refused.value.violations} == {
        "alert_rules.rules.a.trigger",
        "alert_rules.rules.b.threshold",
    }
    assert not (tmp_path / "state").exists()


def test_an_experiment_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with running(tmp_path / "state") as sidecar, connected(sidecar.address) as stubs:
        with pytest.raises(grpc.RpcError) as refused:
            stubs.admin.CheckAlerts(admin_pb2.CheckAlertsRequest(experiment="none"))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
