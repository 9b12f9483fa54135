"""A million calls, 30 % of them sent twice and all of them out of order, across restarts: each counts once."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from engines import KEY, NOW_MS, experiment, snapshot
from sortition.core import UNIT_BUCKETS, Cell, Engine, unit_bucket
from sortition.errors import InvalidArgument
from sortition.rpc.v1 import recording_pb2

CLIENTS = 50
CALLS = 20_000
TWICE = 0.3
# How far a call may be delayed, counted in calls of its client; the window has 256.
DELAY = 200
RESTARTS = 5
UNITS = [f"unit-{number}" for number in range(500)]
EXPERIMENT = experiment(external=True)


class Database:
    """Merges batches, each once, as the real one does."""

    def __init__(self) -> None:
        self.high_water = 0
        self.cells: dict[int, Cell] = {}

    def take(self, engine: Engine) -> None:
        while (batch := engine.seal()) is not None:
            if batch.number == self.high_water + 1:
                for delta in batch.cells:
                    before = self.cells.get(delta.variant)
                    self.cells[delta.variant] = delta.cell if before is None else before.merge(delta.cell)
                self.high_water = batch.number
            engine.commit(batch.number)


def opened(directory: Path, database: Database) -> Engine:
    engine = Engine(unit_key=KEY, log_dir=directory)
    engine.resume(database.high_water)
    engine.load_snapshot(snapshot(1, EXPERIMENT))
    return engine


def deliveries(chance: random.Random) -> list[tuple[int, int]]:
    """Returns the order in which the calls of all clients arrive, as (client, number)."""
    found: list[tuple[float, int, int]] = []
    for client in range(CLIENTS):
        for seq in range(1, CALLS + 1):
            found.append((seq + chance.random() * DELAY, client, seq))
            if chance.random() < TWICE:
                found.append((seq + chance.random() * DELAY, client, seq))
    found.sort()
    return [(client, seq) for _, client, seq in found]


def value_of(client: int, seq: int) -> int:
    """What a call records: large enough that no other mistake makes up for one."""
    return (client * 1_000_003 + seq * 7919) % 1_048_573


def unit_of(client: int, seq: int) -> str:
    return UNITS[(client * 31 + seq) % len(UNITS)]


def requests(order: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    message = recording_pb2.RecordRequest()
    outcome, delivery = message.outcome, message.delivery
    outcome.experiment = EXPERIMENT.key
    observed = outcome.observations.add(metric="score")
    for client, seq in order:
        outcome.unit = unit_of(client, seq)
        outcome.variant = f"v{client % 2}"
        observed.number = value_of(client, seq)
        delivery.client = b"client-%d" % client
        delivery.seq = seq
        delivery.oldest_pending = max(1, seq - DELAY)
        yield message.SerializeToString()


@pytest.mark.timeout(300)
def test_a_million_calls_count_once_each(tmp_path: Path) -> None:
    order = deliveries(random.Random(4))
    total = CLIENTS * CALLS
    assert total == 1_000_000
    assert len(order) > 1.29 * total
    database = Database()
    engine = opened(tmp_path / "log", database)
    every = len(order) // (RESTARTS + 1)
    applied = 0
    for number, request in enumerate(requests(order), start=1):
        answer = engine.record(request, NOW_MS + number)
        # The answer's flag is the fifth field: cheaper to look for than to parse a million answers.
        applied += b"\x28\x01" not in answer
        if number % every == 0:
            # Killed, as far as the engine can tell: nothing is drained, nothing closed.
            del engine
            engine = opened(tmp_path / "log", database)
        elif number % (every // 7) == 0:
            database.take(engine)
    database.take(engine)
    engine.close()
    assert applied == total
    check_cells(database)


def check_cells(database: Database) -> None:
    expected = {variant: [[0, 0] for _ in range(UNIT_BUCKETS)] for variant in (0, 1)}
    buckets = {unit: unit_bucket(EXPERIMENT.id, unit)[0] for unit in UNITS}
    for client in range(CLIENTS):
        for seq in range(1, CALLS + 1):
            sums = expected[client % 2][buckets[unit_of(client, seq)]]
            sums[0] += 1
            sums[1] += value_of(client, seq)
    for variant, sums_of in expected.items():
        cell = database.cells[variant]
        assert cell.n == CLIENTS * CALLS // 2
        numbers = struct.unpack(f"<{2 * UNIT_BUCKETS}d", cell.buckets)
        assert [[numbers[at], numbers[at + 1]] for at in range(0, len(numbers), 2)] == sums_of


def test_keys_are_remembered_across_a_restart(tmp_path: Path) -> None:
    database = Database()
    engine = opened(tmp_path / "log", database)
    sent = []
    for number in range(2_000):
        message = recording_pb2.RecordRequest()
        message.outcome.experiment, message.outcome.unit, message.outcome.variant = EXPERIMENT.key, "u", "v0"
        message.outcome.observations.add(metric="score", number=number)
        message.delivery.idempotency_key = b"key-%d" % number
        sent.append(message.SerializeToString())
    chance = random.Random(5)
    for request in sent:
        engine.record(request, NOW_MS)
    del engine
    engine = opened(tmp_path / "log", database)
    for request in chance.sample(sent, len(sent)):
        assert recording_pb2.RecordResponse.FromString(engine.record(request, NOW_MS + 1)).duplicate
    database.take(engine)
    assert database.cells[0].n == len(sent)


def test_an_older_number_than_the_window_reaches_is_refused(tmp_path: Path) -> None:
    engine = opened(tmp_path / "log", Database())
    message = recording_pb2.RecordRequest()
    message.outcome.experiment, message.outcome.unit, message.outcome.variant = EXPERIMENT.key, "u", "v0"
    message.outcome.observations.add(metric="score", number=1)
    message.delivery.client, message.delivery.seq, message.delivery.oldest_pending = b"c", 400, 100
    with pytest.raises(InvalidArgument, match="more than 256 below"):
        engine.record(message.SerializeToString(), NOW_MS)
    engine.close()
