"""What one more of something takes of memory, in a process of its own.

python benches/memory_loop.py KIND COUNT      prints bytes for each, and bytes for each once it is flushed
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

from many_experiments import snapshot
from sortition.core import Engine, Units
from sortition.rpc.v1 import recording_pb2

EXPERIMENT = "experiment-0"
_LIBC = ctypes.CDLL(None)
_STEP = 10_000
_VALUES = 500


def resident() -> int:
    """Returns the bytes of memory that this process holds, after giving back what it can."""
    gc.collect()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def engine(experiments: int = 1) -> Engine:
    made = Engine(unit_key=bytes(32))
    if experiments:
        made.load_snapshot(snapshot(experiments=experiments))
    return made


def outcome(experiment: str, unit: str, *metrics: str) -> recording_pb2.Outcome:
    observations = [recording_pb2.Observation(metric=metric, number=1) for metric in metrics]
    return recording_pb2.Outcome(experiment=experiment, unit=unit, observations=observations)


def experiments(count: int) -> tuple[Engine, Callable[[Engine], None]]:
    def fill(made: Engine) -> None:
        made.load_snapshot(snapshot(experiments=count))

    return engine(0), fill


def cells(count: int, metric: str) -> tuple[Engine, Callable[[Engine], None]]:
    """Cells of one unit each, one for an experiment."""

    def fill(made: Engine) -> None:
        for number in range(count):
            request = recording_pb2.RecordRequest(outcome=outcome(f"experiment-{number}", "unit", metric))
            made.record(request.SerializeToString())

    return engine(count), fill


def sketches(count: int) -> tuple[Engine, Callable[[Engine], None]]:
    """Cells of units whose latencies have a long tail."""
    chance = random.Random(1)
    values = [chance.lognormvariate(3, 0.7) for _ in range(_VALUES)]

    def fill(made: Engine) -> None:
        for number in range(count):
            outcomes = [outcome(f"experiment-{number}", f"unit-{index}", "latency") for index in range(_VALUES)]
            for each, value in zip(outcomes, values, strict=True):
                each.observations[0].number = value
            made.record_batch(recording_pb2.RecordBatchRequest(outcomes=outcomes).SerializeToString())

    return engine(count), fill


def exposed(count: int) -> tuple[Engine, Callable[[Engine], None]]:
    def fill(made: Engine) -> None:
        for start in range(0, count, _STEP):
            made.assign_many(EXPERIMENT, Units.texts([f"unit-{start + number}" for number in range(_STEP)]))

    return engine(), fill


def clients(count: int) -> tuple[Engine, Callable[[Engine], None]]:
    def fill(made: Engine) -> None:
        for number in range(count):
            delivery = recording_pb2.Delivery(client=number.to_bytes(16, "big"), seq=1, oldest_pending=1)
            request = recording_pb2.RecordRequest(outcome=outcome(EXPERIMENT, "unit", "success"), delivery=delivery)
            made.record(request.SerializeToString())

    return engine(), fill


def keys(count: int) -> tuple[Engine, Callable[[Engine], None]]:
    def fill(made: Engine) -> None:
        for number in range(count):
            delivery = recording_pb2.Delivery(idempotency_key=number.to_bytes(16, "big"))
            request = recording_pb2.RecordRequest(outcome=outcome(EXPERIMENT, "unit", "success"), delivery=delivery)
            made.record(request.SerializeToString())

    return engine(), fill


KINDS: dict[str, Callable[[int], tuple[Engine, Callable[[Engine], None]]]] = {
    "experiment": experiments,
    "cell": lambda count: cells(count, "success"),
    "cell with a sketch of 500 values": sketches,
    "exposed unit": exposed,
    "client": clients,
    "idempotency key": keys,
}


def main() -> None:
    kind, count = sys.argv[1], int(sys.argv[2])
    # What a first call leaves behind is nobody's.
    warm, fill = KINDS[kind](_STEP if kind == "exposed unit" else 10)
    fill(warm)
    del warm, fill
    made, fill = KINDS[kind](count)
    before = resident()
    fill(made)
    held = resident() - before
    batch = made.seal()
    if batch is not None:
        made.commit(batch.number)
    del batch
    print(held / count, (resident() - before) / count)


if __name__ == "__main__":
    main()
