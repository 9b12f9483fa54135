"""One engine behind each way in: the same calls give the same answers, and the same cells to the last bit.

The ways: the server in Python and the native lane (over loopback and over a socket), each with one unit a call, with
batches and with streams; and in process: the counting engine's messages, its units one by one and in arrays, and an
engine that hands on what it took to one that counts, as a local client's does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lanes import contents, lane, make_engine, outcome_of, python_server, to_lane
from sidecars import TIMEOUT_S, Stubs
from sortition.api import server
from sortition.client.local.shipper import Shipper
from sortition.client.local.units import units_of
from sortition.core import Engine
from sortition.errors import SortitionError
from sortition.rpc.v1 import assignment_pb2, recording_pb2

EXPERIMENTS = st.sampled_from(["search", "paused", "done", "elsewhere", "nowhere", "", "NO", "ü"])
UNITS = st.sampled_from(["u", "v", "ünit", "", "x" * 513, *map(str, range(30))])
NUMBERS = st.sampled_from([0.0, 1.5, 7.25, -1.0, 90.0, float("nan"), float("inf")])


@st.composite
def assigns(draw: Any) -> assignment_pb2.AssignRequest:
    return assignment_pb2.AssignRequest(
        experiment=draw(EXPERIMENTS), unit=draw(UNITS), organization=draw(st.sampled_from(["", "default", "other"]))
    )


@st.composite
def outcomes(draw: Any) -> recording_pb2.Outcome:
    observations = draw(
        st.lists(
            st.one_of(
                st.builds(
                    recording_pb2.Observation,
                    metric=st.sampled_from(["score", "time", "missing", "%\n…" * 300]),
                    number=NUMBERS,
                ),
                st.builds(recording_pb2.Observation, metric=st.just("success"), flag=st.booleans()),
            ),
            max_size=3,
        )
    )
    return recording_pb2.Outcome(
        experiment=draw(EXPERIMENTS),
        unit=draw(UNITS),
        variant=draw(st.sampled_from(["", "v0", "v1", "v9"])),
        observations=observations,
    )


@st.composite
def deliveries(draw: Any) -> recording_pb2.Delivery:
    number = draw(st.integers(0, 40))
    made: recording_pb2.Delivery = draw(
        st.sampled_from(
            [
                recording_pb2.Delivery(),
                recording_pb2.Delivery(client=b"c" * 16, seq=number, oldest_pending=1),
                recording_pb2.Delivery(idempotency_key=bytes([number])),
            ]
        )
    )
    return made


records = st.builds(recording_pb2.RecordRequest, outcome=outcomes(), delivery=deliveries())
CALLS = st.one_of(
    st.tuples(st.just("Assignment/Assign"), assigns()),
    st.tuples(
        st.just("Assignment/Expose"),
        st.builds(assignment_pb2.ExposeRequest, experiment=EXPERIMENTS, unit=UNITS),
    ),
    st.tuples(
        st.just("Assignment/AssignBatch"),
        st.builds(assignment_pb2.AssignBatchRequest, requests=st.lists(assigns(), max_size=5)),
    ),
    st.tuples(st.just("Recording/Record"), records),
    st.tuples(
        st.just("Recording/RecordBatch"),
        st.builds(recording_pb2.RecordBatchRequest, outcomes=st.lists(outcomes(), max_size=5), delivery=deliveries()),
    ),
    st.tuples(st.sampled_from(["Assignment/Assign", "Recording/Record"]), st.just(None)),
)


@dataclass
class Ways:
    """Engines that were made alike, each behind one way in."""

    python: Stubs
    native: Stubs
    socket: Stubs
    engines: list[Engine]
    counted: int = 0

    def count(self) -> None:
        """Takes what each engine has counted since, and demands that it is the same to the last bit."""
        first, *others = (contents(engine) for engine in self.engines)
        assert all(other == first for other in others)
        self.counted += len(first)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    engines = [make_engine() for _ in range(4)]
    path = f"unix:{tmp_path_factory.mktemp('l')}/lane.sock"
    with (
        one_thread_records(),
        python_server(engines[0]) as python,
        lane(engines[1]) as native,
        lane(engines[2], path) as socket,
        to_lane(native.address) as by_address,
        to_lane(socket.address) as by_socket,
    ):
        made = Ways(python, by_address, by_socket, engines)
        yield made
        assert made.counted


@contextmanager
def one_thread_records() -> Iterator[None]:
    """Gives the server in Python one thread for recordings, where two take them.

    Each thread adds to a part of its own, and the last bits of a mean depend on which of them took what.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "_RECORDING_THREADS", 1)
        yield


