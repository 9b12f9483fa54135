"""Measures what a fleet of sidecars asks of one PostgreSQL.

    PYTHONPATH=src:tests python benches/fleet.py --writers 1 10 100 1000 10000

The writers are simulated: each has its own rows and brings the same batch that a sidecar would, over a few connections
that they share. All of them flush as fast as the server and this client take it, on the same machine; from that follows
how many could flush every five seconds. fsync is on.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from postgres import PostgresServer, alter
from sortition.core import SealedBatch
from sortition.store import BatchWriter, Database, cells, compaction
from store_samples import DAY, Delta, Seen, make_batch, make_cell, make_record, store

CONNECTIONS = 8
INTERVAL_S = 5.0
UNITS = 50
NEW_UNITS = 20


@dataclass(frozen=True)
class Row:
    """What was measured for one size of fleet."""

    writers: int
    live_cells: int
    flushes_per_s: float
    p50_ms: float
    p99_ms: float
    database_mb: float
    read_ms: float
    compacted_ms: float


def deltas(live_cells: int) -> list[Delta]:
    """Returns a batch's cells: two variants and two metrics, a duration with its sketch among them, over some days."""
    made = []
    for index in range(live_cells):
        variant, metric, day = index % 2, index // 2 % 2, index // 4
        values = [1.0 + each % 7 / 10 if metric == 0 else float(each % 2) for each in range(UNITS)]
        cell = make_cell("id-default-search", values, quantiles=metric == 0)
        made.append(Delta(cell, variant=variant, metric=metric, day=DAY + day))
    return made


def batch(number: int, writer: int, live: list[Delta]) -> SealedBatch:
    first = writer * 1_000_000 + number * NEW_UNITS
    return make_batch(number, live, [Seen(first + each) for each in range(NEW_UNITS)])


def in_parallel(threads: int, writers: int, rounds: int, work: Callable[[int], float]) -> list[float]:
    """Does `work` for each writer, round after round, each writer on one of the threads; returns what it returned."""
    took: list[float] = []

    def run(first: int) -> None:
        for _ in range(rounds):
            for index in range(first, writers, threads):
                took.append(work(index))

    running = [threading.Thread(target=run, args=(first,)) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(took) == writers * rounds
    return took


def measure(server: PostgresServer, count: int, live_cells: int, rounds: int) -> Row:
    url = server.new_database()
    databases = [Database.open(url, timeout_s=60) for _ in range(min(CONNECTIONS, count))]
    record = store(databases[0], make_record())
    live = deltas(live_cells)
    writers: dict[int, BatchWriter] = {}

    numbers = [1] * count

    def register(index: int) -> float:
        writers[index] = BatchWriter(databases[index % len(databases)], f"sidecar-{index}")
        writers[index].apply(batch(1, index, live))
        return 0.0

    def flush(index: int) -> float:
        numbers[index] += 1
        made = batch(numbers[index], index, live)
        begun = time.perf_counter()
        assert writers[index].apply(made)
        return time.perf_counter() - begun

    in_parallel(len(databases), count, 1, register)
    started = time.perf_counter()
    took = sorted(in_parallel(len(databases), count, rounds, flush))
    elapsed = time.perf_counter() - started
    size = alter(url, "SELECT pg_database_size(current_database())")[0][0] / 1e6
    read_ms = reading_ms(databases[0], record, count * rounds * UNITS * live_cells + count * UNITS * live_cells)
    compaction.compact(databases[0], DAY + 10_000)
    compacted_ms = reading_ms(databases[0], record, 0)
    for db in databases:
        db.close()
    server.drop(url)
    p50, p99 = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
    return Row(count, live_cells, len(took) / elapsed, p50, p99, size, read_ms, compacted_ms)


def reading_ms(db: Database, record: object, expected: int) -> float:
    """Returns how long an analysis takes to read the experiment."""
    started = time.perf_counter()
    with db.read() as tx:
        data = cells.experiment_data(tx, record)  # type: ignore[arg-type]
    elapsed = (time.perf_counter() - started) * 1000
    assert not expected or sum(cell.n for cell in data.cells.values()) == expected
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 10, 100, 1000, 10_000])
    parser.add_argument("--cells", type=int, default=8, help="live cells of each writer")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores for server and client; {arguments.cells} live cells a writer, {UNITS} units each")
    print("| writers | flushes/s | p50 ms | p99 ms | writers at 5 s | database MB | read ms | compacted, read ms |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    with PostgresServer(fsync="on", full_page_writes="on", autovacuum="on") as server:
        for count in arguments.writers:
            row = measure(server, count, arguments.cells, max(2, min(200, 2000 // count)))
            print(
                f"| {row.writers:,} | {row.flushes_per_s:,.0f} | {row.p50_ms:.1f} | {row.p99_ms:.1f}"
                f" | {row.flushes_per_s * INTERVAL_S:,.0f} | {row.database_mb:,.0f} | {row.read_ms:,.0f}"
                f" | {row.compacted_ms:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
