"""Assigning in the agent's own process: the client beside the barest call of native code, and beside Eppo's SDK."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from many_experiments import snapshot
from peers import ask
from sidecar import KEY, METRIC, sidecar
from sortition.client import Client, SnapshotFile
from sortition.core import Engine, Units, bucket
from sortition.rpc.v1 import recording_pb2
from table import Table
from test_core import ROUNDS, UNITS, by_hand, eppo_client, per_call_ns

MANY = 1_000_000
# They take some ten times as long.
PEER_CALLS = 20_000

pytestmark = pytest.mark.timeout(300)
EXPERIMENT = "experiment-0"


@pytest.fixture
def client(tmp_path: Path) -> Any:
    """A client that is fed from a file with a thousand experiments, and loaded."""
    path = tmp_path / "snapshot"
    path.write_bytes(snapshot(experiments=1000))
    made = Client("127.0.0.1:1", mode="local", source=SnapshotFile(path), timeout_s=10)
    for unit in UNITS:
        assert made.assign_unit(EXPERIMENT, unit).exposed
    yield made
    made.close(0)


def in_turn(benchmark: BenchmarkFixture, **calls: Callable[[], float]) -> dict[str, list[float]]:
    """Measures all of them in each round, so that a slower moment of the machine is everybody's."""
    rounds: dict[str, list[float]] = {name: [] for name in calls}

    def one_round() -> None:
        for name, call in calls.items():
            rounds[name].append(call())

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    return rounds


def test_assign_in_process(benchmark: BenchmarkFixture, table: Table, client: Client) -> None:
    eppo = eppo_client()
    assign, variants = (
        client.assign_unit,
        {bucket: "control" if bucket < 5000 else "treatment" for bucket in range(10_000)},
    )
    many = np.array([f"user-{number}" for number in range(MANY)])
    peers: dict[str, list[float]] = {}

    def each_of_many() -> float:
        begin = time.perf_counter_ns()
        client.assign_many(EXPERIMENT, many, expose=False)
        return (time.perf_counter_ns() - begin) / MANY

    def others() -> float:
        for peer in ask(PEER_CALLS):
            peers.setdefault(peer.name, []).append(peer.ns)
        return 0.0

    rounds = in_turn(
        benchmark,
        ours=lambda: per_call_ns(lambda unit: assign(EXPERIMENT, unit)),
        named=lambda: per_call_ns(lambda unit: assign(EXPERIMENT, unit).variant),
        # A native call, a hash and a look-up: less cannot be done.
        probe=lambda: per_call_ns(lambda unit: variants[bucket("id-0", unit)]),
        eppo=lambda: per_call_ns(lambda unit: eppo.get_string_assignment("bench", unit, {}, "none")),
        by_hand=lambda: per_call_ns(by_hand),
        many=each_of_many,
        others=others,
    )
    ours, probe, named = rounds["ours"], rounds["probe"], rounds["named"]
    bare = "bare native call, hash, look-up"
    table.add("in-process assign", ours, bare, probe, unit="ns", target="≤ 2", headline=True)
    table.add("in-process assign, variant's name", named, bare, probe, unit="ns", target="-")
    own = "eppo-server-sdk"
    table.add("in-process assign, variant's name", named, own, rounds["eppo"], unit="ns", target="≤ 0.5", headline=True)
    for name, took in peers.items():
        table.add("in-process assign, variant's name", named, name, took, unit="ns", target="-", headline=True)
    table.add("in-process assign, variant's name", named, "hashlib by hand", rounds["by_hand"], unit="ns", target="-")
    table.add("assign_many of an array, per unit", rounds["many"], bare, probe, unit="ns", target="-")
    for name, took in (
        ("sortition, one of an array", rounds["many"]),
        ("sortition, one unit", ours),
        ("sortition, one unit, variant's name", named),
        (bare, probe),
        ("hashlib by hand", rounds["by_hand"]),
        ("eppo-server-sdk", rounds["eppo"]),
        *peers.items(),
    ):
        table.place("in process", name, "ns", took)


