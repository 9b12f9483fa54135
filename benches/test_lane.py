"""Assign and Record over the native lane, beside a bare tonic echo in the same run.

The load generator is a client of tonic, which gives up before the lane does: what a call costs is therefore told by the
server's own CPU time as well, which no load generator and no other process on the machine can hold back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from load import build_loadgen, cpu_s, run_load, running_echo, write_messages
from sidecar import running_sidecar
from sortition import locations
from sortition.rpc.v1 import assignment_pb2, recording_pb2
from table import Table
from test_server import ASSIGN, ASSIGN_BATCH, RECORD, assign_request, record_request

ECHO = "/bench.Echo/Echo"
RECORD_BATCH = "/sortition.rpc.v1.Recording/RecordBatch"
ROUNDS = 3
SECONDS = 4.0
IN_FLIGHT = 50
ITEMS = 100


@dataclass
class Seen:
    """What the rounds of one method showed."""

    per_s: list[float] = field(default_factory=list)
    per_cpu_s: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)


def test_native_lane(benchmark: BenchmarkFixture, tmp_path: Path, table: Table) -> None:
    build_loadgen()
    asked = [assign_request(unit) for unit in range(1000)]
    told = [record_request(unit) for unit in range(1000)]
    assign = write_messages(tmp_path / "assign", [each.SerializeToString() for each in asked])
    record = write_messages(tmp_path / "record", [each.SerializeToString() for each in told])
    groups = range(0, 1000, ITEMS)
    assigns = [assignment_pb2.AssignBatchRequest(requests=asked[start : start + ITEMS]) for start in groups]
    records = [
        recording_pb2.RecordBatchRequest(outcomes=[each.outcome for each in told[start : start + ITEMS]])
        for start in groups
    ]
    assign_batch = write_messages(tmp_path / "assigns", [each.SerializeToString() for each in assigns])
    record_batch = write_messages(tmp_path / "records", [each.SerializeToString() for each in records])
    seen: dict[str, Seen] = {}
    state = tmp_path / "state"
    with running_echo(tonic=True) as (bare, echo), running_sidecar(state, 0, "--lane", "127.0.0.1:0") as (pid, server):
        lane = locations.lane_file(state).read_text().strip()

        def one_round() -> None:
            for name, process, target, method, messages, in_flight in (
                ("echo", bare, echo, ECHO, assign, IN_FLIGHT),
                ("Assign", pid, lane, ASSIGN, assign, IN_FLIGHT),
                ("Record", pid, lane, RECORD, record, IN_FLIGHT),
                ("AssignBatch", pid, lane, ASSIGN_BATCH, assign_batch, IN_FLIGHT),
                ("RecordBatch", pid, lane, RECORD_BATCH, record_batch, IN_FLIGHT),
                ("echo alone", bare, echo, ECHO, assign, 1),
                ("Assign alone", pid, lane, ASSIGN, assign, 1),
                ("server", pid, server, ASSIGN, assign, IN_FLIGHT),
            ):
                before = cpu_s(process)
                figures = run_load(target, method, messages, in_flight=in_flight, seconds=SECONDS)
                found = seen.setdefault(name, Seen())
                found.per_s.append(figures.requests_per_s)
                found.p99_us.append(figures.p99_us)
                # The time before the measured part was loaded alike.
                calls = figures.requests_per_s * SECONDS
                found.per_cpu_s.append(calls / (cpu_s(process) - before))

        benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)

    bar = seen["echo"]
    for name, target in (("Assign", "≥ 0.75"), ("Record", "≥ 0.5")):
        table.add(
            f"native lane, {name}, {IN_FLIGHT} in flight",
            seen[name].per_s,
            "bare tonic echo",
            bar.per_s,
            unit="requests/s",
            target=target,
        )
        table.add(
            f"native lane, {name}, of the server's CPU",
            seen[name].per_cpu_s,
            "bare tonic echo",
            bar.per_cpu_s,
            unit="requests/CPU s",
            target=target,
        )
    table.add(
        "native lane, Assign",
        seen["Assign"].per_s,
        "Python server",
        seen["server"].per_s,
        unit="requests/s",
        target="≥ 12",
    )
    for name in ("Assign", "Record"):
        table.add(
            f"native lane, {name}Batch of {ITEMS}, of the server's CPU",
            [rate * ITEMS for rate in seen[f"{name}Batch"].per_cpu_s],
            f"unary {name}",
            seen[name].per_cpu_s,
            unit="items/CPU s",
            target="≥ 20",
        )
    table.add(
        "native lane, Assign, alone, p99",
        seen["Assign alone"].p99_us,
        "bare tonic echo",
        seen["echo alone"].p99_us,
        unit="µs",
        target="≤ 1.3",
    )
