"""Several processes that share a port, as grpcio's servers scale, beside the one thread of the native lane.

Whatever answers in Python can do no more than bare grpcio: a sidecar of several such processes would be slower yet.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from echo_server import METHOD as ECHO
from load import build_loadgen, cpu_s, run_load, running_echo, write_messages
from sidecar import running_sidecar
from sortition import locations
from table import Table
from test_server import ASSIGN, IN_FLIGHT, assign_request

ROUNDS = 3
SECONDS = 2.0
PROCESSES = (1, 2, 4)
# The kernel gives each process its share of the connections; with this many none of them goes without.
CONNECTIONS = 32
GRID = "several processes"

pytestmark = pytest.mark.timeout(300)


def test_several_processes(benchmark: BenchmarkFixture, tmp_path: Path, table: Table) -> None:
    build_loadgen()
    messages = write_messages(tmp_path / "assign", [assign_request(unit).SerializeToString() for unit in range(1000)])
    per_s: dict[str, list[float]] = {}
    per_cpu_s: dict[str, list[float]] = {}
    p99_us: dict[str, list[float]] = {}
    groups: dict[str, tuple[list[int], str, str]] = {}
    with ExitStack() as stack:
        for count in PROCESSES:
            first, address = stack.enter_context(running_echo(None))
            port = address.rpartition(":")[2]
            others = [stack.enter_context(running_echo(None, place=port))[0] for _ in range(count - 1)]
            groups[f"bare grpcio, processes: {count}"] = ([first, *others], address, ECHO)
        pid, _ = stack.enter_context(running_sidecar(tmp_path / "state", None, "--lane", "127.0.0.1:0"))
        lane = locations.lane_file(tmp_path / "state").read_text().strip()
        groups["native lane, one thread"] = ([pid], lane, ASSIGN)

        def one_round() -> None:
            for name, (processes, address, method) in groups.items():
                before = sum(map(cpu_s, processes))
                figures = run_load(
                    address, method, messages, in_flight=IN_FLIGHT, seconds=SECONDS, connections=CONNECTIONS
                )
                used = sum(map(cpu_s, processes)) - before
                per_s.setdefault(name, []).append(figures.requests_per_s)
                per_cpu_s.setdefault(name, []).append(figures.requests_per_s * SECONDS / max(used, 0.01))
                p99_us.setdefault(name, []).append(figures.p99_us)

        benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    for name, rates in per_s.items():
        table.place(GRID, name, "requests/s", rates)
        table.place(GRID, name, "requests by CPU second", per_cpu_s[name])
        table.place(GRID, name, "p99, µs", p99_us[name])
    most = f"bare grpcio, processes: {PROCESSES[-1]}"
    table.add(
        "one thread of the native lane, by CPU",
        per_cpu_s["native lane, one thread"],
        most,
        per_cpu_s[most],
        unit="requests/CPU s",
        target="-",
        headline=True,
    )
