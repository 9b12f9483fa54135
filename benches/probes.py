"""What calls into one tree of sortition take, for `compare`: prints a JSON object of nanoseconds.

    PYTHONPATH=TREE/src:benches python benches/probes.py

What is measured is the time of the processor, which others on the machine do not add to. It runs against old trees as
well: what a tree does not have is left out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, cycle

from many_experiments import snapshot
from sortition.core import Cell, Engine
from sortition.rpc.v1 import assignment_pb2, recording_pb2

REPEATS = 5
UNITS = [f"user-{number}" for number in range(1000)]
KEY = "experiment-0"

Probe = Callable[[], tuple[Callable[[], object], int]]
"""Makes what is measured, and says how many of it one call does."""


def engine(experiments: int = 1) -> Engine:
    made = Engine(unit_key=bytes(32))
    made.load_snapshot(snapshot(experiments=experiments))
    return made


def outcome(unit: str) -> recording_pb2.Outcome:
    observations = [recording_pb2.Observation(metric="latency", number=1.0 + len(unit) % 97)]
    return recording_pb2.Outcome(experiment=KEY, unit=unit, observations=observations)


def for_each(call: Callable[[bytes], object], requests: list[bytes]) -> Callable[[], None]:
    def work() -> None:
        for request in requests:
            call(request)

    return work


def assign_unit() -> tuple[Callable[[], object], int]:
    call = engine().assign_unit

    def work() -> None:
        for _ in range(20):
            for unit in UNITS:
                call(KEY, unit)

    return work, 20 * len(UNITS)


def assign_message() -> tuple[Callable[[], object], int]:
    requests = [assignment_pb2.AssignRequest(experiment=KEY, unit=unit).SerializeToString() for unit in UNITS] * 20
    return for_each(engine().assign, requests), len(requests)


def assign_among_many() -> tuple[Callable[[], object], int]:
    requests = [
        assignment_pb2.AssignRequest(experiment=f"experiment-{number}", unit=UNITS[number]).SerializeToString()
        for number in range(1000)
    ] * 20
    return for_each(engine(1000).assign, requests), len(requests)


def assign_many() -> tuple[Callable[[], object], int]:
    from sortition.core import Units

    call, units = engine().assign_many, Units.texts([f"user-{number}" for number in range(100_000)])
    return lambda: call(KEY, units, "default", False), len(units)


def record_message() -> tuple[Callable[[], object], int]:
    requests = [recording_pb2.RecordRequest(outcome=outcome(unit)).SerializeToString() for unit in UNITS] * 20
    return for_each(engine().record, requests), len(requests)


def record_numbered() -> tuple[Callable[[], object], int]:
    call, numbers = engine().record, count(1)

    def work() -> None:
        for unit in UNITS:
            seq = next(numbers)
            delivery = recording_pb2.Delivery(client=bytes(16), seq=seq, oldest_pending=seq)
            call(recording_pb2.RecordRequest(outcome=outcome(unit), delivery=delivery).SerializeToString())

    return work, len(UNITS)


def record_batch() -> tuple[Callable[[], object], int]:
    outcomes = [outcome(unit) for unit in UNITS]
    requests = [
        recording_pb2.RecordBatchRequest(outcomes=outcomes[start : start + 100]).SerializeToString()
        for start in range(0, len(outcomes), 100)
    ] * 20
    return for_each(engine().record_batch, requests), 100 * len(requests)


def seal() -> tuple[Callable[[], object], int]:
    """Recording is part of it, as there is nothing to seal otherwise."""
    made = engine(1000)
    requests = [
        recording_pb2.RecordRequest(
            outcome=recording_pb2.Outcome(
                experiment=f"experiment-{number}",
                unit="unit",
                observations=[recording_pb2.Observation(metric="latency", number=1)],
            )
        ).SerializeToString()
        for number in range(1000)
    ]

    def work() -> None:
        for request in requests:
            made.record(request)
        batch = made.seal()
        assert batch is not None
        assert len(batch.cells) == len(requests)
        made.commit(batch.number)

    return work, len(requests)


def swap() -> tuple[Callable[[], object], int]:
    made, versions = engine(1000), cycle([snapshot(experiments=1000, version=number) for number in range(2, 50)])
    return lambda: made.load_snapshot(next(versions)), 1000


def merge() -> tuple[Callable[[], object], int]:
    cell = Cell(quantiles=True)
    cell.add_many(KEY, UNITS, [1.0 + number % 97 for number in range(len(UNITS))])

    def work() -> None:
        for _ in range(200):
            cell.merge(cell)

    return work, 200


PROBES: dict[str, Probe] = {
    "assign a unit from Python": assign_unit,
    "assign a message": assign_message,
    "assign a message, 1,000 experiments": assign_among_many,
    "assign_many, per unit": assign_many,
    "record a message": record_message,
    "record a numbered message": record_numbered,
    "record a batch of 100, per outcome": record_batch,
    "record and seal, per cell": seal,
    "swap a snapshot, per experiment": swap,
    "merge two cells": merge,
}


def measured() -> Iterator[tuple[str, float]]:
    for name, make in PROBES.items():
        try:
            work, each = make()
            work()
        except (AttributeError, ImportError, TypeError) as error:
            print(f"{name}: this tree has it not ({error})", file=sys.stderr)
            continue
        best = float("inf")
        for _ in range(REPEATS):
            begin = time.process_time_ns()
            work()
            best = min(best, time.process_time_ns() - begin)
        yield name, best / each


if __name__ == "__main__":
    print(json.dumps(dict(measured())))
