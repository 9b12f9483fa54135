"""Many sidecars on one PostgreSQL: everything acknowledged is counted once, and a change is everywhere in time."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest

from faults.process import Sidecar
from sidecars import ACTOR, KEY, Stubs, assign, connected, outcome, record, running, start_experiment
from sortition.errors import StoreError
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2, recording_pb2
from sortition.service.sidecar import Service
from sortition.settings import load
from sortition.store import sqlite_url
from waiting import wait_until

# What is promised between a change on one sidecar and the answers of another.
PROMISE_S = 2.0
SIDECARS = 8
ROUNDS = 1
CALLS = 40
ENDINGS = (signal.SIGTERM, signal.SIGKILL)
VARIANTS = ("slow", "fast")


@contextmanager
def fleet(directory: Path, count: int, url: str) -> Iterator[list[Sidecar]]:
    """Runs sidecars in processes of their own; ends them however this ends."""
    settings = {"database_url": url, "flush_interval_s": 0.1, "drain_s": 20}
    sidecars = [Sidecar(directory / f"state-{index}", settings) for index in range(count)]
    try:
        for sidecar in sidecars:
            sidecar.start()
        yield sidecars
    finally:
        for sidecar in sidecars:
            sidecar.kill()


def address(sidecar: Sidecar) -> str:
    found = sidecar.address()
    assert found is not None, sidecar.last_words()
    return found


class Client:
    """Sends calls to one sidecar, each until it is acknowledged, and counts what it was told to count."""

    def __init__(self, sidecar: Sidecar, index: int) -> None:
        self._sidecar = sidecar
        self._index = index
        self._client = os.urandom(16)
        self._seq = 0
        self._chance = random.Random(index)
        self.truth: Counter[str] = Counter()

    def send(self, count: int) -> None:
        """Sends so many calls."""
        for _ in range(count):
            self._seq += 1
            variant = self._chance.choice(VARIANTS)
            outcomes = [
                outcome(f"{self._index}-{self._seq}-{each}", variant, 1.0) for each in range(self._chance.randint(1, 3))
            ]
            delivery = recording_pb2.Delivery(client=self._client, seq=self._seq, oldest_pending=self._seq)
            request = recording_pb2.RecordBatchRequest(outcomes=outcomes, delivery=delivery)
            wait_until(lambda: self._sent(request), within_s=60, what="an acknowledgement")  # noqa: B023
            self.truth[variant] += len(outcomes)

    def _sent(self, request: recording_pb2.RecordBatchRequest) -> bool:
        # A new connection each time: the sidecar may have another address by now.
        try:
            with connected(address(self._sidecar)) as stubs:
                stubs.recording.RecordBatch(request, timeout=20)
        except (grpc.RpcError, AssertionError, FileNotFoundError):
            return False
        return True


def run_all(works: Sequence[threading.Thread]) -> None:
    for work in works:
        work.start()
    for work in works:
        work.join(100)
        assert not work.is_alive()


def counted(stubs: Stubs) -> Counter[str]:
    result = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
    return Counter({each.variant: each.n for each in result.metrics if each.metric == "time"})


@pytest.mark.timeout(300)
def test_sidecars_that_are_killed_or_ended_at_random_count_everything_once(tmp_path: Path, postgresql_url: str) -> None:
    chance = random.Random(7)
    with fleet(tmp_path, SIDECARS, postgresql_url) as sidecars:
        with connected(address(sidecars[0])) as stubs:
            # Chosen elsewhere, so that every sidecar can count any variant.
            start_experiment(stubs, external_assignment=True)
        for sidecar in sidecars:
            with connected(address(sidecar)) as stubs:
                wait_until(lambda: knows(stubs), within_s=10, what="the experiment on every sidecar")
        clients = [Client(sidecar, index) for index, sidecar in enumerate(sidecars)]
        for _ in range(ROUNDS):
            works = [threading.Thread(target=client.send, args=(CALLS,)) for client in clients]
            works.append(threading.Thread(target=restart_some, args=(sidecars, chance)))
            run_all(works)
        for sidecar in sidecars:
            assert sidecar.terminate() == 0, sidecar.last_words()
        truth = sum((client.truth for client in clients), Counter())
        sidecars[0].start()
        with connected(address(sidecars[0])) as stubs:
            assert counted(stubs) == truth
    assert sum(truth.values()) >= SIDECARS * ROUNDS * CALLS


def knows(stubs: Stubs) -> bool:
    info = stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())
    return bool(info.counters["experiments"])


def restart_some(sidecars: Sequence[Sidecar], chance: random.Random) -> None:
    """Ends half of the sidecars, the one like the other, and starts them again."""
    for index, sidecar in enumerate(chance.sample(sidecars, len(sidecars) // 2)):
        sidecar.signal(ENDINGS[index % len(ENDINGS)])
        sidecar.end()
        sidecar.start()
        address(sidecar)


def test_a_change_reaches_another_process_in_time(tmp_path: Path, postgresql_url: str) -> None:
    with fleet(tmp_path, 2, postgresql_url) as (here, there), ExitStack() as stack:
        near, far = (stack.enter_context(connected(address(sidecar))) for sidecar in (here, there))
        start_experiment(near)
        wait_until(lambda: knows(far), within_s=PROMISE_S, what="the experiment on the other sidecar")
        acts = [
            (near.admin.PauseExperiment, assignment_pb2.REASON_PAUSED),
            (near.admin.ResumeExperiment, assignment_pb2.REASON_SPLIT),
            (near.admin.PauseExperiment, assignment_pb2.REASON_PAUSED),
        ]
        for act, reason in acts:
            act(admin_pb2.ChangeExperimentRequest(key=KEY, actor=ACTOR))
            wait_until(
                lambda: assign(far, "ada").reason == reason,  # noqa: B023
                within_s=PROMISE_S,
                what="the change on the other sidecar",
            )
        infos = [stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()) for stubs in (near, far)]
        assert infos[0].snapshot_version == infos[1].snapshot_version
        assert infos[0].snapshot_hash == infos[1].snapshot_hash != ""


def info(stubs: Stubs) -> admin_pb2.ServerInfo:
    found: admin_pb2.ServerInfo = stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())
    return found


def test_sidecars_that_were_given_one_name_are_told_apart(tmp_path: Path, database_url: str) -> None:
    given = {"database_url": database_url, "writer": "same", "flush_interval_s": 3600}
    with running(tmp_path / "a", **given) as first, connected(first.address) as one:
        start_experiment(one)
        record(one, outcome("before", assign(one, "before").variant, 1.0))
        one.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
        with running(tmp_path / "b", **given) as second, connected(second.address) as other:
            record(one, outcome("ada", assign(one, "ada").variant, 1.0))
            record(other, outcome("bob", assign(other, "bob").variant, 1.0))
            for stubs in (one, other):
                stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY))
            apart = info(one).writer
            assert (apart.partition("~")[0], info(other).writer) == ("same", "same")
            assert sum(counted(one).values()) == 3
            assert (info(one).flush_failures, info(one).flush_error) == (0, "")
    # It remembers the name it took, so that nothing is taken from the other one when it comes back.
    with running(tmp_path / "a", **given) as first, connected(first.address) as one:
        assert info(one).writer == apart
        assert sum(counted(one).values()) == 3


def test_what_keeps_a_sidecar_from_flushing_is_in_its_info(tmp_path: Path, postgresql_url: str) -> None:
    with running(tmp_path / "a", database_url=postgresql_url, flush_interval_s=0.05) as service:
        with connected(service.address) as stubs:
            start_experiment(stubs)
            take_the_place_of(service)
            record(stubs, outcome("ada", assign(stubs, "ada").variant, 1.0))
            wait_until(lambda: service.wait(0), what="the end of a sidecar that can store nothing any more")
            found = info(stubs)
            assert "works with the state directory of this one" in found.flush_error
            assert found.flush_failures == 1
        with pytest.raises(Exception, match="2 live cells, 1 pending exposures"):
            service.stop()


def take_the_place_of(service: Service) -> None:
    from sortition.store import BatchWriter

    assert service._storage is not None
    BatchWriter(service._storage.db, service._storage.flusher._writer.identity)


def use(state: Path, *units: str, **flags: str) -> None:
    """Runs a sidecar in which these units are counted."""
    with running(state, **flags) as service, connected(service.address) as stubs:
        if not knows(stubs):
            start_experiment(stubs)
        for unit in units:
            record(stubs, outcome(unit, assign(stubs, unit).variant, 1.0))


def go_back(state: Path, **flags: str) -> None:
    """Uses a state directory, and puts back the copy of its database from before the last two units."""
    use(state, "ada", **flags)
    shutil.copy(state / "sortition.db", state.parent / "backup.db")
    use(state, "bob", **flags)
    use(state, "eve", **flags)
    shutil.copy(state.parent / "backup.db", state / "sortition.db")


def test_what_an_older_copy_of_the_database_lacks_comes_back_from_the_log(tmp_path: Path) -> None:
    go_back(tmp_path / "state")
    with running(tmp_path / "state") as service, connected(service.address) as stubs:
        wait_until(lambda: sum(counted(stubs).values()) == 3, what="the outcomes that were not in the copy")
        assert info(stubs).flush_error == ""
    with running(tmp_path / "state") as service, connected(service.address) as stubs:
        assert sum(counted(stubs).values()) == 3, "once"


def test_without_a_log_an_older_copy_is_refused_until_somebody_decides(tmp_path: Path) -> None:
    state = tmp_path / "state"
    go_back(state, ack="memory")
    with pytest.raises(StoreError, match=r"last batch of writer .* is 1, but 3 was put into it: an older copy"):
        Service(load({"state_dir": state, "listen": "127.0.0.1:0", "ack": "memory"})).start()
    (state / "writer").unlink()
    use(state, "dan", ack="memory")
    with running(state, ack="memory") as service, connected(service.address) as stubs:
        assert sum(counted(stubs).values()) == 2


def test_another_database_is_not_an_older_copy(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for name in ("one.db", "two.db", "one.db"):
        with running(state, database_url=sqlite_url(tmp_path / name)) as service, connected(service.address) as stubs:
            if not knows(stubs):
                start_experiment(stubs)
            record(stubs, outcome("ada", assign(stubs, "ada").variant, 1.0))
    with running(state, database_url=sqlite_url(tmp_path / "one.db")) as service, connected(service.address) as stubs:
        assert sum(counted(stubs).values()) == 2
