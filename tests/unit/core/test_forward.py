"""What an engine in an agent's process keeps for the sidecar."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from engines import NOW_MS, experiment, loaded_engine, snapshot
from sortition.client.local.units import units_of
from sortition.core import Engine, Units
from sortition.errors import FailedPrecondition, InvalidArgument, NotFound, NotReady, ResourceExhausted, SortitionError
from sortition.rpc.v1 import recording_pb2
from sortition.rpc.v1 import snapshot_pb2 as pb

ALL = 1 << 30


def forwarding(*experiments: pb.SnapshotExperiment, limits: dict[str, int] | None = None) -> Engine:
    engine = Engine.forwarding(limits)
    engine.load_snapshot(snapshot(1, *(experiments or (experiment(),))))
    return engine


def record(engine: Engine, unit: str, metric: str = "score", **delivery: Any) -> recording_pb2.RecordResponse:
    observation = recording_pb2.Observation(metric=metric, number=1.0)
    outcome = recording_pb2.Outcome(experiment="search", unit=unit, observations=[observation])
    request = recording_pb2.RecordRequest(outcome=outcome, delivery=recording_pb2.Delivery(**delivery))
    return recording_pb2.RecordResponse.FromString(engine.record(request.SerializeToString(), NOW_MS))


def handed_out(engine: Engine, max_bytes: int = ALL) -> recording_pb2.RecordBatchRequest:
    consignment = engine.hand_out(max_bytes)
    assert consignment is not None
    engine.settle(consignment)
    return recording_pb2.RecordBatchRequest.FromString(consignment.content)


def test_a_first_exposure_is_handed_on_once_with_what_decided_it() -> None:
    engine = forwarding()
    answers = [engine.assign_unit("search", "u", "default", True, NOW_MS) for _ in range(3)]
    assert all(answer.exposed for answer in answers)
    assert list(handed_out(engine).exposed) == [
        recording_pb2.ExposedUnit(
            experiment="search",
            unit="u",
            organization="default",
            variant=answers[0].variant,
            allocation_generation=1,
            occurred_at_ms=NOW_MS,
        )
    ]
    assert engine.hand_out(ALL) is None


def test_outcomes_are_handed_on_in_order_and_stamped() -> None:
    engine = forwarding()
    assert [record(engine, unit).accepted for unit in "abc"] == [1, 1, 1]
    batch = handed_out(engine)
    assert [outcome.unit for outcome in batch.outcomes] == ["a", "b", "c"]
    assert {outcome.occurred_at_ms for outcome in batch.outcomes} == {NOW_MS}


def test_what_is_refused_here_is_not_handed_on() -> None:
    engine = forwarding()
    with pytest.raises(InvalidArgument, match="metric"):
        record(engine, "a", metric="unknown")
    assert engine.hand_out(ALL) is None


def test_a_call_that_is_made_twice_is_handed_on_once() -> None:
    engine = forwarding()
    assert not record(engine, "a", client=b"me", seq=1).duplicate
    assert record(engine, "a", client=b"me", seq=1).duplicate
    assert len(handed_out(engine).outcomes) == 1


def test_nothing_is_counted_here() -> None:
    engine = forwarding()
    engine.assign_unit("search", "u")
    record(engine, "u")
    assert engine.seal() is None


def test_a_handout_has_at_most_so_many_bytes_and_items_and_loses_none() -> None:
    engine = forwarding()
    for number in range(12_000):
        engine.assign_unit("search", f"unit-{number}", "default", True, NOW_MS)
    seen: list[str] = []
    while (consignment := engine.hand_out(200_000)) is not None:
        assert len(consignment.content) <= 200_000
        batch = recording_pb2.RecordBatchRequest.FromString(consignment.content)
        assert len(batch.exposed) == consignment.items <= 10_000
        seen += [unit.unit for unit in batch.exposed]
    assert seen == [f"unit-{number}" for number in range(12_000)]


def test_what_waits_is_bounded_until_it_is_settled() -> None:
    engine = forwarding(limits={"outbound_items": 2})
    record(engine, "a")
    record(engine, "b")
    with pytest.raises(ResourceExhausted, match="outbound_items: 2 wait for the sidecar and the limit is 2"):
        record(engine, "c")
    # Assigning goes on, and says that it does not count.
    assert not engine.assign_unit("search", "d").exposed
    taken = engine.hand_out(ALL)
    assert taken is not None
    with pytest.raises(ResourceExhausted):
        record(engine, "c")
    engine.settle(taken)
    assert record(engine, "c").accepted == 1
    # The one that found no room is exposed by a later answer.
    assert engine.assign_unit("search", "d").exposed
    assert [unit.unit for unit in handed_out(engine).exposed] == ["d"]


def test_bytes_are_bounded_too() -> None:
    engine = forwarding(limits={"outbound_bytes": 100})
    record(engine, "a")
    with pytest.raises(ResourceExhausted, match="outbound_bytes"):
        record(engine, "b" * 100)


def test_a_forked_engine_answers_the_same_and_has_nothing_to_hand_on() -> None:
    parent = forwarding()
    before = parent.assign_unit("search", "u")
    child = parent.forked()
    assert child.snapshot == parent.snapshot
    assert child.hand_out(ALL) is None
    again = child.assign_unit("search", "u")
    assert (again.variant, again.exposed) == (before.variant, True)
    assert len(handed_out(child).exposed) == len(handed_out(parent).exposed) == 1


def test_the_loaded_snapshot_can_be_handed_on() -> None:
    engine = Engine.forwarding()
    assert engine.snapshot is None
    assert engine.wait_for_snapshot(0, 0) is None
    engine.load_snapshot(snapshot(7, experiment()))
    assert engine.wait_for_snapshot(6, 0) == (7, snapshot(7, experiment()))
    assert engine.wait_for_snapshot(7, 0) is None


def test_who_waits_for_a_snapshot_is_woken() -> None:
    engine = Engine.forwarding()
    found: list[tuple[int, bytes] | None] = []
    thread = threading.Thread(target=lambda: found.append(engine.wait_for_snapshot(0, 60)))
    thread.start()
    engine.load_snapshot(snapshot(3, experiment()))
    thread.join(30)
    assert found == [(3, snapshot(3, experiment()))]


# --- exposures that are told to an engine that counts ---


def told(**changes: Any) -> recording_pb2.ExposedUnit:
    engine = loaded_engine()
    made = recording_pb2.ExposedUnit(
        experiment="search",
        unit="u",
        variant=engine.assign_unit("search", "u").variant,
        allocation_generation=1,
    )
    made.MergeFrom(recording_pb2.ExposedUnit(**changes))
    return made


def tell(engine: Engine, *units: recording_pb2.ExposedUnit, **delivery: Any) -> recording_pb2.RecordResponse:
    request = recording_pb2.RecordBatchRequest(exposed=units, delivery=recording_pb2.Delivery(**delivery))
    return recording_pb2.RecordResponse.FromString(engine.record_batch(request.SerializeToString(), NOW_MS))


def exposures(engine: Engine) -> int:
    batch = engine.seal()
    return 0 if batch is None else len(batch.exposures)


def test_a_told_exposure_counts_once() -> None:
    engine = loaded_engine()
    tell(engine, told(), told())
    tell(engine, told())
    engine.assign_unit("search", "u")
    assert exposures(engine) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"variant": "v9"}, "variant"),
        ({"allocation_generation": 2}, "allocation_generation"),
        ({"unit": "x" * 513}, "unit"),
        ({"experiment": "No"}, "experiment"),
        ({"occurred_at_ms": NOW_MS + 3_600_000}, "occurred_at_ms"),
    ],
)
def test_a_wrong_one_refuses_the_call(changes: dict[str, Any], field: str) -> None:
    engine = loaded_engine()
    with pytest.raises(InvalidArgument) as refused:
        tell(engine, told(), told(**changes))
    assert {violation.field for violation in refused.value.violations} == {f"exposed[1].{field}"}
    assert exposures(engine) == 0


def test_the_other_variant_is_refused() -> None:
    other = {"v0": "v1", "v1": "v0"}[told().variant]
    with pytest.raises(InvalidArgument, match="allocation 1 gives the unit"):
        tell(loaded_engine(), told(variant=other))


@pytest.mark.parametrize(
    ("status", "count"),
    [
        (pb.EXPERIMENT_STATUS_RUNNING, 1),
        # It was exposed before the pause.
        (pb.EXPERIMENT_STATUS_PAUSED, 1),
        (pb.EXPERIMENT_STATUS_COMPLETED, 0),
        (pb.EXPERIMENT_STATUS_CANCELLED, 0),
    ],
)
def test_it_counts_unless_the_experiment_is_over(status: pb.ExperimentStatus, count: int) -> None:
    engine = loaded_engine(experiment(status=status))
    tell(engine, told())
    assert exposures(engine) == count


def test_an_exposure_to_what_assigns_elsewhere_or_is_a_draft_is_refused() -> None:
    for made in (experiment(external=True), experiment(status=pb.EXPERIMENT_STATUS_DRAFT)):
        with pytest.raises(FailedPrecondition):
            tell(loaded_engine(made), told())


def test_one_key_is_one_call_with_its_exposures() -> None:
    engine = loaded_engine()
    assert not tell(engine, told(), idempotency_key=b"k").duplicate
    assert tell(engine, told(), idempotency_key=b"k").duplicate
    with pytest.raises(SortitionError, match="idempotency_key"):
        tell(engine, told(), told(), idempotency_key=b"k")


# --- many units ---


def test_many_units_know_their_experiment() -> None:
    found = forwarding().assign_many("search", units_of(["a", "b"]))
    assert (found.experiment, found.names, found.snapshot_version) == ("search", ("v0", "v1"), 1)
    assert found.configs == (b'{"variant": 0}', b'{"variant": 1}')
    assert len(found) == found.exposed == 2


def test_where_no_experiment_decides_there_is_no_variant() -> None:
    found = forwarding(experiment(status=pb.EXPERIMENT_STATUS_COMPLETED)).assign_many("search", units_of(["a", "b"]))
    assert (found.experiment, found.names, found.exposed) == (None, (), 0)
    assert list(np.frombuffer(found.indices, np.int16)) == [-1, -1]


@pytest.mark.parametrize(
    "units",
    [
        ["ok", ""],
        ["ok", "x" * 513],
        np.array([b"ok", b"\xff"], "S"),
    ],
)
def test_one_bad_unit_refuses_all_and_exposes_none(units: Any) -> None:
    engine = forwarding()
    with pytest.raises(InvalidArgument) as refused:
        engine.assign_many("search", units_of(units))
    assert [violation.field for violation in refused.value.violations] == ["units[1]"]
    assert engine.hand_out(ALL) is None


def test_many_units_of_nothing() -> None:
    assert len(forwarding().assign_many("search", units_of([]))) == 0
    with pytest.raises(NotFound):
        forwarding().assign_many("unknown", units_of([]))
    with pytest.raises(NotReady):
        Engine.forwarding().assign_many("search", units_of([]))


@pytest.mark.parametrize(
    ("units", "why"),
    [
        ([1, 2], "not all text"),
        ("text", "of type str"),
        (7, "of type int"),
        (np.zeros((2, 2), np.int64), "in 2 dimensions"),
        (np.zeros(2), "in the format 'd'"),
        (np.zeros(2, np.int32), "in the format 'i'"),
        (np.zeros(2, ">i8"), "in the other byte order"),
    ],
)
def test_ids_that_cannot_be_read_are_refused(units: Any, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        units_of(units)


PIECE = 3
TEXTS = [f"unit-{number}" for number in range(2 * PIECE + 1)]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from sortition.client.local import units

    monkeypatch.setattr(units, "_PIECE_UNITS", PIECE)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("expose", [True, False])
@pytest.mark.parametrize("count", range(2 * PIECE + 2))
def test_pieces_are_one_call(count: int, expose: bool) -> None:
    texts = TEXTS[:count]
    joined = "".join(texts).encode()
    ends = [0, *np.cumsum([len(text) for text in texts])]
    held = [
        texts,
        tuple(texts),
        np.array(texts, "U7"),
        np.array(texts, "S7"),
        np.array([text for text in texts for _ in range(2)], "S7")[::2],
        Arrow("string", ends, joined, offset=0, length=count),
        Arrow("large_string", [0, *ends], joined, offset=1, length=count),
    ]
    one = forwarding()
    expected = [one.assign_unit("search", text, "default", expose).variant for text in texts]
    for units in held:
        engine = forwarding()
        found = engine.assign_many("search", units_of(units), "default", expose)
        assert [found.names[index] for index in np.frombuffer(found.indices, np.int16)] == expected
        assert found.exposed == (count if expose else 0)
        assert engine.counters()["assignments"] == count
        told = engine.hand_out(ALL)
        assert (told.items if told else 0) == found.exposed


@pytest.mark.usefixtures("small_pieces")
def test_pieces_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    from sortition.client.local import units

    monkeypatch.setattr(units, "_PIECE_BYTES", 100)
    assert [len(piece) for piece in units_of(np.array(TEXTS, "S50"))] == [2, 2, 2, 1]
    assert [len(piece) for piece in units_of(np.array(TEXTS, "S500"))] == [1] * len(TEXTS)
    assert [len(piece) for piece in units_of(np.arange(5))] == [3, 2]
    assert [len(piece) for piece in units_of(Units.texts(TEXTS))] == [len(TEXTS)]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("bad", range(len(TEXTS)))
def test_a_bad_unit_in_any_piece_refuses_all_and_exposes_none(bad: int) -> None:
    texts = [*TEXTS[:bad], "", *TEXTS[bad + 1 :]]
    for units in (texts, np.array(texts, "U"), np.array(texts, "S")):
        engine = forwarding()
        with pytest.raises(InvalidArgument) as refused:
            engine.assign_many("search", units_of(units))
        assert [violation.field for violation in refused.value.violations] == [f"units[{bad}]"]
        assert engine.hand_out(ALL) is None
        assert engine.counters()["assignments"] == 0


@pytest.mark.usefixtures("small_pieces")
def test_what_is_no_text_in_a_later_piece_refuses_all() -> None:
    for last, why in ((7, "not all text"), ("\ud800", "surrogate")):
        engine = forwarding()
        with pytest.raises(InvalidArgument, match=why):
            engine.assign_many("search", units_of([*TEXTS, last]))
        assert engine.hand_out(ALL) is None
    with pytest.raises(InvalidArgument, match="not all text"):
        # As of one piece: what cannot be read is told before there is a snapshot to ask.
        Engine.forwarding().assign_many("unknown", units_of([*TEXTS, 7]))


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("length", [0, PIECE, len(TEXTS) + 1])
def test_a_list_that_changes_under_way_is_refused(length: int) -> None:
    texts = list(TEXTS)
    pieces = units_of(texts)
    texts[:] = ["other"] * length
    with pytest.raises(InvalidArgument, match="were 7 and then"):
        forwarding().assign_many("search", pieces)


def test_some_texts_of_a_sequence() -> None:
    for texts in (TEXTS, tuple(TEXTS)):
        assert [len(Units.texts(texts, begin, begin + 3)) for begin in (0, 3, 6, 9)] == [3, 3, 1, 0]
        assert len(Units.texts(texts, 5)) == 2
    for wrong in ("text", {"text"}, 7):
        with pytest.raises(TypeError):
            Units.texts(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        forwarding().assign_many("search", ["text"])  # type: ignore[list-item]


class Arrow:
    """An array of texts with the shape of Arrow's: a slice of offsets and data."""

    def __init__(self, kind: str, offsets: list[int], data: bytes, *, offset: int, length: int, nulls: int = 0) -> None:
        self.type = kind
        self.offset = offset
        self.null_count = nulls
        self._length = length
        width = np.int32 if kind == "string" else np.int64
        self._buffers = [None, np.array(offsets, width).tobytes(), data]

    def __len__(self) -> int:
        return self._length

    def buffers(self) -> list[Any]:
        return self._buffers


@pytest.mark.parametrize("kind", ["string", "large_string"])
def test_arrow_arrays_are_read_where_they_lie(kind: str) -> None:
    engine, data = forwarding(), "skipmeäb".encode()
    array = Arrow(kind, [0, 4, 6, 8, 9], data, offset=1, length=3)
    found = engine.assign_many("search", units_of(array))
    expected = [engine.assign_unit("search", unit).variant for unit in ("me", "ä", "b")]
    assert [found.names[index] for index in np.frombuffer(found.indices, np.int16)] == expected


def test_arrow_arrays_with_holes_or_of_other_types_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="has 1 nulls"):
        units_of(Arrow("string", [0, 1], b"a", offset=0, length=1, nulls=1))
    with pytest.raises(InvalidArgument, match="Arrow type int32"):
        units_of(Arrow("int32", [0, 1], b"a", offset=0, length=1))


@pytest.mark.parametrize("offsets", [[0, 2, 1], [0, 9], [-1, 1], []])
def test_offsets_that_lie_are_refused(offsets: list[int]) -> None:
    with pytest.raises(InvalidArgument, match="offset"):
        Units.utf8(np.array(offsets, np.int32).tobytes(), 4, b"abc")
