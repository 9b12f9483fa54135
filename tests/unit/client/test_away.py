"""The sidecar is away, slow, or refuses: the agent goes on, and no outcome is lost or doubled."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sortition import client as client_package
from sortition import errors
from sortition.client import Client, Reason
from waiting import wait_until

DEFAULTS = {"search-agent": {"strategy": "sequential", "nested": {"a": [1]}}}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sidecar is tried again after a moment instead of a second."""
    monkeypatch.setattr("sortition.client.protocol.CIRCUIT_PAUSE_S", 0.02)


def run_trial(client: Client, unit: str) -> Reason:
    with client.assign("search-agent", unit=unit) as trial:
        return trial.reason


def test_nobody_listens(nowhere: str) -> None:
    with Client(nowhere, defaults=DEFAULTS) as client:
        with client.assign("search-agent", unit="s1") as trial:
            trial.record(tokens=1)
        assert (trial.reason, trial.config) == (Reason.DEFAULT, DEFAULTS["search-agent"])
        assert isinstance(trial.error, errors.SidecarUnavailable)
        assert (trial.experiment, trial.variant, trial.exposed, trial.recording) == ("", "", False, False)
        trial.config["nested"]["a"].append(2)
        assert client.assign("search-agent", unit="s2").config == DEFAULTS["search-agent"]
        assert client.assign("search-agent", unit="s3", default={"b": 1}).config == {"b": 1}
        assert client.assign("another", unit="s4").config == {}
        assert client.assign(any_of=["another", "agent/search-agent"], unit="s5").config == {}
        assert client.assign(any_of=["another", "search-agent"], unit="s5").config == DEFAULTS["search-agent"]
        assert client.stats.defaulted == 6


def test_the_wait_is_bounded_and_not_paid_twice(sidecar: Any) -> None:
    sidecar.misbehave("Assign", *[sidecar.hang] * 20)
    with Client(sidecar.target, timeout_s=0.2) as client:
        started = time.monotonic()
        assert run_trial(client, "s1") is Reason.DEFAULT
        waited = time.monotonic() - started
        # The only bound tested is the promised one, generously: a client without a deadline would wait for ten seconds.
        assert 0.15 < waited < 5
        for unit in range(50):
            assert run_trial(client, f"u{unit}") is Reason.DEFAULT
        assert len(sidecar.assigned) == 0
        assert time.monotonic() - started < 9


def test_raising_if_wanted(nowhere: str) -> None:
    with Client(nowhere, timeout_s=0.05, on_error="raise") as client:
        with pytest.raises(errors.SidecarUnavailable):
            client.assign("search-agent", unit="s1")
        with pytest.raises(errors.SidecarUnavailable, match="tried every"):
            client.assign("search-agent", unit="s1")
        with pytest.raises(errors.SidecarUnavailable):
            client.record("search-strategy", {"rating": 1}, unit="s1")
        assert client.stats.waiting == 1


def test_a_busy_moment_is_not_seen(sidecar: Any) -> None:
    sidecar.misbehave("Assign", sidecar.unavailable, sidecar.unavailable)
    sidecar.misbehave("Record", sidecar.unavailable, sidecar.unavailable)
    with Client(sidecar.target, timeout_s=5) as client:
        assert run_trial(client, "s1") is Reason.SPLIT
        assert client.stats.retries == 4
    assert len(sidecar.recorded) == 1


def test_a_retry_after_a_lost_answer_is_counted_once(sidecar: Any) -> None:
    # The outcome is counted, and then the answer gets lost: twice.
    sidecar.misbehave("Record", sidecar.unavailable, sidecar.unavailable, after=True)
    with Client(sidecar.target, timeout_s=5) as client:
        run_trial(client, "s1")
        run_trial(client, "s2")
        assert client.stats.duplicates == 1
    assert [outcome.unit for outcome in sidecar.recorded] == ["s1", "s2"]
    deliveries = [(each.delivery.seq, each.delivery.oldest_pending) for each in sidecar.arrived]
    assert deliveries == [(1, 1), (1, 1), (1, 1), (2, 2)]
    assert len({each.delivery.client for each in sidecar.arrived}) == 1
    assert len(sidecar.arrived[0].delivery.client) == 16


