"""A sidecar as a process of its own: signals, drains, logs."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import grpc
import pytest

from sidecar_processes import process
from sidecars import KEY, assign, connected, locked, outcome, record, running, start_experiment
from sortition import locations
from sortition.rpc.v1 import analysis_pb2

SECRET = "unit-that-nobody-may-log"


def counted(state: Path) -> int:
    with running(state) as service, connected(service.address) as stubs:
        result = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
        return sum(each.n for each in result.metrics if each.metric == "time")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_everything_acknowledged_is_stored(tmp_path: Path, number: signal.Signals) -> None:
    state = tmp_path / "state"
    with process(state) as sidecar:
        with connected(sidecar.address()) as stubs:
            start_experiment(stubs)
            variant = assign(stubs, "u").variant
            accepted = 0
            with pytest.raises(grpc.RpcError) as caught:  # noqa: PT012
                while True:
                    accepted += record(stubs, outcome("u", variant, 1.0)).accepted // 2
                    if accepted == 25:
                        # The calls go on while it drains.
                        sidecar.send(number)
            assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        code, written = sidecar.end()
    assert code == 0, written
    assert accepted >= 25
    assert not locations.endpoint_file(state).exists()
    assert counted(state) == accepted


def test_two_signals_lose_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with process(state) as sidecar:
        with connected(sidecar.address()) as stubs:
            start_experiment(stubs)
            record(stubs, outcome("u", assign(stubs, "u").variant, 1.0))
        sidecar.send(signal.SIGINT)
        sidecar.send(signal.SIGTERM)
        code, written = sidecar.end()
    assert code == 0, written
    assert counted(state) == 1


@pytest.mark.parametrize(("ack", "fate"), [("memory", "lost"), ("written", "kept for the next start")])
def test_a_drain_that_cannot_store_says_what_becomes_of_it(tmp_path: Path, ack: str, fate: str) -> None:
    state = tmp_path / "state"
    with process(state, database_timeout_s=0.1, drain_s=1, ack=ack) as sidecar:
        with connected(sidecar.address()) as stubs:
            start_experiment(stubs)
            record(stubs, outcome("u", assign(stubs, "u").variant, 1.0))
        with locked(state / "sortition.db"):
            sidecar.send(signal.SIGTERM)
            code, written = sidecar.end()
    assert code != 0
    last = written.strip().splitlines()[-1]
    assert last.startswith("StoreUnavailable: ")
    assert fate in last
    assert "2 live cells" in last
    assert counted(state) == (0 if ack == "memory" else 1)


def test_what_cannot_start_ends_with_one_line_that_says_why(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with process(tmp_path / "state", listen=address) as sidecar:
            code, written = sidecar.end()
    assert code == 1
    assert written.strip().splitlines()[-1].startswith(f"Unavailable: listen: cannot listen on {address}")
    assert "Traceback" not in written


def test_the_lock_holds_between_processes(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with process(state) as first:
        first.address()
        with process(state) as second:
            code, written = second.end()
        assert code == 1
        assert f"state_dir: {state} is in use" in written
    # It was killed, and the lock died with it.
    with running(state):
        pass


def test_logs_are_json_and_hold_no_unit(tmp_path: Path) -> None:
    with process(tmp_path / "state", log_level="debug") as sidecar:
        with connected(sidecar.address()) as stubs:
            start_experiment(stubs)
            record(stubs, outcome(SECRET, assign(stubs, SECRET).variant, 1.0))
            with pytest.raises(grpc.RpcError):
                record(stubs, outcome(SECRET, "neither", float("nan")))
        sidecar.send(signal.SIGTERM)
        code, written = sidecar.end()
    assert code == 0
    events = [json.loads(line) for line in written.splitlines()]
    assert [event["event"] for event in events] == ["listening", "draining", "stopped"]
    assert all({"level", "timestamp"} <= event.keys() for event in events)
    assert SECRET not in written
