"""Assign and Record through the Python server, beside a bare grpcio echo in the same run."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from echo_server import METHOD as ECHO
from load import Figures, build_loadgen, echo_server, run_load, write_messages
from sidecar import KEY, METRIC, sidecar
from sortition.rpc.v1 import assignment_pb2, recording_pb2
from table import Table

ASSIGN = "/sortition.rpc.v1.Assignment/Assign"
ASSIGN_BATCH = "/sortition.rpc.v1.Assignment/AssignBatch"
RECORD = "/sortition.rpc.v1.Recording/Record"
ROUNDS = 3

pytestmark = pytest.mark.timeout(300)
SECONDS = 2.0
IN_FLIGHT = 50


def assign_request(unit: int) -> assignment_pb2.AssignRequest:
    return assignment_pb2.AssignRequest(experiment=KEY, unit=f"unit-{unit}")


def record_request(unit: int) -> recording_pb2.RecordRequest:
    observations = [recording_pb2.Observation(metric=METRIC, number=1.0 + unit % 97)]
    return recording_pb2.RecordRequest(
        outcome=recording_pb2.Outcome(experiment=KEY, unit=f"unit-{unit}", observations=observations)
    )


def test_python_server(benchmark: BenchmarkFixture, tmp_path: Path, table: Table) -> None:
    build_loadgen()
    assign = write_messages(tmp_path / "assign", [assign_request(unit).SerializeToString() for unit in range(1000)])
    record = write_messages(tmp_path / "record", [record_request(unit).SerializeToString() for unit in range(1000)])
    rounds: dict[str, list[Figures]] = {"echo": [], "assign": [], "record": [], "echo_alone": [], "assign_alone": []}

    with echo_server() as echo, sidecar(tmp_path / "state") as address:
        # Both servers stay on the same core; only one of them works at a time.
        def one_round() -> None:
            for name, target, method, messages, in_flight in (
                ("echo", echo, ECHO, assign, IN_FLIGHT),
                ("assign", address, ASSIGN, assign, IN_FLIGHT),
                ("record", address, RECORD, record, IN_FLIGHT),
                ("echo_alone", echo, ECHO, assign, 1),
                ("assign_alone", address, ASSIGN, assign, 1),
            ):
                rounds[name].append(run_load(target, method, messages, in_flight=in_flight, seconds=SECONDS))

        benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)

    echo_rate = [figures.requests_per_s for figures in rounds["echo"]]
    for name in ("assign", "record"):
        rate = [figures.requests_per_s for figures in rounds[name]]
        table.add(
            f"Python server, {name.capitalize()}, {IN_FLIGHT} in flight",
            rate,
            "bare grpcio echo",
            echo_rate,
            unit="requests/s",
            target="≥ 0.85",
            headline=True,
        )
    table.add(
        "Python server, Assign, alone, p50",
        [figures.p50_us for figures in rounds["assign_alone"]],
        "bare grpcio echo",
        [figures.p50_us for figures in rounds["echo_alone"]],
        unit="µs",
        target="-",
    )


@pytest.mark.parametrize("items", [100])
def test_batches(benchmark: BenchmarkFixture, tmp_path: Path, table: Table, items: int) -> None:
    build_loadgen()
    one = write_messages(tmp_path / "one", [assign_request(unit).SerializeToString() for unit in range(1000)])
    batches = [
        assignment_pb2.AssignBatchRequest(requests=[assign_request(start + unit) for unit in range(items)])
        for start in range(0, 1000, items)
    ]
    many = write_messages(tmp_path / "many", [batch.SerializeToString() for batch in batches])
    unary: list[float] = []
    batched: list[float] = []
    with sidecar(tmp_path / "state") as address:

        def one_round() -> None:
            unary.append(run_load(address, ASSIGN, one, in_flight=IN_FLIGHT, seconds=SECONDS).requests_per_s)
            seen = run_load(address, ASSIGN_BATCH, many, in_flight=IN_FLIGHT, seconds=SECONDS)
            batched.append(seen.requests_per_s * items)

        benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    table.add(
        f"Python server, AssignBatch of {items}",
        batched,
        "unary Assign",
        unary,
        unit="items/s",
        target="≥ 20",
    )