def direct(engine: Engine, method: str, request: bytes) -> tuple[object, ...]:
    """Calls an engine in this process; of a refusal only the words, as there is no status."""
    names = {"Assign": "assign", "AssignBatch": "assign_batch", "Expose": "expose", "Record": "record"}
    name = names.get(method.partition("/")[2], "record_batch")
    try:
        return (getattr(engine, name)(request),)
    except SortitionError as error:
        return (error.code, error.violations)


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(CALLS, min_size=1, max_size=8))
def test_every_way_in_gives_the_same_answers(ways: Ways, calls: list[tuple[str, Any]]) -> None:
    for method, message in calls:
        request = b"\x0a\xff" if message is None else message.SerializeToString()
        answer = outcome_of(ways.python, method, request)
        assert outcome_of(ways.native, method, request) == answer
        assert outcome_of(ways.socket, method, request) == answer
        in_process = direct(ways.engines[3], method, request)
        if len(answer) == 1:
            assert in_process == answer
        else:
            assert in_process[0] == getattr(answer[0], "name", None)
    ways.count()


@settings(max_examples=30, deadline=None)
@given(asked=st.lists(assigns(), min_size=1, max_size=20), told=st.lists(records, min_size=1, max_size=20))
def test_streams_give_the_same_answers(ways: Ways, asked: list[Any], told: list[Any]) -> None:
    for method, messages in (("Assignment/AssignStream", asked), ("Recording/RecordStream", told)):
        requests = [message.SerializeToString() for message in messages]
        answers = ways.python.raw_stream(method, *requests)
        assert len(answers) == len(requests)
        assert ways.native.raw_stream(method, *requests) == answers
        assert ways.socket.raw_stream(method, *requests) == answers
        name = "assign_stream_message" if "Assign" in method else "record_stream_message"
        assert [getattr(ways.engines[3], name)(request) for request in requests] == answers
    # Before the next stream, which may have another thread.
    ways.count()


# What follows asks for groups of what is fine by itself, as one refusal refuses a batch, and compares ways that take
# them apart differently. Values are such that a sum in another order has other bits.
FINE = st.builds(
    assignment_pb2.AssignRequest,
    experiment=st.sampled_from(["search", "search", "paused", "done"]),
    unit=st.sampled_from(["ünit", "x" * 512, *map(str, range(40))]),
    expose=st.booleans(),
)
TOLD = st.builds(
    lambda experiment, unit, score, time, success: recording_pb2.Outcome(
        experiment=experiment,
        unit=unit,
        variant="v1" if experiment == "elsewhere" else "",
        observations=[
            recording_pb2.Observation(metric="score", number=score),
            recording_pb2.Observation(metric="time", number=time),
            recording_pb2.Observation(metric="success", flag=success),
        ],
    ),
    st.sampled_from(["search", "search", "paused", "done", "elsewhere"]),
    st.sampled_from(["ünit", *map(str, range(10))]),
    st.floats(-1e6, 1e6, width=32).map(lambda value: value / 3),
    st.sampled_from([0.0, 0.1, 0.3, 7.7, 59.9, 90.0]),
    st.booleans(),
)
GROUPS = st.lists(
    st.one_of(st.lists(FINE, min_size=1, max_size=12), st.lists(TOLD, min_size=1, max_size=12)), min_size=1, max_size=4
)
Asked = Sequence[assignment_pb2.AssignRequest]
Told = Sequence[recording_pb2.Outcome]


