"""What grows with experiments, units, cells and clients, and what does not."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from load import Figures, begin_load, build_loadgen, end_load, write_messages
from many_experiments import snapshot
from sidecar import announced, bare_sidecar, starting_sidecar
from sortition import locations
from sortition.core import Engine, bucket
from sortition.rpc.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    assignment_pb2,
    assignment_pb2_grpc,
    recording_pb2,
    recording_pb2_grpc,
)
from stocked import id_of, key_of, metric_of, stock
from table import Table
from test_core import UNITS, per_call_ns
from test_overload import resident_bytes
from test_server import ASSIGN

ROUNDS = 3
EXPERIMENTS = (1, 10, 100, 1_000, 10_000)
UNIT_COUNTS = (10_000, 100_000, 1_000_000, 10_000_000)
BATCH = 10_000
SPREAD = 10
MANY = 1_000
TIMEOUT_S = 60

pytestmark = pytest.mark.timeout(400)


def test_assigning(benchmark: BenchmarkFixture, table: Table) -> None:
    engines = {}
    for count in EXPERIMENTS:
        engines[count] = Engine(unit_key=bytes(32))
        engines[count].load_snapshot(snapshot(experiments=count))
    by_unit: dict[int, list[float]] = {count: [] for count in EXPERIMENTS}
    by_message: dict[int, list[float]] = {count: [] for count in EXPERIMENTS}
    requests = {
        unit: assignment_pb2.AssignRequest(experiment="experiment-0", unit=unit).SerializeToString() for unit in UNITS
    }

    def one_round() -> None:
        for count, engine in engines.items():
            unit_of, message_of = engine.assign_unit, engine.assign
            by_unit[count].append(per_call_ns(lambda unit, call=unit_of: call("experiment-0", unit)))  # type: ignore[misc]
            by_message[count].append(per_call_ns(lambda unit, call=message_of: call(requests[unit])))  # type: ignore[misc]

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    for count in EXPERIMENTS:
        row = f"{count:,} experiments"
        table.place("growth of assigning", row, "a unit from Python, ns", by_unit[count])
        table.place("growth of assigning", row, "a message, ns", by_message[count])
    table.add(
        f"assign, {EXPERIMENTS[-1]:,} experiments",
        by_unit[EXPERIMENTS[-1]],
        "1 experiment",
        by_unit[1],
        unit="ns",
        target="≤ 1.1",
        headline=True,
    )


def test_recording(benchmark: BenchmarkFixture, table: Table) -> None:
    """Distinct units, ten million of them, through one engine."""
    outcomes = [
        recording_pb2.Outcome(
            experiment="experiment-0",
            unit=f"unit-@@@@-{number:05}",
            observations=[recording_pb2.Observation(metric="latency", number=1.0 + number % 97)],
        )
        for number in range(BATCH)
    ]
    template = recording_pb2.RecordBatchRequest(outcomes=outcomes).SerializeToString()
    seen: dict[int, list[float]] = {count: [] for count in UNIT_COUNTS}

    def one_round() -> None:
        engine = Engine(unit_key=bytes(32))
        engine.load_snapshot(snapshot(experiments=1))
        took: list[int] = []
        for number in range(UNIT_COUNTS[-1] // BATCH):
            request = template.replace(b"@@@@", b"%04d" % number)
            begin = time.perf_counter_ns()
            engine.record_batch(request)
            took.append(time.perf_counter_ns() - begin)
        for count in UNIT_COUNTS:
            # The batches before it was reached; the fastest, as others use the machine as well.
            reached = count // BATCH
            seen[count].append(min(took[max(0, reached - SPREAD) : reached]) / BATCH)

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    for count in UNIT_COUNTS:
        table.place("growth of recording", f"{count:,} units", "an outcome, ns", seen[count])
    table.add(
        f"record, {UNIT_COUNTS[-1]:,} units",
        seen[UNIT_COUNTS[-1]],
        f"{UNIT_COUNTS[0]:,} units",
        seen[UNIT_COUNTS[0]],
        unit="ns",
        target="≤ 1.1",
        headline=True,
    )


KINDS = (
    ("experiment", 10_000),
    ("cell", 10_000),
    ("cell with a sketch of 500 values", 500),
    ("exposed unit", 900_000),
    ("client", 60_000),
    ("idempotency key", 60_000),
)


def test_memory(benchmark: BenchmarkFixture, table: Table) -> None:
    held: dict[str, list[float]] = {kind: [] for kind, _ in KINDS}
    left: dict[str, list[float]] = {kind: [] for kind, _ in KINDS}
    loop = Path(__file__).with_name("memory_loop.py")

    def one_round() -> None:
        for kind, count in KINDS:
            said = _said([sys.executable, str(loop), kind, str(count)])
            now, flushed = map(float, said.split())
            held[kind].append(now)
            left[kind].append(max(0.0, flushed))

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    for kind, count in KINDS:
        row = f"{kind} (of {count:,})"
        table.place("memory", row, "bytes", held[kind])
        table.place("memory", row, "bytes once flushed", left[kind])


def _said(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    return run.stdout


@contextmanager
def asking(address: str) -> Iterator[Callable[[str, str], assignment_pb2.AssignResponse]]:
    """Connects to a sidecar; gives what assigns a unit to an experiment, and waits until somebody is there."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "localhost"))
    with grpc.insecure_channel(address, options=options) as channel:
        stub = assignment_pb2_grpc.AssignmentStub(channel)

        def assign(experiment: str, unit: str) -> assignment_pb2.AssignResponse:
            request = assignment_pb2.AssignRequest(experiment=experiment, unit=unit)
            answer: assignment_pb2.AssignResponse = stub.Assign(request, timeout=TIMEOUT_S, wait_for_ready=True)
            return answer

        yield assign


