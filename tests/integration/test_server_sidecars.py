"""Sidecars and their surroundings: addresses, state directories, each other, and a database that is away."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path

import grpc
import pytest

from sidecars import (
    ACTOR,
    KEY,
    Stubs,
    assign,
    connected,
    locked,
    outcome,
    reason_of,
    record,
    run_units,
    running,
    start_experiment,
)
from sortition import locations
from sortition.errors import FailedPrecondition, SettingsError, StoreError, StoreUnavailable, Unavailable
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2
from sortition.service.sidecar import Service
from sortition.settings import load
from sortition.store import sqlite_url
from waiting import wait_until


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_state_directory_and_all_in_it_belong_to_the_user_alone(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    with running(state):
        assert mode_of(state) == 0o700
        names = {path.name for path in state.iterdir()}
        assert {"lock", "writer", "installation.key", "snapshot", "sortition.db", "endpoint"} <= names
        assert {path.name: oct(mode_of(path)) for path in state.iterdir() if mode_of(path) & 0o077} == {}


def test_the_endpoint_is_written_while_it_listens(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as service:
        assert locations.endpoint_file(state).read_text() == f"{service.address}\n"
        assert not service.address.endswith(":0")
    assert not locations.endpoint_file(state).exists()


def test_the_writer_keeps_its_name_and_no_two_share_one(tmp_path: Path) -> None:
    def name(state: Path) -> str:
        with running(state) as service, connected(service.address) as stubs:
            writer: str = stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()).writer
            return writer

    assert name(tmp_path / "a") == name(tmp_path / "a") != name(tmp_path / "b")


def test_a_second_sidecar_on_one_state_directory_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as first:
        with pytest.raises(FailedPrecondition, match=f"process {os.getpid()}") as caught:
            Service(load({"state_dir": state, "listen": "127.0.0.1:0"})).start()
        assert str(state) in caught.value.message
        with connected(first.address) as stubs:
            assert stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()).writer
        assert locations.endpoint_file(state).exists(), "the first one still listens"
    with running(state):
        pass


def test_a_state_directory_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="state_dir"):
        Service(load({"state_dir": tmp_path / "file" / "state"})).start()


def test_a_port_in_use_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(Unavailable, match=address):
            Service(load({"state_dir": state, "listen": address})).start()
    assert not locations.endpoint_file(state).exists()
    with running(state, listen=address) as service:
        assert service.address == address


def test_a_port_of_another_sidecar_is_not_shared(tmp_path: Path) -> None:
    with running(tmp_path / "a") as first, pytest.raises(Unavailable, match=first.address):
        Service(load({"state_dir": tmp_path / "b", "listen": first.address})).start()


def test_a_unix_socket_belongs_to_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "socket"
    with running(tmp_path / "state", listen=f"unix:{path}") as service, connected(service.address) as stubs:
        assert mode_of(path) == 0o600
        assert mode_of(path.parent) == 0o700
        start_experiment(stubs)
        assert assign(stubs, "ada").variant
        with pytest.raises(Unavailable, match="in use"):
            Service(load({"state_dir": tmp_path / "other", "listen": f"unix:{path}"})).start()
        with connected(service.address) as others:
            assert assign(others, "ada").variant, "the first one still has it"
    assert not path.exists()


# What is promised between a change on one sidecar and the answers of another.
PROMISE_S = 2.0


def test_a_change_is_in_the_answers_of_this_sidecar_at_once_and_of_another_in_time(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "shared.db")
    with (
        running(tmp_path / "a", database_url=url) as here,
        running(tmp_path / "b", database_url=url) as there,
        connected(here.address) as near,
        connected(there.address) as far,
    ):
        start_experiment(near)
        answer = assign(near, "ada")
        assert answer.reason == assignment_pb2.REASON_SPLIT
        seen = wait_until(lambda: assigned(far), within_s=PROMISE_S, what="the experiment on the other sidecar")
        assert seen is not None
        assert (seen.variant, seen.bucket, seen.snapshot_hash) == (answer.variant, answer.bucket, answer.snapshot_hash)

        near.admin.PauseExperiment(admin_pb2.ChangeExperimentRequest(key=KEY, actor=ACTOR))
        assert assign(near, "ada").reason == assignment_pb2.REASON_PAUSED
        wait_until(
            lambda: assign(far, "ada").reason == assignment_pb2.REASON_PAUSED,
            within_s=PROMISE_S,
            what="the pause on the other sidecar",
        )


def assigned(stubs: Stubs) -> assignment_pb2.AssignResponse | None:
    try:
        return assign(stubs, "ada")
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise


def test_what_several_sidecars_record_is_counted_together(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "shared.db")
    with (
        running(tmp_path / "a", database_url=url) as here,
        running(tmp_path / "b", database_url=url) as there,
        connected(here.address) as near,
        connected(there.address) as far,
    ):
        start_experiment(near)
        wait_until(lambda: assigned(far), what="the experiment on the other sidecar")
        run_units(near, 40)
        # The same units once more: outcomes add up, units do not.
        run_units(far, 40)
        far.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
        result = near.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
        assert result.units == 41, "the 40, and the one that was used to look"
        assert sum(each.n for each in result.metrics if each.metric == "time") == 80


def count(state: Path) -> int:
    with running(state) as service, connected(service.address) as stubs:
        result = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
        return sum(each.n for each in result.metrics if each.metric == "time")


@pytest.mark.parametrize("wholly", [False, True])
def test_it_starts_without_its_database_and_finds_it_later(tmp_path: Path, wholly: bool) -> None:
    state = tmp_path / "state"
    with running(state) as service, connected(service.address) as stubs:
        start_experiment(stubs)
        before = assign(stubs, "ada")
    with (
        locked(state / "sortition.db", wholly=wholly) as lock,
        running(state, database_timeout_s=0.1) as service,
        connected(service.address) as stubs,
    ):
        assert (service.ready, service.attached) == (True, False)
        answer = assign(stubs, "ada")
        assert answer == before, "from the last good snapshot, to the last byte"
        record(stubs, outcome("ada", answer.variant, 1.0))
        with pytest.raises(grpc.RpcError) as caught:
            stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key=KEY))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(caught.value) == "StoreUnavailable"
        info = stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())
        assert (info.database, info.writer) == ("", "")
        lock.close()
        wait_until(lambda: service.attached, within_s=30, what="the database")
        found = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
        assert sum(each.n for each in found.metrics if each.metric == "time") == 1
        assert found.units == 1, "the unit has the hash it had before"
    assert count(state) == 1


def test_without_database_and_without_snapshot_it_does_not_start(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state):
        pass
    (state / "snapshot").unlink()
    with locked(state / "sortition.db"), pytest.raises(StoreUnavailable, match="locked"):
        Service(load({"state_dir": state, "listen": "127.0.0.1:0", "database_timeout_s": 0.1})).start()
    with running(state):
        pass


def test_what_could_not_be_stored_at_the_end_is_said(tmp_path: Path) -> None:
    state = tmp_path / "state"
    service = Service(load({"state_dir": state, "listen": "127.0.0.1:0", "database_timeout_s": 0.1, "drain_s": 1}))
    service.start()
    with connected(service.address) as stubs:
        start_experiment(stubs)
        answer = assign(stubs, "ada")
        record(stubs, outcome("ada", answer.variant, 1.0))
        lost = pytest.raises(StoreUnavailable, match="2 live cells, 1 pending exposures")
        with locked(state / "sortition.db"), lost:
            service.stop()
    assert not locations.endpoint_file(state).exists()
    with running(state):
        pass


def test_a_database_that_is_another_one_is_not_attached(tmp_path: Path) -> None:
    state, other = tmp_path / "state", tmp_path / "other"
    for directory in (state, other):
        with running(directory) as service, connected(service.address) as stubs:
            start_experiment(stubs)
    os.replace(other / "sortition.db", state / "sortition.db")
    with locked(state / "sortition.db", wholly=True) as lock, running(state, database_timeout_s=0.1) as service:
        assert not service.attached
        lock.close()
        assert not service._try_to_attach(), "its units have other hashes"
        assert not service.attached
    with locked(state / "sortition.db"), pytest.raises(StoreUnavailable):
        # It can be read, so that it is known that the snapshot is not its own.
        Service(load({"state_dir": state, "listen": "127.0.0.1:0", "database_timeout_s": 0.1})).start()
    with running(state) as service:
        assert service.attached, "it is another one from the start"


def test_a_damaged_database_is_an_error_and_not_a_reason_to_start_without(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state):
        pass
    (state / "sortition.db").write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StoreError, match="not a sortition database"):
        Service(load({"state_dir": state, "listen": "127.0.0.1:0"})).start()


def test_stopping_twice_is_stopping_once(tmp_path: Path) -> None:
    with running(tmp_path / "state") as service:
        assert not service.wait(0)
        service.request_stop()
        assert service.wait(0)
        service.stop()
        service.stop()
        started = time.monotonic()
        with connected(service.address) as stubs, pytest.raises(grpc.RpcError) as caught:
            assign(stubs, "ada")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - started < 20
