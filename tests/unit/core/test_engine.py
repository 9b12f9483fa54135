"""The engine as Python sees it; what it decides is tested beside it, in rust/core/tests."""

import hashlib
import threading
import time
from collections.abc import Callable

import pytest

from engines import KEY, NOW_MS, TODAY, experiment, loaded_engine, snapshot
from sortition.core import LIMITS, Engine, bucket, exposure_hash
from sortition.errors import FailedPrecondition, InvalidArgument, NotFound
from sortition.rpc.v1 import assignment_pb2, recording_pb2, snapshot_pb2

DAY_MS = 86_400_000


def ask(unit: str = "u", key: str = "search") -> bytes:
    return assignment_pb2.AssignRequest(experiment=key, unit=unit).SerializeToString()


def outcome(unit: str = "u", number: float = 2.5, metric: str = "score") -> recording_pb2.Outcome:
    observation = recording_pb2.Observation(metric=metric, number=number)
    return recording_pb2.Outcome(experiment="search", unit=unit, observations=[observation])


def tell(unit: str = "u", number: float = 2.5, metric: str = "score") -> bytes:
    return recording_pb2.RecordRequest(outcome=outcome(unit, number, metric)).SerializeToString()


def test_a_new_engine_is_not_ready() -> None:
    engine = Engine(unit_key=KEY)
    assert (engine.ready, engine.snapshot_version, engine.snapshot_hash) == (False, 0, b"")
    assert engine.seal() is None


def test_a_loaded_snapshot_can_be_told() -> None:
    engine = Engine(unit_key=KEY)
    data = snapshot(7, experiment())
    assert [engine.load_snapshot(data), engine.load_snapshot(data)] == [True, False]
    content = snapshot_pb2.Snapshot.FromString(data).content
    expected = (True, 7, hashlib.sha256(content).digest()[:16])
    assert (engine.ready, engine.snapshot_version, engine.snapshot_hash) == expected


def test_an_answer_in_bytes_is_the_answer_in_process() -> None:
    paused = experiment("paused", snapshot_pb2.EXPERIMENT_STATUS_PAUSED)
    over = experiment("over", snapshot_pb2.EXPERIMENT_STATUS_COMPLETED)
    engine = loaded_engine(experiment(), paused, over)
    seen = set()
    for key in ("search", "paused", "over"):
        for number in range(40):
            unit = f"Einheit-ß-{number}"
            sent = assignment_pb2.AssignResponse.FromString(engine.assign(ask(unit, key)))
            made = engine.assign_unit(key, unit)
            assert (made.experiment or "", made.variant or "") == (sent.experiment, sent.variant)
            assert (made.config, made.config_hash) == (sent.config, sent.config_hash)
            assert (made.reason, made.bucket, made.exposed) == (sent.reason, sent.bucket, sent.exposed)
            assert made.config_hash == hashlib.sha256(made.config).digest()[:16]
            seen.add((key, made.variant))
    assert seen == {("search", "v0"), ("search", "v1"), ("paused", "v0"), ("over", None)}


def test_an_assignment_outlives_its_snapshot() -> None:
    engine = loaded_engine()
    made = engine.assign_unit("search", "u", expose=False)
    assert engine.load_snapshot(snapshot(2))
    assert (made.experiment, made.variant, made.exposed) == ("search", f"v{made.bucket // 5_000}", False)
    with pytest.raises(NotFound):
        engine.assign_unit("search", "u")


def test_assign_unit_takes_the_organization_and_the_day() -> None:
    engine = loaded_engine()
    with pytest.raises(NotFound, match="elsewhere"):
        engine.assign_unit("search", "u", "elsewhere")
    engine.assign_unit("search", "u", organization="default", expose=True, now_ms=5 * DAY_MS)
    batch = engine.seal()
    assert batch is not None
    assert [exposure.day for exposure in batch.exposures] == [5]