def test_a_thousand_experiments(benchmark: BenchmarkFixture, table: Table, tmp_path: Path) -> None:
    """The memory of a sidecar with a thousand running experiments, and its start from the snapshot it kept."""
    many = tmp_path / "many"
    stock(many, experiments=MANY)
    memory: dict[str, list[float]] = {"none": [], "many": []}
    first: dict[str, list[float]] = {"there": [], "away": []}
    whole: list[float] = []

    def measured(state: Path) -> float:
        """Returns MiB."""
        with bare_sidecar(state, None) as (_, address), asking(address) as assign:
            for number in range(MANY if state == many else 0):
                assert assign(key_of(number), "unit").variant
            return resident_bytes(state) / 2**20

    def started(*flags: str) -> tuple[float, float]:
        """Returns seconds to the first answer, and until the server listens as well."""
        begin = time.perf_counter()
        with starting_sidecar(many, None, *flags) as process:
            with asking(announced(locations.lane_file(many), process)) as assign:
                assert assign(key_of(MANY - 1), "unit").variant
            took = time.perf_counter() - begin
            announced(locations.endpoint_file(many), process)
            return took, time.perf_counter() - begin

    def one_round() -> None:
        for name in memory:
            memory[name].append(measured(tmp_path / name))
        there, all_of_it = started()
        first["there"].append(there)
        whole.append(all_of_it)
        with away(locations.database_file(many)):
            first["away"].append(started("--database-timeout-s", "0.5")[0])

    measured(many)
    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    table.add(
        f"memory of a sidecar, {MANY:,} running experiments",
        memory["many"],
        "none",
        memory["none"],
        unit="MiB",
        target="≤ 1.5",
        headline=True,
    )
    for name, work in (("there", "from the kept snapshot"), ("away", "from the kept snapshot, its database away")):
        table.add(
            f"start to first answer, {MANY:,} experiments, {work}",
            first[name],
            "until everything runs",
            whole,
            unit="s",
            target="≤ 0.5 s",
            headline=name == "there",
        )