@dataclass
class Way:
    """One way to bring groups to an engine.

    Attributes:
        name: Which.
        engine: What counts.
        assign: Returns what is seen of each answer.
        record: Returns the answers, one for each outcome or one for all of them.
        view: What of an answer is seen there.
    """

    name: str
    engine: Engine
    assign: Callable[[Asked], list[object]]
    record: Callable[[Told], list[recording_pb2.RecordResponse]]
    view: Callable[[assignment_pb2.AssignResponse], object] = assignment_pb2.AssignResponse.SerializeToString


def canonical(answer: bytes) -> bytes:
    """Returns the bytes of an answer in the order of its fields; that ways agree in their order is asked for above."""
    return assignment_pb2.AssignResponse.FromString(answer).SerializeToString()


def recorded(answers: Sequence[bytes]) -> list[recording_pb2.RecordResponse]:
    return [recording_pb2.RecordResponse.FromString(each) for each in answers]


def record_requests(told: Told) -> list[bytes]:
    return [recording_pb2.RecordRequest(outcome=each).SerializeToString() for each in told]


def one_by_one(name: str, engine: Engine, stubs: Stubs) -> Way:
    return Way(
        f"{name}, one by one",
        engine,
        lambda asked: [canonical(stubs.raw("Assignment/Assign", each.SerializeToString())) for each in asked],
        lambda told: recorded([stubs.raw("Recording/Record", each) for each in record_requests(told)]),
    )


def in_batches(name: str, engine: Engine, stubs: Stubs) -> Way:
    def assign(asked: Asked) -> list[object]:
        request = assignment_pb2.AssignBatchRequest(requests=asked).SerializeToString()
        answer = assignment_pb2.AssignBatchResponse.FromString(stubs.raw("Assignment/AssignBatch", request))
        return [each.SerializeToString() for each in answer.responses]

    def record(told: Told) -> list[recording_pb2.RecordResponse]:
        request = recording_pb2.RecordBatchRequest(outcomes=told).SerializeToString()
        return recorded([stubs.raw("Recording/RecordBatch", request)])

    return Way(f"{name}, in batches", engine, assign, record)


def in_streams(name: str, engine: Engine, stubs: Stubs) -> Way:
    def assign(asked: Asked) -> list[object]:
        answers = stubs.raw_stream("Assignment/AssignStream", *[each.SerializeToString() for each in asked])
        return [assignment_pb2.AssignStreamResponse.FromString(each).assignment.SerializeToString() for each in answers]

    def record(told: Told) -> list[recording_pb2.RecordResponse]:
        answers = stubs.raw_stream("Recording/RecordStream", *record_requests(told))
        return [recording_pb2.RecordStreamResponse.FromString(each).recorded for each in answers]

    return Way(f"{name}, in streams", engine, assign, record)


def unit_seen(answer: Any) -> object:
    """What an assignment without messages says; of nothing, a message says empty."""
    return (
        answer.experiment or "",
        answer.variant or "",
        answer.config,
        answer.config_hash,
        answer.reason,
        answer.bucket,
        answer.exposed,
    )


def unit_by_unit(name: str, engine: Engine, answering: Engine, shipped: Callable[[], None]) -> Way:
    """In this process; what answers may be another engine than what counts."""

    def assign(asked: Asked) -> list[object]:
        found = [unit_seen(answering.assign_unit(each.experiment, each.unit, "default", each.expose)) for each in asked]
        shipped()
        return list(found)

    def record(told: Told) -> list[recording_pb2.RecordResponse]:
        answers = recorded([answering.record(each) for each in record_requests(told)])
        shipped()
        return answers

    return Way(name, engine, assign, record, unit_seen)


def in_arrays(name: str, engine: Engine, answering: Engine, shipped: Callable[[], None]) -> Way:
    """In this process, all units of one experiment at a time; outcomes in one batch."""

    def assign(asked: Asked) -> list[object]:
        found: dict[int, object] = {}
        for alike in sorted({(each.experiment, each.expose) for each in asked}):
            places = [place for place, each in enumerate(asked) if (each.experiment, each.expose) == alike]
            units = units_of([asked[place].unit for place in places])
            many = answering.assign_many(alike[0], units, "default", alike[1])
            for place, index in zip(places, memoryview(many.indices).cast("h"), strict=True):
                found[place] = (many.names[index], many.configs[index]) if index >= 0 else ("", None)
        shipped()
        return [found[place] for place in range(len(asked))]

    def record(told: Told) -> list[recording_pb2.RecordResponse]:
        answer = answering.record_batch(recording_pb2.RecordBatchRequest(outcomes=told).SerializeToString())
        shipped()
        return recorded([answer])

    def view(answer: assignment_pb2.AssignResponse) -> object:
        return (answer.variant, answer.config if answer.variant else None)

    return Way(name, engine, assign, record, view)