def test_trial_in_process(benchmark: BenchmarkFixture, table: Table, client: Client, tmp_path: Path) -> None:
    with sidecar(tmp_path / "state") as address, Client(address, timeout_s=10) as asking:
        rounds = in_turn(
            benchmark,
            ours=lambda: _per_s(lambda unit: client.assign(experiment=EXPERIMENT, unit=unit)),
            theirs=lambda: _per_s(lambda unit: asking.assign(experiment=KEY, unit=unit)),
        )
    table.add("trials begun, local", rounds["ours"], "asking the sidecar", rounds["theirs"], unit="/s", target="-")


def _per_s(call: Callable[[str], object]) -> float:
    begin = time.perf_counter()
    for unit in UNITS:
        call(unit)
    return len(UNITS) / (time.perf_counter() - begin)


@pytest.mark.parametrize("kind", ["int64", "U", "S", "list"])
def test_a_second_thread(benchmark: BenchmarkFixture, table: Table, client: Client, kind: str) -> None:
    numbers = np.arange(MANY)
    units = [str(number) for number in range(MANY)] if kind == "list" else numbers.astype(kind)

    cpu: dict[int, list[float]] = {1: [], 2: []}

    def units_per_s(threads: int) -> float:
        took: list[float] = []

        def work() -> None:
            begin = time.thread_time()
            client.assign_many(EXPERIMENT, units, expose=False)
            took.append(time.thread_time() - begin)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        begin = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        wall = time.perf_counter() - begin
        cpu[threads].append(1e9 * sum(took) / threads / MANY)
        return threads * MANY / wall

    rounds = in_turn(benchmark, two=lambda: units_per_s(2), one=lambda: units_per_s(1))
    work = f"assign_many ({kind}), two threads"
    table.add(
        f"{work}, units", rounds["two"], "one", rounds["one"], unit="/s", target="≥ 1.8", headline=kind == "int64"
    )
    # The same on a machine whose cores others use as well: what a unit costs does not grow with the threads.
    table.add(f"{work}, CPU of a unit", cpu[2], "one", cpu[1], unit="ns", target="≤ 1.1")


def test_exposing_many(benchmark: BenchmarkFixture, table: Table) -> None:
    loaded = snapshot(experiments=1)
    units = Units.texts([f"user-{number}" for number in range(100_000)])

    def ns_per_unit(expose: bool) -> float:
        engine = Engine.forwarding()
        engine.load_snapshot(loaded)
        begin = time.perf_counter_ns()
        engine.assign_many(EXPERIMENT, units, "default", expose)
        return (time.perf_counter_ns() - begin) / len(units)

    rounds = in_turn(benchmark, exposing=lambda: ns_per_unit(True), not_=lambda: ns_per_unit(False))
    table.add("a unit's first exposure", rounds["exposing"], "no exposure", rounds["not_"], unit="ns", target="-")


def test_shipping(benchmark: BenchmarkFixture, table: Table, tmp_path: Path) -> None:
    """Outcomes that are recorded here and counted there, beside those that are sent one by one."""
    observation = recording_pb2.Observation(metric=METRIC, number=12.5)
    with (
        sidecar(tmp_path / "state") as address,
        Client(address, mode="local", timeout_s=10, on_error="raise") as local,
        Client(address, timeout_s=10, on_error="raise") as asking,
    ):
        local.assign_unit(KEY, "first")

        def recorded(client: Client) -> float:
            begin = time.perf_counter()
            for unit in UNITS:
                client.record(KEY, {METRIC: observation.number}, unit=unit)
            assert client.flush(30) == 0
            return len(UNITS) / (time.perf_counter() - begin)

        rounds = in_turn(benchmark, local=lambda: recorded(local), asking=lambda: recorded(asking))
    table.add(
        "outcomes/s until they are counted, local",
        rounds["local"],
        "sent one by one",
        rounds["asking"],
        unit="/s",
        target="-",
    )