@pytest.mark.usefixtures("impatient")
def test_outcomes_wait_and_are_sent_under_their_numbers(sidecar: Any) -> None:
    with Client(sidecar.target, timeout_s=0.1) as client:
        trials = [client.assign("search-agent", unit=f"s{number}") for number in range(5)]
        # The first is counted, but nobody hears of it; then the sidecar is gone.
        sidecar.misbehave("Record", sidecar.hang, after=True)
        trials[0].finish()
        sidecar.stop()
        for trial in trials[1:4]:
            trial.finish()
        assert client.stats.waiting == 4
        sidecar.start()
        wait_until(lambda: client.assign("search-agent", unit="probe").reason is Reason.SPLIT)
        trials[4].finish()
        wait_until(lambda: client.flush() == 0)
        assert client.stats.recorded == 5
        assert client.stats.duplicates == 1
        assert client.stats.dropped == 0
    assert [outcome.unit for outcome in sidecar.recorded] == ["s0", "s1", "s2", "s3", "s4"]


def test_closing_sends_what_waits(sidecar: Any) -> None:
    client = Client(sidecar.target, timeout_s=0.1)
    trial = client.assign("search-agent", unit="s1")
    sidecar.misbehave("Record", sidecar.hang)
    trial.finish()
    assert (client.stats.waiting, sidecar.recorded) == (1, [])
    client.close(timeout_s=10)
    assert (client.stats.waiting, client.stats.recorded, client.stats.dropped) == (0, 1, 0)
    assert len(sidecar.recorded) == 1


