"""Clients that assign in their own process, with a real sidecar, a file and a database behind them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from secure import bearer, make_tokens
from sidecars import KEY, TIMEOUT_S, Stubs, assign, connected, running, start_experiment
from sortition.api.tokens import revoke_token
from sortition.client import Client, Reason, SnapshotFile
from sortition.errors import FailedPrecondition, NotReady
from sortition.lifecycle import SnapshotDatabase
from sortition.rpc.v1 import admin_pb2, assignment_pb2, snapshot_pb2
from sortition.service.sidecar import Service
from sortition.store import sqlite_url
from waiting import wait_until

UNITS = [f"unit-{number}" for number in range(50)]


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[tuple[Service, Stubs]]:
    """A sidecar whose experiment runs."""
    with running(tmp_path / "state") as service, connected(service.address) as stubs:
        start_experiment(stubs)
        yield service, stubs


def counters(stubs: Stubs) -> dict[str, int]:
    return dict(stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest(), timeout=TIMEOUT_S).counters)


def change(stubs: Stubs, what: str) -> None:
    getattr(stubs.admin, what)(admin_pb2.ChangeExperimentRequest(key=KEY), timeout=TIMEOUT_S)


def threads() -> set[str]:
    ours = ("sortition-feed", "sortition-ship")
    return {thread.name for thread in threading.enumerate() if thread.name in ours}


def local(target: str, **options: object) -> Client:
    return Client(target, mode="local", on_error="raise", timeout_s=10, **options)  # type: ignore[arg-type]


def test_answers_are_the_sidecars_and_outcomes_arrive(sidecar: tuple[Service, Stubs]) -> None:
    service, stubs = sidecar
    with local(service.address) as client:
        for unit in UNITS:
            theirs = assign(stubs, unit)
            with client.assign(experiment=KEY, unit=unit) as trial:
                trial.record(time=1.5, found=True)
            fast = client.assign_unit(KEY, unit)
            assert (trial.variant, trial.answer.bucket, trial.exposed) == (theirs.variant, theirs.bucket, True)
            assert (fast.variant, fast.bucket, fast.config) == (theirs.variant, theirs.bucket, theirs.config)
            assert trial.answer.snapshot_version == theirs.snapshot_version
        assert client.flush(10) == 0
        assert client.stats.recorded == len(UNITS)
        assert client.stats.observations == 2 * len(UNITS)
        assert client.stats.waiting == client.stats.refused == 0
    counted = counters(stubs)
    assert counted["observations"] == 2 * len(UNITS)
    assert counted["exposures"] == len(UNITS)


@pytest.mark.parametrize("there", [True, False], ids=["lane", "no-lane"])
def test_outcomes_are_shipped_over_the_lane_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    state = tmp_path / "state"
    monkeypatch.setenv("SORTITION_STATE_DIR", str(state))
    with running(state, lane="auto" if there else "off") as service, connected(service.address) as stubs:
        start_experiment(stubs)
        with local(service.address) as client:
            for unit in UNITS:
                client.assign_unit(KEY, unit)
            client.record(KEY, {"time": 1.5}, unit=UNITS[0])
            assert client.flush(10) == 0
            found = counters(stubs)
        assert (found["observations"], found["exposures"]) == (1, len(UNITS))
        assert bool(found.get("lane_calls")) is there


def test_a_lane_that_is_gone_is_gone_round(sidecar: tuple[Service, Stubs], monkeypatch: pytest.MonkeyPatch) -> None:
    service, stubs = sidecar
    state = Path(service.lane.removeprefix("unix:")).parent
    monkeypatch.setenv("SORTITION_STATE_DIR", str(state))
    (state / "lane.sock").unlink()
    with local(service.address) as client:
        for unit in UNITS:
            client.assign_unit(KEY, unit)
        wait_until(lambda: client.flush(1) == 0)
    found = counters(stubs)
    assert (found["exposures"], found["lane_calls"]) == (len(UNITS), 0)


def test_exposures_arrive_without_any_outcome(sidecar: tuple[Service, Stubs]) -> None:
    service, stubs = sidecar
    with local(service.address) as client:
        assert client.assign_many(KEY, UNITS).exposed == len(UNITS)
        assert client.assign_many(KEY, [f"other-{unit}" for unit in UNITS], expose=False).exposed == 0
        wait_until(lambda: counters(stubs)["exposures"] == len(UNITS), what="shipping in the background")


def test_a_change_is_there_at_once(sidecar: tuple[Service, Stubs]) -> None:
    service, stubs = sidecar
    with local(service.address) as client:
        assert client.assign(experiment=KEY, unit="u").reason is Reason.SPLIT
        change(stubs, "PauseExperiment")
        wait_until(lambda: client.assign(experiment=KEY, unit="u").reason is Reason.PAUSED, within_s=2)
        change(stubs, "ResumeExperiment")
        wait_until(lambda: client.assign(experiment=KEY, unit="u").reason is Reason.SPLIT, within_s=2)


def test_nothing_runs_before_the_first_use_and_nothing_behind_the_last(sidecar: tuple[Service, Stubs]) -> None:
    service, _ = sidecar
    before = threads()
    client = local(service.address)
    assert threads() == before
    client.assign(experiment=KEY, unit="u")
    assert threads() == {"sortition-feed", "sortition-ship"}
    client.close()
    wait_until(lambda: threads() == before, what="the end of its threads")
    with pytest.raises(FailedPrecondition, match="closed"):
        client.assign_unit(KEY, "u")


def test_while_the_sidecar_is_away_answers_go_on_and_outcomes_are_kept(tmp_path: Path) -> None:
    socket = f"unix:{tmp_path / 'run' / 's.sock'}"
    with running(tmp_path / "state", listen=socket) as service, connected(service.address) as stubs:
        start_experiment(stubs)
        client = local(socket)
        first = client.assign_unit(KEY, "a").variant
        assert client.flush(10) == 0
    assert client.assign_unit(KEY, "a").variant == first
    with client.assign(experiment=KEY, unit="b") as trial:
        trial.record(time=1.0)
    assert client.flush(0.2) == 2
    with running(tmp_path / "state", listen=socket) as service, connected(service.address) as stubs:
        wait_until(lambda: client.stats.waiting == 0, what="the way back")
        counted = counters(stubs)
        assert (counted["observations"], counted["exposures"]) == (1, 1)
        # Watching goes on as well.
        change(stubs, "PauseExperiment")
        wait_until(lambda: client.assign(experiment=KEY, unit="u").reason is Reason.PAUSED)
        client.close()


def test_without_a_snapshot_the_default_comes_after_one_wait(tmp_path: Path) -> None:
    client = Client(f"unix:{tmp_path / 'nobody'}", mode="local", timeout_s=0.05, defaults={"agent-1": {"a": 1}})
    trial = client.assign("agent-1", unit="u")
    assert (trial.reason, trial.config, type(trial.error)) == (Reason.DEFAULT, {"a": 1}, NotReady)
    with pytest.raises(NotReady):
        client.assign_unit(KEY, "u")
    client.close(0)


CHILD = """
    import os, sys
    sys.path[:0] = {path!r}
    from sortition.client import Client
    client = Client({target!r}, mode="local", on_error="raise", timeout_s=10)
    if {used!r}:
        # It waits to be shipped when the children are made, and is not theirs.
        with client.assign(experiment={key!r}, unit="of-the-parent") as trial:
            trial.record(time=1.0)
        client.assign_unit({key!r}, "of-the-parent")
    # Kept over the fork, it is the method of another process's engine no more.
    kept = client.assign_unit
    def work(who):
        for number in range(20):
            assert kept({key!r}, f"{{who}}-{{number}}-kept").exposed
            with client.assign(experiment={key!r}, unit=f"{{who}}-{{number}}") as trial:
                trial.record(time=1.0)
    children = []
    for child in range(3):
        pid = os.fork()
        if pid == 0:
            work(f"child-{{child}}")
            # What atexit does, which os._exit does not.
            client.close(10)
            os._exit(0 if client.stats.waiting == 0 else 1)
        children.append(pid)
    work("parent")
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
    # Nothing is flushed by hand: leaving the process does it.
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.parametrize("used", [False, True], ids=["forked before its first use", "forked in the middle"])
def test_forks_have_their_own_and_everything_arrives_once(sidecar: tuple[Service, Stubs], used: bool) -> None:
    service, stubs = sidecar
    program = textwrap.dedent(CHILD).format(path=sys.path, target=service.address, key=KEY, used=used)
    done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counted = counters(stubs)
    assert counted["exposures"] == 160 + used
    assert counted["observations"] == 80 + used
    # The parent and each child are told apart.
    assert counted["dedup_clients"] == 4


