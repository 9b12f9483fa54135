"""What is shipped arrives once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engines import NOW_MS, experiment, loaded_engine, snapshot
from sortition.client.local.shipper import Shipped, Shipper
from sortition.core import Engine
from sortition.errors import (
    FailedPrecondition,
    InternalError,
    InvalidArgument,
    ResourceExhausted,
    SidecarUnavailable,
    SortitionError,
    Unauthenticated,
)
from sortition.rpc.v1 import recording_pb2

Answer = Callable[[recording_pb2.RecordBatchRequest], recording_pb2.RecordResponse]


class Sidecar:
    """Remembers what it was sent, and answers as its script says: with an error, or by counting."""

    def __init__(self, *script: SortitionError | None) -> None:
        self.arrived: list[recording_pb2.RecordBatchRequest] = []
        self.script = list(script)

    def __call__(self, request: bytes, _timeout_s: float) -> recording_pb2.RecordResponse:
        self.arrived.append(recording_pb2.RecordBatchRequest.FromString(request))
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        return recording_pb2.RecordResponse(accepted=len(self.arrived[-1].outcomes))

    @property
    def numbers(self) -> list[int]:
        return [request.delivery.seq for request in self.arrived]

    @property
    def units(self) -> list[list[str]]:
        return [[each.unit for each in request.outcomes] for request in self.arrived]


@pytest.fixture
def engine() -> Engine:
    made = Engine.forwarding()
    made.load_snapshot(snapshot(1, experiment()))
    return made


def record(engine: Engine, *units: str) -> None:
    for unit in units:
        observation = recording_pb2.Observation(metric="score", number=1.0)
        outcome = recording_pb2.Outcome(experiment="search", unit=unit, observations=[observation])
        engine.record(recording_pb2.RecordRequest(outcome=outcome).SerializeToString(), NOW_MS)


def waiting(engine: Engine) -> int:
    return engine.counters()["outbound_items"]


def test_batches_are_numbered_and_settle_what_is_below(engine: Engine) -> None:
    sidecar = Sidecar()
    shipper = Shipper(engine, sidecar, 60)
    for unit in "abc":
        record(engine, unit)
        assert shipper.flush(5) is None
    deliveries = [request.delivery for request in sidecar.arrived]
    assert [(each.seq, each.oldest_pending) for each in deliveries] == [(1, 1), (2, 2), (3, 3)]
    assert {len(each.client) for each in deliveries} == {16}
    assert len({each.client for each in deliveries}) == 1
    assert shipper.shipped == Shipped(observations=3)
    assert waiting(engine) == 0


@pytest.mark.parametrize(
    "error",
    [SidecarUnavailable("away"), Unauthenticated("no token"), ResourceExhausted("live_cells: full")],
)
def test_what_may_pass_is_sent_again_under_its_number(engine: Engine, error: SortitionError) -> None:
    sidecar = Sidecar(error, error)
    shipper = Shipper(engine, sidecar, 60)
    record(engine, "a")
    assert shipper.flush(0.01) is error
    # Behind what is under way, and not with it: nobody knows whether that has arrived.
    record(engine, "b")
    assert waiting(engine) == 2
    assert shipper.flush(5) is None
    assert sidecar.numbers == [1, 1, 1, 2]
    assert sidecar.units == [["a"], ["a"], ["a"], ["b"]]
    assert shipper.shipped == Shipped(observations=2, retries=2)
    assert waiting(engine) == 0


def test_a_batch_that_was_counted_and_not_answered_counts_once(engine: Engine) -> None:
    counting = loaded_engine()
    lost = [True, False]

    def send(request: bytes, _timeout_s: float) -> recording_pb2.RecordResponse:
        answer = recording_pb2.RecordResponse.FromString(counting.record_batch(request, NOW_MS))
        if lost.pop(0):
            raise SidecarUnavailable("the answer was lost")
        return answer

    shipper = Shipper(engine, send, 60)
    record(engine, "a", "b")
    assert shipper.flush(5) is None
    assert shipper.shipped == Shipped(duplicates=1, retries=1)
    batch = counting.seal()
    assert batch is not None
    assert sum(delta.cell.n for delta in batch.cells) == 2


def test_what_an_error_names_is_left_out_and_the_others_go(engine: Engine) -> None:
    refused = InvalidArgument.of([("outcomes[1].experiment", "is gone"), ("outcomes[3].variant", "is another")])
    sidecar = Sidecar(refused)
    shipper = Shipper(engine, sidecar, 60)
    record(engine, *"abcde")
    assert shipper.flush(5) is None
    assert sidecar.units[1] == ["a", "c", "e"]
    assert sidecar.numbers == [1, 2]
    assert shipper.shipped == Shipped(observations=3, refused=2)
    assert waiting(engine) == 0


def test_what_is_named_in_words_alone_is_left_out_too(engine: Engine) -> None:
    sidecar = Sidecar(FailedPrecondition('outcomes[0].experiment: "search" is a draft; start it first'))
    shipper = Shipper(engine, sidecar, 60)
    record(engine, *"ab")
    assert shipper.flush(5) is None
    assert sidecar.units[1] == ["b"]


def test_where_nothing_is_named_halves_find_the_bad_one(engine: Engine) -> None:
    arrived: list[str] = []

    def send(request: bytes, _timeout_s: float) -> recording_pb2.RecordResponse:
        units = [each.unit for each in recording_pb2.RecordBatchRequest.FromString(request).outcomes]
        if "f" in units:
            raise InternalError("a defect")
        arrived.extend(units)
        return recording_pb2.RecordResponse(accepted=len(units))

    shipper = Shipper(engine, send, 60)
    record(engine, *"abcdefgh")
    assert shipper.flush(5) is None
    assert arrived == list("abcdegh")
    assert shipper.shipped == Shipped(observations=7, refused=1)
    assert waiting(engine) == 0


def test_exposures_and_outcomes_go_together(engine: Engine) -> None:
    sidecar = Sidecar()
    engine.assign_unit("search", "a")
    record(engine, "a")
    assert Shipper(engine, sidecar, 60).flush(5) is None
    assert [(len(request.exposed), len(request.outcomes)) for request in sidecar.arrived] == [(1, 1)]


def test_a_flush_is_over_in_time(engine: Engine) -> None:
    sidecar = Sidecar(*[SidecarUnavailable("away")] * 100)
    record(engine, "a")
    shipper = Shipper(engine, sidecar, 60)
    assert isinstance(shipper.flush(0), SortitionError)
    assert not sidecar.arrived
    assert isinstance(shipper.flush(0.2), SidecarUnavailable)
    assert waiting(engine) == 1
