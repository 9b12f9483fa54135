"""Ten times as many callers as the server can keep busy: what is still answered, how fast, and what the others hear."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from load import Figures, begin_load, build_loadgen, end_load, write_messages
from sidecar import sidecar
from table import Table
from test_server import ASSIGN, RECORD, assign_request, record_request

ROUNDS = 3
SECONDS = 2.0
# More callers than this add nothing to what is answered.
PEAK = 32
OVERLOAD = 10 * PEAK
# What the server's RetryInfo says.
PAUSE_MS = 1000

pytestmark = pytest.mark.timeout(300)


def test_overload(benchmark: BenchmarkFixture, tmp_path: Path, table: Table) -> None:
    build_loadgen()
    assign = write_messages(tmp_path / "assign", [assign_request(unit).SerializeToString() for unit in range(1000)])
    record = write_messages(tmp_path / "record", [record_request(unit).SerializeToString() for unit in range(1000)])
    alone: list[Figures] = []
    peak: list[Figures] = []
    recorded: list[Figures] = []
    assigned: list[Figures] = []
    grown: list[float] = []

    with sidecar(tmp_path / "state") as address:

        def one(method: str, messages: Path, callers: int) -> Figures:
            return end_load(begin_load(address, method, messages, in_flight=callers, seconds=SECONDS, connections=4))

        def one_round() -> None:
            alone.append(one(ASSIGN, assign, 1))
            peak.append(one(RECORD, record, PEAK))
            before = resident_bytes(tmp_path / "state")
            flood = begin_load(
                address,
                RECORD,
                record,
                in_flight=OVERLOAD,
                seconds=SECONDS,
                connections=OVERLOAD // 16,
                pause_ms=PAUSE_MS,
            )
            beside = begin_load(address, ASSIGN, assign, in_flight=1, seconds=SECONDS)
            recorded.append(end_load(flood))
            assigned.append(end_load(beside))
            grown.append((resident_bytes(tmp_path / "state") - before) / 2**20)

        benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)

    assert all(each.refused == each.refused_with_retry for each in recorded), "every refusal says when to come back"
    both = [one.requests_per_s + other.requests_per_s for one, other in zip(recorded, assigned, strict=True)]
    table.add(
        f"Overload, {OVERLOAD} callers record and one assigns",
        both,
        f"{PEAK} callers record",
        [each.requests_per_s for each in peak],
        unit="requests/s",
        target="≥ 0.8",
    )
    table.add(
        "Overload, Assign p99",
        [each.p99_us for each in assigned],
        "Assign alone, p99",
        [each.p99_us for each in alone],
        unit="µs",
        target="≤ 5",
    )
    table.add(
        "Overload, refused with the time to come back",
        [each.refused_with_retry / SECONDS for each in recorded],
        "refused",
        [max(1.0, each.refused / SECONDS) for each in recorded],
        unit="requests/s",
        target="≥ 1",
    )
    table.add(
        "Overload, memory grown by",
        grown,
        "of a limit of",
        [64.0] * ROUNDS,
        unit="MiB",
        target="≤ 1",
    )


def resident_bytes(state: Path) -> int:
    """Returns the memory of the process that holds the lock of a state directory."""
    pid = int((state / "lock").read_text())
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
