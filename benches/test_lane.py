"""Every way to ask a sidecar, beside the bare servers of both libraries, all of them in each round.

What a call costs is told by the server's own CPU time as well, which no load generator and no other process on the
machine can hold back. What the generator can do is measured beside it, against the cheapest server there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from document import CHEAPEST, GENERATOR
from echo_server import METHOD as ECHO
from load import build_loadgen, cpu_s, run_load, running_echo, sink, write_messages
from sidecar import running_sidecar
from sortition import locations
from sortition.rpc.v1 import assignment_pb2, recording_pb2
from table import Table
from test_server import ASSIGN, ASSIGN_BATCH, RECORD, assign_request, record_request

RECORD_BATCH = "/sortition.rpc.v1.Recording/RecordBatch"
ASSIGN_STREAM = "/sortition.rpc.v1.Assignment/AssignStream"
RECORD_STREAM = "/sortition.rpc.v1.Recording/RecordStream"
ROUNDS = 3
SECONDS = 1.5
IN_FLIGHT = 50
ITEMS = 100
STREAMS = 4

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Way:
    """One thing that is loaded."""

    name: str
    process: int
    address: str
    method: str
    messages: Path
    in_flight: int = IN_FLIGHT


@dataclass
class Seen:
    """What the rounds of one of them showed."""

    per_s: list[float] = field(default_factory=list)
    per_cpu_s: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)


def written(path: Path, messages: Sequence[object]) -> Path:
    return write_messages(path, [each.SerializeToString() for each in messages])  # type: ignore[attr-defined]


def load(way: Way, seen: Seen) -> None:
    before = cpu_s(way.process)
    figures = run_load(way.address, way.method, way.messages, in_flight=way.in_flight, seconds=SECONDS)
    seen.per_s.append(figures.requests_per_s)
    seen.p50_us.append(figures.p50_us)
    seen.p99_us.append(figures.p99_us)
    # The time before the measured part was loaded alike.
    calls = figures.requests_per_s * SECONDS
    seen.per_cpu_s.append(calls / max(cpu_s(way.process) - before, 0.01))


def test_native_lane(benchmark: BenchmarkFixture, tmp_path: Path, table: Table) -> None:
    build_loadgen()
    asked = [assign_request(unit) for unit in range(1000)]
    told = [record_request(unit) for unit in range(1000)]
    groups = range(0, 1000, ITEMS)
    assign, record = written(tmp_path / "assign", asked), written(tmp_path / "record", told)
    assigns = written(
        tmp_path / "assigns", [assignment_pb2.AssignBatchRequest(requests=asked[at : at + ITEMS]) for at in groups]
    )
    records = written(
        tmp_path / "records",
        [recording_pb2.RecordBatchRequest(outcomes=[each.outcome for each in told[at : at + ITEMS]]) for at in groups],
    )
    with ExitStack() as stack:
        python, python_at = stack.enter_context(running_echo())
        bare, bare_at = stack.enter_context(running_echo(tonic=True))
        socket, socket_at = stack.enter_context(running_echo(tonic=True, place=str(tmp_path / "echo.sock")))
        cheapest = stack.enter_context(sink())
        pid, server = stack.enter_context(running_sidecar(tmp_path / "tcp", 0, "--lane", "127.0.0.1:0"))
        lane = locations.lane_file(tmp_path / "tcp").read_text().strip()
        unix = f"unix:{tmp_path / 'u' / 'lane.sock'}"
        (tmp_path / "u").mkdir(mode=0o700)
        beside, _ = stack.enter_context(running_sidecar(tmp_path / "unix", 0, "--lane", unix))
        ways = [
            Way("bare grpcio echo", python, python_at, ECHO, assign),
            Way("Python server, Assign", pid, server, ASSIGN, assign),
            Way("Python server, Record", pid, server, RECORD, record),
            Way("bare tonic echo", bare, bare_at, ECHO, assign),
            Way("bare tonic echo, unix socket", socket, socket_at, ECHO, assign),
            Way("native lane, Assign", pid, lane, ASSIGN, assign),
            Way("native lane, Assign, unix socket", beside, unix, ASSIGN, assign),
            Way("native lane, Record", pid, lane, RECORD, record),
            Way("native lane, Record, unix socket", beside, unix, RECORD, record),
            Way("AssignBatch", pid, lane, ASSIGN_BATCH, assigns),
            Way("RecordBatch", pid, lane, RECORD_BATCH, records),
            Way("AssignStream", pid, lane, ASSIGN_STREAM, assign, STREAMS),
            Way("RecordStream", pid, lane, RECORD_STREAM, record, STREAMS),
        ]
        alone = [replace(way, in_flight=1) for way in ways if way.method in (ECHO, ASSIGN)]
        seen = {way.name: Seen() for way in ways}
        by_one = {way.name: Seen() for way in alone}
        generator: list[float] = []

        def one_round() -> None:
            for way in ways:
                load(way, seen[way.name])
            for way in alone:
                load(way, by_one[way.name])
            figures = run_load(cheapest, ECHO, assign, in_flight=IN_FLIGHT, seconds=SECONDS)
            generator.append(figures.requests_per_s)

        benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)

    _ratios(table, seen, by_one)
    table.place(GENERATOR, CHEAPEST, "requests/s", generator)
    for name, found in seen.items():
        if "Batch" in name or "Stream" in name:
            continue
        table.place(GENERATOR, name, "requests/s", found.per_s)
        ours = name if name.startswith("bare") else f"sortition, {name}"
        table.place("servers", ours, "requests/s", found.per_s)
        table.place("servers", ours, "requests by CPU second", found.per_cpu_s)
        if name in by_one:
            table.place("servers", ours, "p50 alone, µs", by_one[name].p50_us)
            table.place("servers", ours, "p99 alone, µs", by_one[name].p99_us)


def _ratios(table: Table, seen: dict[str, Seen], alone: dict[str, Seen]) -> None:
    for place, bar in (("", "bare tonic echo"), (", unix socket", "bare tonic echo, unix socket")):
        for name, target in (("Assign", "≥ 0.75"), ("Record", "≥ 0.5")):
            work, ours, theirs = f"native lane, {name}{place}", seen[f"native lane, {name}{place}"], seen[bar]
            table.add(
                f"{work}, {IN_FLIGHT} in flight",
                ours.per_s,
                bar,
                theirs.per_s,
                unit="requests/s",
                target=target,
                headline=True,
            )
            table.add(
                f"{work}, by the server's CPU",
                ours.per_cpu_s,
                bar,
                theirs.per_cpu_s,
                unit="requests/CPU s",
                target=target,
            )
        for quantile in ("p50", "p99"):
            ours_us = getattr(alone[f"native lane, Assign{place}"], f"{quantile}_us")
            table.add(
                f"native lane, Assign{place}, alone, {quantile}",
                ours_us,
                bar,
                getattr(alone[bar], f"{quantile}_us"),
                unit="µs",
                target="≤ 1.3" if quantile == "p99" else "-",
                headline=quantile == "p99" and not place,
            )
    table.add(
        "native lane, Assign",
        seen["native lane, Assign"].per_s,
        "Python server",
        seen["Python server, Assign"].per_s,
        unit="requests/s",
        target="≥ 12",
        headline=True,
    )
    for name in ("Assign", "Record"):
        unary, batch, stream = seen[f"native lane, {name}"], seen[f"{name}Batch"], seen[f"{name}Stream"]
        for work, many, each in (
            (f"native lane, {name}Batch of {ITEMS}", batch, ITEMS),
            (f"native lane, {STREAMS} × {name}Stream", stream, 1),
        ):
            for kind, items, singles in (
                ("", many.per_s, unary.per_s),
                (", by the server's CPU", many.per_cpu_s, unary.per_cpu_s),
            ):
                table.add(
                    f"{work}{kind}",
                    [rate * each for rate in items],
                    f"unary {name}",
                    singles,
                    unit="items/CPU s" if kind else "items/s",
                    target="≥ 20",
                    headline=not kind,
                )
