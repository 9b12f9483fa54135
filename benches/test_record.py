"""Recording into the core from Python: one observation a call, and batches."""

from __future__ import annotations

import time

from pytest_benchmark.fixture import BenchmarkFixture

from many_experiments import snapshot
from sortition.core import Engine
from sortition.rpc.v1 import recording_pb2
from table import Table

CALLS = 100_000
BATCH = 100
ROUNDS = 5


def outcome(unit: int) -> recording_pb2.Outcome:
    return recording_pb2.Outcome(
        experiment="experiment-0",
        unit=f"unit-{unit}",
        observations=[recording_pb2.Observation(metric="latency", number=1.0 + unit % 97)],
    )


def test_record(benchmark: BenchmarkFixture, table: Table) -> None:
    engine = Engine(unit_key=bytes(32))
    engine.load_snapshot(snapshot(experiments=1))
    ones = [recording_pb2.RecordRequest(outcome=outcome(unit)).SerializeToString() for unit in range(1000)]
    batches = [
        recording_pb2.RecordBatchRequest(outcomes=[outcome(start + unit) for unit in range(BATCH)]).SerializeToString()
        for start in range(0, 1000, BATCH)
    ]
    unary: list[float] = []
    batched: list[float] = []

    def one_round() -> None:
        begin = time.perf_counter_ns()
        for _ in range(CALLS // len(ones)):
            for request in ones:
                engine.record(request)
        unary.append((time.perf_counter_ns() - begin) / CALLS)
        begin = time.perf_counter_ns()
        for _ in range(CALLS // (BATCH * len(batches))):
            for request in batches:
                engine.record_batch(request)
        batched.append((time.perf_counter_ns() - begin) / CALLS)

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    assert engine.counters()["observations"] == 2 * CALLS * ROUNDS
    table.add(
        f"core record, batches of {BATCH}, per outcome",
        batched,
        "one outcome a call",
        unary,
        unit="ns",
        target="-",
    )
