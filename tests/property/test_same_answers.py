"""One engine behind each way in: the same calls give the same answers, and the same cells to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanes import contents, lane, make_engine, outcome_of, python_server, to_lane
from sidecars import Stubs
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


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    engines = [make_engine() for _ in range(4)]
    path = f"unix:{tmp_path_factory.mktemp('l')}/lane.sock"
    with (
        python_server(engines[0]) as python,
        lane(engines[1]) as native,
        lane(engines[2], path) as socket,
        to_lane(native.address) as by_address,
        to_lane(socket.address) as by_socket,
    ):
        yield Ways(python, by_address, by_socket, engines)
        # Behind all examples: what each of them counted.
        first, *others = (contents(engine) for engine in engines)
        assert first
        assert all(other == first for other in others)


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