def handing_on(engine: Engine, stubs: Stubs) -> tuple[Engine, Callable[[], None]]:
    """Makes an engine as a local client has one, and what ships to a sidecar what it took."""
    local = Engine.forwarding()
    snapshot = engine.snapshot
    assert snapshot is not None
    local.load_snapshot(snapshot)

    def send(request: bytes, _timeout_s: float) -> recording_pb2.RecordResponse:
        return recording_pb2.RecordResponse.FromString(stubs.raw("Recording/RecordBatch", request))

    shipper = Shipper(local, send, 60.0)

    def shipped() -> None:
        assert shipper.flush(TIMEOUT_S) is None
        assert shipper.shipped.refused == 0

    return local, shipped


@pytest.fixture(scope="module")
def all_ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Way]]:
    folder = tmp_path_factory.mktemp("w")
    shapes = (one_by_one, in_batches, in_streams)
    with ExitStack() as stack, one_thread_records():
        made: list[Way] = []
        for shape in shapes:
            engine = make_engine()
            made.append(shape("server in Python", engine, stack.enter_context(python_server(engine))))
        for place, listen in (("loopback", "127.0.0.1:0"), ("socket", f"unix:{folder}/")):
            for shape in shapes:
                engine = make_engine()
                where = f"{listen}{len(made)}.sock" if place == "socket" else listen
                native = stack.enter_context(lane(engine, where))
                made.append(shape(f"lane on {place}", engine, stack.enter_context(to_lane(native.address))))
        for local in (unit_by_unit, in_arrays):
            engine = make_engine()
            made.append(local(f"{local.__name__}, counting", engine, engine, lambda: None))
            engine = make_engine()
            native = stack.enter_context(lane(engine))
            answering, shipped = handing_on(engine, stack.enter_context(to_lane(native.address)))
            made.append(local(f"{local.__name__}, handing on", engine, answering, shipped))
        yield made


def totals(answers: Sequence[recording_pb2.RecordResponse]) -> tuple[int, ...]:
    return tuple(
        sum(getattr(each, name) for each in answers) for name in ("accepted", "late", "ignored", "clamped", "duplicate")
    )


def drained(engine: Engine) -> list[tuple[object, ...]]:
    """Returns everything that an engine would store, and lets it begin anew."""
    found = contents(engine)
    batch = engine.seal()
    if batch is not None:
        engine.commit(batch.number)
    return found


# Every example is some hundred calls; explaining one would take minutes.
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(groups=GROUPS)
def test_groups_are_the_same_however_they_come(all_ways: list[Way], groups: list[list[Any]]) -> None:
    first, *others = all_ways
    for way in all_ways:
        # What an example that failed has left.
        drained(way.engine)
    for group in groups:
        if isinstance(group[0], assignment_pb2.AssignRequest):
            expected = [assignment_pb2.AssignResponse.FromString(cast(bytes, each)) for each in first.assign(group)]
            for way in others:
                assert way.assign(group) == list(map(way.view, expected)), way.name
        else:
            answers = first.record(group)
            for way in others:
                found = way.record(group)
                assert totals(found) == totals(answers), way.name
                assert len(found) == 1 or found == answers, way.name
        # Before the next stream, which may have another thread.
        aggregates = drained(first.engine)
        for way in others:
            assert drained(way.engine) == aggregates, way.name


def test_every_way_is_driven(all_ways: list[Way]) -> None:
    """Nine over a wire, four in this process, each with an engine of its own."""
    assert len({way.name for way in all_ways}) == 13
    assert len({id(way.engine) for way in all_ways}) == 13
