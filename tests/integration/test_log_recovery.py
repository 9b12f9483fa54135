"""What was acknowledged is there after the process was killed, exactly once."""

from __future__ import annotations

import secrets
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from sidecar_processes import process
from sidecars import KEY, TIMEOUT_S, Stubs, assign, connected, locked, outcome, record, running, start_experiment
from sortition import locations
from sortition.core import Engine, log_inspect
from sortition.errors import DataLoss, FailedPrecondition
from sortition.rpc.v1 import analysis_pb2, recording_pb2
from waiting import wait_until


def counted(stubs: Stubs) -> int:
    """Returns how many times were measured, as the analysis sees it."""
    result = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY), timeout=TIMEOUT_S)
    return sum(each.n for each in result.metrics if each.metric == "time")


def numbered(client: bytes, seq: int, unit: str, variant: str, oldest: int = 1) -> recording_pb2.RecordRequest:
    return recording_pb2.RecordRequest(
        outcome=outcome(unit, variant, 1.0),
        delivery=recording_pb2.Delivery(client=client, seq=seq, oldest_pending=oldest),
    )


def send(stubs: Stubs, request: recording_pb2.RecordRequest) -> recording_pb2.RecordResponse:
    answer: recording_pb2.RecordResponse = stubs.recording.Record(request, timeout=TIMEOUT_S)
    return answer


def only_log(state: Path) -> Path:
    (found,) = (state / "log").iterdir()
    return found


def segments(log: Path) -> list[Path]:
    return sorted(log.glob("segment-*.log"))


class Recorder(threading.Thread):
    """A client that numbers its calls and sends each again until it is acknowledged, whichever process answers."""

    def __init__(self, address: Callable[[], str], variants: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._variants = list(variants.items())
        self._client = secrets.token_bytes(8)
        self._over = threading.Event()
        self.acknowledged = 0
        self.failed: Exception | None = None

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._send_some()
        except Exception as error:
            self.failed = error

    def _send_some(self) -> None:
        with connected(self._address()) as stubs:
            while not self._over.is_set():
                seq = self.acknowledged + 1
                unit, variant = self._variants[seq % len(self._variants)]
                try:
                    send(stubs, numbered(self._client, seq, unit, variant, seq))
                except grpc.RpcError:
                    return
                self.acknowledged = seq

    def stop(self) -> None:
        self._over.set()
        self.join(TIMEOUT_S)
        assert not self.is_alive()
        assert self.failed is None, self.failed


@pytest.mark.parametrize("ack", ["written", "fsynced"])
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path: Path, ack: str) -> None:
    state = tmp_path / "state"
    with running(state) as service, connected(service.address) as stubs:
        start_experiment(stubs)
        variants = {unit: assign(stubs, unit).variant for unit in ("a", "b", "c", "d")}
    recorders = [Recorder(lambda: _address(state), variants) for _ in range(3)]
    for round_ in range(4):
        # Flushing all the time, so that kills meet it too.
        with process(state, ack=ack, flush_interval_s=0.05) as sidecar:
            sidecar.address()
            if round_ == 0:
                for recorder in recorders:
                    recorder.start()
            goal = [recorder.acknowledged + 40 for recorder in recorders]
            _wait_for_progress(recorders, goal)
            if round_ == 3:
                for recorder in recorders:
                    recorder.stop()
            sidecar.kill()
    acknowledged = sum(recorder.acknowledged for recorder in recorders)
    with running(state, ack=ack) as service, connected(service.address) as stubs:
        # Each has at most one call that was applied and whose answer was lost; it is sent again before it is asked.
        found = counted(stubs)
    assert acknowledged <= found <= acknowledged + len(recorders)
    assert acknowledged > 400


def _address(state: Path) -> str:
    """Waits until some sidecar listens."""

    def read() -> str:
        try:
            return locations.endpoint_file(state).read_text().strip()
        except FileNotFoundError:
            return ""

    return wait_until(read, within_s=60, what="the endpoint")