def test_the_buffer_is_bounded_and_drops_are_reported(sidecar: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(sidecar.target, timeout_s=0.05, buffer_size=3)
    trials = [client.assign("search-agent", unit=f"s{number}") for number in range(5)]
    sidecar.stop()
    with caplog.at_level(logging.WARNING, logger="sortition.client"):
        for trial in trials:
            trial.finish()
        assert (client.stats.waiting, client.stats.dropped) == (3, 2)
        client.close(timeout_s=0)
    assert (client.stats.waiting, client.stats.dropped, client.stats.recorded) == (0, 5, 0)
    messages = [record.getMessage() for record in caplog.records]
    assert sum("buffer_size" in message for message in messages) == 1
    assert "5 outcomes dropped" in messages[-1]


@pytest.mark.usefixtures("impatient")
def test_a_sidecar_without_room_gets_the_outcome_later(sidecar: Any) -> None:
    full = errors.ResourceExhausted("live_cells: 100000 are held already; flush first")
    with Client(sidecar.target, timeout_s=5) as client:
        sidecar.misbehave("Record", sidecar.refuse(full))
        run_trial(client, "s1")
        assert (client.stats.waiting, client.stats.refused) == (1, 0)
        assert client.assign("search-agent", unit="s2").reason is Reason.SPLIT
        wait_until(lambda: client.flush() == 0)
    assert [outcome.unit for outcome in sidecar.recorded] == ["s1"]


def test_an_assignment_waits_for_room(sidecar: Any) -> None:
    full = errors.ResourceExhausted("calls: 256 are waiting, which is the limit; try again in a moment")
    sidecar.misbehave("Assign", *[sidecar.refuse(full)] * 2)
    with Client(sidecar.target, timeout_s=5) as client:
        assert client.assign("search-agent", unit="s1").reason is Reason.SPLIT
        assert (client.stats.retries, client.stats.defaulted) == (2, 0)


def test_who_asks_for_errors_waits_for_room(sidecar: Any) -> None:
    full = errors.ResourceExhausted("calls: 64 are waiting, which is the limit; try again in a moment")
    with Client(sidecar.target, timeout_s=5, on_error="raise") as client:
        sidecar.misbehave("Record", *[sidecar.refuse(full)] * 2)
        run_trial(client, "s1")
        assert (client.stats.waiting, client.stats.retries) == (0, 2)
    assert [outcome.unit for outcome in sidecar.recorded] == ["s1"]


def test_an_outcome_beyond_a_bound_is_not_tried_again(sidecar: Any) -> None:
    large = errors.ResourceExhausted("message", [("outcome", "has 300000 bytes; the limit is 262144")])
    with Client(sidecar.target, timeout_s=5) as client:
        sidecar.misbehave("Record", sidecar.refuse(large))
        run_trial(client, "s1")
        assert (client.stats.waiting, client.stats.refused) == (0, 1)


def test_a_refused_outcome_is_told_once_and_does_no_harm(sidecar: Any, caplog: pytest.LogCaptureFixture) -> None:
    wrong = errors.InvalidArgument.of([("outcome.observations[0].metric", "no metric 'tokenz'; known: tokens")])
    sidecar.misbehave("Record", *[sidecar.refuse(wrong)] * 3)
    with (
        Client(sidecar.target, timeout_s=5) as client,
        caplog.at_level(logging.WARNING, logger="sortition.client"),
    ):
        for unit in range(4):
            run_trial(client, f"s{unit}")
        assert (client.stats.refused, client.stats.recorded, client.stats.waiting) == (3, 1, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "tokenz" in caplog.text


def test_an_unknown_subject_gets_the_default_and_is_told(sidecar: Any, caplog: pytest.LogCaptureFixture) -> None:
    unknown = errors.NotFound("no subject agent/nobody", [("subject", "agent/nobody is not known")])
    sidecar.misbehave("Assign", *[sidecar.refuse(unknown)] * 2)
    with Client(sidecar.target, timeout_s=5, defaults={"nobody": {"a": 1}}) as client:
        for _ in range(2):
            trial = client.assign("nobody", unit="s1")
            assert (trial.reason, trial.config) == (Reason.DEFAULT, {"a": 1})
            assert isinstance(trial.error, errors.NotFound)
        assert client.assign("search-agent", unit="s1").reason is Reason.SPLIT
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidArgument.of([("unit", "has 600 bytes; the limit is 512"), ("experiment", "is empty")]),
        errors.NotFound("no experiment"),
        errors.AlreadyExists("taken"),
        errors.FailedPrecondition("external"),
        errors.IllegalTransition("no"),
        errors.Conflict("changed"),
        errors.PermissionDenied("no"),
        errors.ResourceExhausted("full"),
        errors.NotReady("no snapshot"),
        errors.StoreUnavailable("away"),
        errors.DataLoss("damaged"),
        errors.InternalError("defect"),
        errors.StoreError("newer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_keep_their_class_and_violations(sidecar: Any, error: errors.SortitionError) -> None:
    sidecar.misbehave("Assign", *[sidecar.refuse(error)] * 20)
    with (
        Client(
            sidecar.target, timeout_s=0.5 if isinstance(error, errors.Unavailable) else 5, on_error="raise"
        ) as client,
        pytest.raises(type(error)) as caught,
    ):
        client.assign("search-agent", unit="s1")
    assert type(caught.value) is type(error)
    assert caught.value.message == error.message
    assert caught.value.violations == error.violations


@pytest.mark.usefixtures("impatient")
def test_the_sidecar_may_move(sidecar: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORTITION_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("SORTITION_TARGET", raising=False)
    endpoint = tmp_path / "endpoint"
    endpoint.write_text("127.0.0.1:1\n")
    with Client(timeout_s=0.2) as client:
        assert run_trial(client, "s1") is Reason.DEFAULT
        endpoint.write_text(f"{sidecar.target}\n")
        wait_until(lambda: run_trial(client, "s2") is Reason.SPLIT)
        assert client.target == sidecar.target


def test_threads_share_a_client(sidecar: Any) -> None:
    sidecar.misbehave("Record", *[sidecar.unavailable] * 10, after=True)
    with Client(sidecar.target, timeout_s=10) as client:

        def work(worker: int) -> None:
            for number in range(25):
                run_trial(client, f"{worker}-{number}")

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert client.flush(10) == 0
        assert client.stats.recorded == 150
    units = [outcome.unit for outcome in sidecar.recorded]
    assert len(units) == len(set(units)) == 150
    assert all(each.delivery.seq - each.delivery.oldest_pending < 256 for each in sidecar.arrived)


FORKING = """
import os, sys, sortition
client = sortition.Client(sys.argv[1], timeout_s=0.2)
parents, childs = client.assign("search-agent", unit="parent"), client.assign("search-agent", unit="child")
parents.finish()
assert client.stats.waiting == 1, client.stats
child = os.fork()
if child == 0:
    # What the parent has waiting is its parent's to send.
    assert client.stats.waiting == 0, client.stats
    childs.finish()
    client.flush(10)
    os._exit(0 if client.stats.recorded == 1 else 1)
_, status = os.waitpid(child, 0)
client.close(10)
sys.exit(os.waitstatus_to_exitcode(status) or client.stats.recorded != 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_has_its_own_identity(sidecar: Any) -> None:
    sidecar.misbehave("Record", sidecar.hang)
    command = [sys.executable, "-W", "error", "-c", FORKING, sidecar.target]
    environment = {"PYTHONPATH": str(Path(client_package.__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sorted(outcome.unit for outcome in sidecar.recorded) == ["child", "parent"]
    # Both number their calls from 1, under their own names.
    assert len({each.delivery.client for each in sidecar.arrived}) == 2


def test_an_ending_process_sends_what_waits(sidecar: Any) -> None:
    sidecar.misbehave("Record", sidecar.hang)
    # Nobody closes this client: the process just ends.
    code = """
import sys, sortition
client = sortition.Client(sys.argv[1], timeout_s=0.2)
with client.assign("search-agent", unit="s1") as trial:
    trial.record(tokens=1)
"""
    environment = {"PYTHONPATH": str(Path(client_package.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code, sidecar.target], env=environment, check=True, timeout=60)
    assert [outcome.unit for outcome in sidecar.recorded] == ["s1"]