@contextmanager
def away(database: Path) -> Iterator[None]:
    """Keeps everybody else out of an SQLite database."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN IMMEDIATE")
        yield


# Times two variants these are 10,000 cells.
SWAPPED, METRICS = 250, 20
SECONDS = 2.0
PAUSE_S = 0.25


def unit_in(experiment: int, variant: int) -> str:
    """Returns a unit that an even split gives this variant."""
    units = (f"unit-{number}" for number in itertools.count())
    return next(unit for unit in units if bucket(id_of(experiment), unit) // 5_000 == variant)


def test_flush_and_swap(benchmark: BenchmarkFixture, table: Table, tmp_path: Path) -> None:
    """10,000 cells are recorded all the time; they are flushed, or not, and snapshots are swapped, or not."""
    build_loadgen()
    asked = [
        assignment_pb2.AssignRequest(experiment=key_of(number % SWAPPED), unit=f"unit-{number}")
        for number in range(1000)
    ]
    assign = write_messages(tmp_path / "assign", [each.SerializeToString() for each in asked])
    told = [
        recording_pb2.Outcome(
            experiment=key_of(number),
            unit=unit_in(number, variant),
            observations=[recording_pb2.Observation(metric=metric_of(each), number=1) for each in range(METRICS)],
        )
        for number in range(SWAPPED)
        for variant in range(2)
    ]
    everything = recording_pb2.RecordBatchRequest(outcomes=told)
    p99: dict[str, list[float]] = {}
    for state in ("quiet", "flushing"):
        stock(tmp_path / state, experiments=SWAPPED, metrics=METRICS)
    with (
        bare_sidecar(tmp_path / "quiet", None, "--flush-interval-s", "3600", "--lane", "127.0.0.1:0") as (_, quiet),
        bare_sidecar(tmp_path / "flushing", None, "--flush-interval-s", "0.25", "--lane", "127.0.0.1:0") as (
            _,
            flushing,
        ),
        grpc.insecure_channel(quiet) as to_quiet,
        grpc.insecure_channel(flushing) as to_flushing,
    ):
        channels = {quiet: to_quiet, flushing: to_flushing}
        lanes = {
            quiet: locations.lane_file(tmp_path / "quiet").read_text().strip(),
            flushing: locations.lane_file(tmp_path / "flushing").read_text().strip(),
        }

        def loaded(server: str, address: str, *, swapping: bool) -> Figures:
            """Assigns one after the other while all cells are recorded four times a second."""
            recording = recording_pb2_grpc.RecordingStub(channels[server])
            admin = admin_pb2_grpc.AdminStub(channels[server])
            load = begin_load(address, ASSIGN, assign, in_flight=1, seconds=SECONDS)
            over, turn = threading.Event(), 0
            threading.Timer(SECONDS, over.set).start()
            while not over.wait(PAUSE_S):
                recording.RecordBatch(everything, timeout=TIMEOUT_S)
                if swapping:
                    change = admin_pb2.ChangeExperimentRequest(key=key_of(0))
                    (admin.ResumeExperiment if turn % 2 else admin.PauseExperiment)(change, timeout=TIMEOUT_S)
                    turn += 1
            if swapping and turn % 2:
                admin.ResumeExperiment(admin_pb2.ChangeExperimentRequest(key=key_of(0)), timeout=TIMEOUT_S)
            return end_load(load)

        def one_round() -> None:
            for way, addresses in (("native lane", lanes), ("Python server", {each: each for each in lanes})):
                for name, server, swapping in (
                    ("quiet", quiet, False),
                    ("flush", flushing, False),
                    ("swap", quiet, True),
                ):
                    figures = loaded(server, addresses[server], swapping=swapping)
                    p99.setdefault(f"{way}, {name}", []).append(figures.p99_us)

        benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    for way in ("native lane", "Python server"):
        for name, work in (("flush", "10,000 cells are flushed"), ("swap", "snapshots of 250 experiments are swapped")):
            table.add(
                f"{way}, Assign p99 while {work}",
                p99[f"{way}, {name}"],
                "without",
                p99[f"{way}, quiet"],
                unit="µs",
                target="≤ 1.5",
                headline=way == "native lane",
            )