def test_a_sealed_batch_says_what_was_recorded() -> None:
    engine = loaded_engine()
    engine.resume(10)
    engine.assign(ask("a"), NOW_MS)
    engine.record(tell("a", 2.0), NOW_MS)
    engine.record(tell("a", 4.0), NOW_MS)
    engine.record(tell("a", 0.25, "time"), NOW_MS - DAY_MS)
    batch = engine.seal()
    assert batch is not None
    again = engine.seal()
    assert again is not None
    assert (batch.number, again.number, len(again.cells)) == (11, 11, 2)

    variant = bucket("id-of-search", "a") // 5_000
    first, second = batch.cells
    assert (first.experiment_id, first.variant, first.metric, first.day) == ("id-of-search", variant, 0, TODAY)
    assert (first.cell.n, first.cell.mean, first.cell.min, first.cell.max) == (2, 3.0, 2.0, 4.0)
    assert (second.metric, second.day, second.cell.n) == (2, TODAY - 1, 1)
    assert (first.cell.sketch, second.cell.sketch is not None) == (None, True)

    (exposure,) = batch.exposures
    assert exposure.unit_hash == exposure_hash(KEY, "id-of-search", "a")
    assert (exposure.experiment_id, exposure.variant, exposure.bucket) == (
        "id-of-search",
        variant,
        bucket("id-of-search", "a"),
    )
    assert (exposure.generation, exposure.day) == (1, TODAY)

    engine.commit(11)
    assert engine.seal() is None
    assert first.cell.n == 2, "a batch is readable after its commit"
    with pytest.raises(FailedPrecondition, match="batch 11"):
        engine.commit(11)


def test_a_cell_of_a_batch_is_a_copy() -> None:
    engine = loaded_engine()
    engine.record(tell())
    batch = engine.seal()
    assert batch is not None
    batch.cells[0].cell.add("id-of-search", "u", 1.0)
    assert batch.cells[0].cell.n == 1


def test_without_a_time_the_clock_decides() -> None:
    engine = loaded_engine()
    before = time.time()
    engine.record(tell())
    batch = engine.seal()
    after = time.time()
    assert batch is not None
    assert int(before // 86_400) <= batch.cells[0].day <= int(after // 86_400)


def test_every_handler_answers_in_its_message() -> None:
    engine = loaded_engine()
    batch = assignment_pb2.AssignBatchRequest(requests=[assignment_pb2.AssignRequest.FromString(ask())] * 2)
    single = assignment_pb2.AssignResponse.FromString(engine.assign(ask()))
    assert list(
        assignment_pb2.AssignBatchResponse.FromString(engine.assign_batch(batch.SerializeToString())).responses
    ) == [single, single]
    streamed = assignment_pb2.AssignStreamResponse.FromString(engine.assign_stream_message(ask()))
    assert streamed.assignment == single
    failed = assignment_pb2.AssignStreamResponse.FromString(engine.assign_stream_message(ask(key="other")))
    assert (failed.failure.code, failed.failure.violations[0].field) == (5, "experiment")

    expose = assignment_pb2.ExposeRequest(experiment="search", unit="u").SerializeToString()
    exposed = assignment_pb2.ExposeResponse.FromString(engine.expose(expose))
    assert (exposed.exposed, exposed.variant, exposed.snapshot_version) == (True, single.variant, 1)

    assert recording_pb2.RecordResponse.FromString(engine.record(tell())).accepted == 1
    many = recording_pb2.RecordBatchRequest(outcomes=[outcome()] * 5).SerializeToString()
    assert recording_pb2.RecordResponse.FromString(engine.record_batch(many)).accepted == 5
    recorded = recording_pb2.RecordStreamResponse.FromString(engine.record_stream_message(tell()))
    assert recorded.recorded.accepted == 1
    failed_record = recording_pb2.RecordStreamResponse.FromString(engine.record_stream_message(tell(metric="other")))
    assert failed_record.failure.violations[0].field == "outcome.observations[0].metric"
    assert engine.counters()["observations"] == 7


def test_counters_are_named_and_count() -> None:
    engine = loaded_engine(limits={"pending_exposures": 1})
    assert engine.assign_unit("search", "a").exposed
    assert not engine.assign_unit("search", "b").exposed
    engine.record(tell("a", 61.0, "time"))
    with pytest.raises(InvalidArgument):
        engine.record(tell("a", 0.5, "success"))
    numbered = recording_pb2.RecordRequest(
        outcome=outcome(), delivery=recording_pb2.Delivery(client=b"c", seq=1, oldest_pending=1)
    ).SerializeToString()
    keyed = recording_pb2.RecordRequest(
        outcome=outcome(), delivery=recording_pb2.Delivery(idempotency_key=b"k")
    ).SerializeToString()
    for request in (numbered, numbered, keyed):
        engine.record(request)
    assert engine.counters() == {
        "assignments": 2,
        "exposures": 1,
        "exposures_dropped": 1,
        "calls_recorded": 3,
        "observations": 3,
        "duplicates": 1,
        "refused": 1,
        "late": 0,
        "ignored": 0,
        "clamped": 1,
        "experiments": 1,
        "live_cells": 3,
        "pending_exposures": 1,
        "dedup_clients": 1,
        "idempotency_keys": 1,
        "log_bytes": 0,
        "outbound_items": 0,
    }


def test_the_bounds_can_be_set_by_name() -> None:
    engine = loaded_engine(limits={"unit_bytes": 4})
    assert engine.assign_unit("search", "abcd").variant
    with pytest.raises(InvalidArgument, match=r"unit: has 5 bytes; the limit is 4"):
        engine.assign_unit("search", "abcde")
    assert set(LIMITS) >= {"unit_bytes", "batch_items", "live_cells"}
    assert all(Engine(unit_key=KEY, limits={name: bound}) for name, bound in LIMITS.items())
    with pytest.raises(InvalidArgument) as refused:
        Engine(unit_key=KEY, limits={"no_such": 1, "variants": 0})
    assert [violation.field for violation in refused.value.violations] == ["limits.no_such", "limits.variants"]
    with pytest.raises(InvalidArgument, match=r"limits\.metrics"):
        Engine(unit_key=KEY, limits={"metrics": -1})


@pytest.mark.parametrize("number", [-1, 1 << 64])
def test_a_number_that_is_no_batch_is_refused(number: int) -> None:
    engine = loaded_engine()
    with pytest.raises(InvalidArgument, match="high_water"):
        engine.resume(number)
    with pytest.raises(InvalidArgument, match="number"):
        engine.commit(number)


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="surrogate"):
        loaded_engine().assign_unit("search", "\ud800")


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.assign("text"),
        lambda engine: engine.record(None),
        lambda engine: engine.assign_unit("search"),
        lambda engine: engine.assign(b"", now_ms="today"),
        lambda engine: engine.resume(1.5),
    ],
)
def test_arguments_of_a_wrong_type_are_type_errors(call: Callable[[Engine], object]) -> None:
    with pytest.raises(TypeError):
        call(loaded_engine())