def _wait_for_progress(recorders: list[Recorder], goal: list[int]) -> None:
    wait_until(
        lambda: all(recorder.acknowledged >= each for recorder, each in zip(recorders, goal, strict=True)),
        within_s=60,
        what="the recorders' progress",
    )


def test_a_retry_across_the_restart_counts_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    key = recording_pb2.Delivery(idempotency_key=b"one call")
    with process(state) as sidecar:
        with connected(sidecar.address()) as stubs:
            start_experiment(stubs)
            variant = assign(stubs, "u").variant
            assert not send(stubs, numbered(b"client", 1, "u", variant)).duplicate
            assert not send(stubs, numbered(b"client", 3, "u", variant)).duplicate
            keyed = recording_pb2.RecordRequest(outcome=outcome("u", variant, 2.0), delivery=key)
            assert not send(stubs, keyed).duplicate
        sidecar.kill()
    for _ in range(2):
        with process(state) as sidecar:
            with connected(sidecar.address()) as stubs:
                assert send(stubs, numbered(b"client", 1, "u", variant)).duplicate
                assert send(stubs, numbered(b"client", 3, "u", variant)).duplicate
                assert send(stubs, keyed).duplicate
                other = recording_pb2.RecordRequest(outcome=outcome("u", variant, 3.0), delivery=key)
                with pytest.raises(grpc.RpcError) as caught:
                    send(stubs, other)
                assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
                # Analyzing flushes, so the second round knows them from the checkpoint alone.
                assert counted(stubs) == 3
            sidecar.kill()
    with running(state) as service, connected(service.address) as stubs:
        assert not send(stubs, numbered(b"client", 2, "u", variant)).duplicate
        assert counted(stubs) == 4


def test_exposures_survive_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with process(state) as sidecar:
        with connected(sidecar.address()) as stubs:
            start_experiment(stubs)
            assert all(assign(stubs, f"unit-{number}").exposed for number in range(50))
        sidecar.kill()
    with running(state) as service, connected(service.address) as stubs:
        result = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY), timeout=TIMEOUT_S)
        assert sum(arm.units for arm in result.variants) == 50