def test_threads_share_a_client(sidecar: tuple[Service, Stubs]) -> None:
    service, stubs = sidecar
    with local(service.address) as client:

        def work(who: int) -> None:
            for number in range(100):
                with client.assign(experiment=KEY, unit=f"{who}-{number}") as trial:
                    trial.record(time=1.0)

        workers = [threading.Thread(target=work, args=(who,)) for who in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert client.flush(10) == 0
    counted = counters(stubs)
    assert (counted["exposures"], counted["observations"]) == (400, 400)


def test_a_file_alone_assigns_and_records_nothing(sidecar: tuple[Service, Stubs], tmp_path: Path) -> None:
    _, stubs = sidecar
    kept = tmp_path / "state" / "snapshot"
    client = Client(mode="local", source=SnapshotFile(kept, poll_s=0.02), on_error="raise", timeout_s=10)
    trial = client.assign(experiment=KEY, unit="u")
    assert (trial.variant, trial.exposed) == (assign(stubs, "u").variant, False)
    assert client.assign_many(KEY, UNITS).exposed == 0
    with pytest.raises(FailedPrecondition, match="only assigns"):
        client.record(KEY, {"time": 1.0}, unit="u")
    change(stubs, "PauseExperiment")
    wait_until(lambda: client.assign(experiment=KEY, unit="u").reason is Reason.PAUSED)
    client.close()


def test_a_file_with_a_target_ships(sidecar: tuple[Service, Stubs], tmp_path: Path) -> None:
    service, stubs = sidecar
    with local(service.address, source=SnapshotFile(tmp_path / "state" / "snapshot")) as client:
        assert client.assign_unit(KEY, "u").exposed
        assert client.flush(10) == 0
    assert counters(stubs)["exposures"] == 1


def test_a_damaged_file_is_ignored(tmp_path: Path, sidecar: tuple[Service, Stubs]) -> None:
    path, good = tmp_path / "copy", (tmp_path / "state" / "snapshot").read_bytes()
    path.write_bytes(good[:-1])
    client = Client(mode="local", source=SnapshotFile(path, poll_s=0.02), on_error="raise", timeout_s=0.1)
    with pytest.raises(NotReady):
        client.assign_unit(KEY, "u")
    os.replace(tmp_path / "state" / "snapshot", path)
    wait_until(lambda: client.assign(experiment=KEY, unit="u").reason is Reason.SPLIT if _ready(client) else False)
    client.close()


def _ready(client: Client) -> bool:
    try:
        return bool(client.assign_unit(KEY, "u").variant)
    except NotReady:
        return False


def test_a_database_alone_assigns(sidecar: tuple[Service, Stubs], tmp_path: Path) -> None:
    _, stubs = sidecar
    source = SnapshotDatabase(sqlite_url(tmp_path / "state" / "sortition.db"), poll_s=0.02)
    client = Client(mode="local", source=source, on_error="raise", timeout_s=10)
    assert [client.assign_unit(KEY, unit).variant for unit in UNITS] == [assign(stubs, unit).variant for unit in UNITS]
    change(stubs, "PauseExperiment")
    wait_until(lambda: client.assign(experiment=KEY, unit="u").reason is Reason.PAUSED)
    client.close()


# --- watching, on the wire ---


def watch(stubs: Stubs, version: int = 0, **options: object) -> grpc.Call:
    call: grpc.Call = stubs.assignment.Watch(assignment_pb2.WatchRequest(version=version), timeout=TIMEOUT_S, **options)
    return call


def test_who_watches_is_sent_what_is_newer_than_what_it_holds(sidecar: tuple[Service, Stubs], tmp_path: Path) -> None:
    _, stubs = sidecar
    first: snapshot_pb2.Snapshot = next(iter(watch(stubs)))  # type: ignore[call-overload]
    assert first.SerializeToString(deterministic=True) == (tmp_path / "state" / "snapshot").read_bytes()
    held = iter(watch(stubs, first.version))  # type: ignore[call-overload]
    change(stubs, "PauseExperiment")
    assert next(held).version > first.version


def test_more_watch_than_there_are_threads(sidecar: tuple[Service, Stubs]) -> None:
    _, stubs = sidecar
    calls = [iter(watch(stubs)) for _ in range(50)]  # type: ignore[call-overload]
    versions = {next(call).version for call in calls}
    assert len(versions) == 1
    change(stubs, "PauseExperiment")
    assert {next(call).version > max(versions) for call in calls} == {True}
    # And unary calls have all of theirs.
    assert assign(stubs, "u").variant


def test_watches_are_bounded(sidecar: tuple[Service, Stubs]) -> None:
    service, stubs = sidecar
    with connected(service.address) as other:
        calls = [watch(each) for each in (stubs, other) for _ in range(128)]
        for call in calls:
            next(iter(call))  # type: ignore[call-overload]
        with connected(service.address) as third, pytest.raises(grpc.RpcError) as refused:
            next(iter(watch(third)))  # type: ignore[call-overload]
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        ended: Any = calls[0]
        ended.cancel()

        def admitted() -> bool:
            with connected(service.address) as another:
                try:
                    return bool(next(iter(watch(another))).version)  # type: ignore[call-overload]
                except grpc.RpcError:
                    return False

        assert wait_until(admitted, what="the place that was given back")


def test_a_drain_ends_watches(tmp_path: Path) -> None:
    with running(tmp_path / "state") as service, connected(service.address) as stubs:
        call = iter(watch(stubs))  # type: ignore[call-overload]
        next(call)
        service.stop(20)
        with pytest.raises(grpc.RpcError) as ended:
            next(call)
    assert ended.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


def test_a_revoked_token_ends_its_watch(tmp_path: Path) -> None:
    state = tmp_path / "state"
    tokens = make_tokens(state)
    with running(state) as service, connected(service.address) as stubs:
        call = iter(watch(stubs, metadata=bearer(tokens.doomed)))  # type: ignore[call-overload]
        next(call)
        revoke_token(tokens.path, "doomed")
        with pytest.raises(grpc.RpcError) as ended:
            next(call)
        assert ended.value.code() is grpc.StatusCode.CANCELLED
        with local(service.address, token=tokens.agent) as client, pytest.raises(Exception, match="no experiment"):
            client.assign_unit(KEY, "u")