def test_threads_lose_nothing() -> None:
    engine = loaded_engine()
    start = threading.Barrier(5)
    calls = 500
    many = recording_pb2.RecordBatchRequest(outcomes=[outcome(f"u{n}", 1.0) for n in range(20)]).SerializeToString()

    def work(number: int) -> None:
        start.wait()
        for call in range(calls):
            engine.assign_unit("search", f"{number}-{call}")
            engine.record(tell(number=1.0))
            if call % 10 == 0:
                engine.record_batch(many)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    recorded = exposed = 0
    while True:
        alive = any(thread.is_alive() for thread in threads)
        while (batch := engine.seal()) is not None:
            recorded += sum(delta.cell.n for delta in batch.cells)
            exposed += len(batch.exposures)
            engine.commit(batch.number)
        if not alive:
            break
        threads[0].join(0.001)
    assert (recorded, exposed) == (4 * (calls + calls // 10 * 20), 4 * calls)


def test_a_batch_says_whose_each_cell_is() -> None:
    declared = experiment()
    declared.dimensions.add(name="device", levels=["mobile", "desktop"])
    engine = loaded_engine(declared)
    for unit, device in (("a", "mobile"), ("b", "watch"), ("c", "mobile")):
        told = outcome(unit)
        told.dimensions["device"] = device
        engine.record(recording_pb2.RecordRequest(outcome=told).SerializeToString())
    batch = engine.seal()
    assert batch is not None
    counts: dict[int, int] = {}
    for delta in batch.cells:
        counts[delta.level] = counts.get(delta.level, 0) + delta.cell.n
    assert counts == {0: 3, 1: 2, 3: 1}