def test_a_start_without_the_database_recovers_too(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with process(state) as sidecar:
        with connected(sidecar.address()) as stubs:
            start_experiment(stubs)
            variant = assign(stubs, "u").variant
            send(stubs, numbered(b"client", 1, "u", variant))
        sidecar.kill()
    for seq in (2, 3):
        with (
            locked(state / "sortition.db", wholly=True),
            process(state, database_timeout_s=0.1) as sidecar,
        ):
            with connected(sidecar.address()) as stubs:
                assert send(stubs, numbered(b"client", seq - 1, "u", variant)).duplicate
                assert not send(stubs, numbered(b"client", seq, "u", variant)).duplicate
            sidecar.kill()
    with running(state) as service, connected(service.address) as stubs:
        assert counted(stubs) == 3


def test_a_torn_end_is_cut_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    _record_and_kill(state, 3)
    last = [path for path in segments(only_log(state)) if path.stat().st_size > 52][-1]
    whole = last.read_bytes()
    last.write_bytes(whole + whole[-30:-10])
    with running(state) as service, connected(service.address) as stubs:
        assert counted(stubs) == 3
        (copy,) = only_log(state).glob("torn-*")
        assert copy.read_bytes() == whole[-30:-10]


def test_damage_refuses_to_start_and_says_where(tmp_path: Path) -> None:
    state = tmp_path / "state"
    _record_and_kill(state, 5)
    damaged = [path for path in segments(only_log(state)) if path.stat().st_size > 52][-1]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with process(state) as sidecar:
        code, written = sidecar.end()
    assert code == 1
    last = written.strip().splitlines()[-1]
    assert last.startswith(f"DataLoss: log: {damaged.name}, byte ")
    assert "sortition log salvage" in last
    assert bytes(content) == damaged.read_bytes(), "a refused start changed something"
    with pytest.raises(DataLoss), running(state):
        pass


def test_a_copied_directory_is_refused(tmp_path: Path) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy"
    _record_and_kill(state, 2)
    # A socket cannot be copied; tools that copy directories leave it out.
    shutil.copytree(state, copy, copy_function=shutil.copy2, ignore=shutil.ignore_patterns("*.sock"))
    with process(copy) as sidecar:
        code, written = sidecar.end()
    assert code == 1
    assert f"state_dir: {copy} is a copy of another state directory" in written
    moved = tmp_path / "moved"
    state.rename(moved)
    with running(moved) as service, connected(service.address) as stubs:
        assert counted(stubs) == 2


def test_the_log_of_another_directory_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    _record_and_kill(first, 2)
    for state in (first, second):
        with running(state):
            pass
    # The same database, so the same name for the log, and yet another directory's.
    shutil.rmtree(second / "log")
    shutil.copy2(first / "sortition.db", second / "sortition.db")
    shutil.copytree(first / "log", second / "log")
    (second / "installation.key").unlink()
    with pytest.raises(FailedPrecondition, match="belongs to another state directory"), running(second):
        pass


def test_a_second_process_cannot_open_the_log(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with process(state) as sidecar:
        sidecar.address()
        with pytest.raises(FailedPrecondition, match="in use by another process"):
            Engine(unit_key=bytes(16), log_dir=only_log(state))
        with pytest.raises(FailedPrecondition, match="in use by another sidecar"), running(state):
            pass
        # Looking at it is no use.
        assert log_inspect(only_log(state))["damage"] is None


def test_what_is_stored_is_cut(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state, flush_interval_s=3600) as service, connected(service.address) as stubs:
        start_experiment(stubs)
        variant = assign(stubs, "u").variant
        for round_ in range(1, 6):
            record(stubs, outcome("u", variant, 1.0))
            assert counted(stubs) == round_
        found = log_inspect(only_log(state))
    assert found["damage"] is None
    assert found["committed"] == 5
    assert found["segments"][-1]["windows"] or found["segments"][-2]["windows"]


def test_memory_refuses_where_outcomes_wait(tmp_path: Path) -> None:
    state = tmp_path / "state"
    _record_and_kill(state, 1)
    with pytest.raises(FailedPrecondition, match="ack: is memory, and outcomes wait"), running(state, ack="memory"):
        pass
    with running(state) as service, connected(service.address) as stubs:
        assert counted(stubs) == 1
    with running(state, ack="memory") as service, connected(service.address) as stubs:
        record(stubs, outcome("u", assign(stubs, "u").variant, 1.0))
        assert counted(stubs) == 2
    # What was recorded without the log moved the database on; the log follows.
    with running(state) as service, connected(service.address) as stubs:
        record(stubs, outcome("u", assign(stubs, "u").variant, 1.0))
        assert counted(stubs) == 3


def test_an_older_copy_of_the_database_is_fed_again(tmp_path: Path) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup.db"
    with running(state) as service, connected(service.address) as stubs:
        start_experiment(stubs)
        variant = assign(stubs, "u").variant
        record(stubs, outcome("u", variant, 1.0))
        assert counted(stubs) == 1
    shutil.copy2(state / "sortition.db", backup)
    with running(state) as service, connected(service.address) as stubs:
        for number in range(2, 5):
            record(stubs, outcome("u", variant, float(number)))
            assert counted(stubs) == number
    for name in ("sortition.db-wal", "sortition.db-shm"):
        (state / name).unlink(missing_ok=True)
    shutil.copy2(backup, state / "sortition.db")
    with running(state) as service, connected(service.address) as stubs:
        assert counted(stubs) == 4


def _record_and_kill(state: Path, count: int) -> None:
    with process(state) as sidecar:
        with connected(sidecar.address()) as stubs:
            start_experiment(stubs)
            variant = assign(stubs, "u").variant
            for number in range(count):
                record(stubs, outcome("u", variant, float(number)))
        sidecar.send(signal.SIGKILL)
        sidecar.end()
