"""The engine against models in plain Python."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import hypothesis.strategies as st
from hypothesis import given, settings

from engines import METRICS, NOW_MS, experiment, loaded_engine
from sortition.core import Engine
from sortition.errors import SortitionError
from sortition.rpc.v1 import assignment_pb2, recording_pb2

Answer = TypeVar("Answer")
DAY_MS = 86_400_000
UNITS = st.text(min_size=1, max_size=40).filter(lambda unit: len(unit.encode()) <= 512)


@given(UNITS, st.lists(st.integers(1, 5_000), min_size=1, max_size=20))
def test_assignment_is_as_specified(unit: str, parts: list[int]) -> None:
    weights = [part * 10_000 // sum(parts) for part in parts]
    weights[0] += 10_000 - sum(weights)
    weights = [weight for weight in weights if weight > 0]
    made = loaded_engine(experiment(weights=weights)).assign_unit("search", unit)
    digest = hashlib.sha256(f"id-of-search:{unit}".encode()).digest()
    bucket = int.from_bytes(digest[:4], "big") % 10_000
    expected = next(index for index in range(len(weights)) if sum(weights[: index + 1]) > bucket)
    assert (made.bucket, made.variant) == (bucket, f"v{expected}")


OBSERVATIONS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 3), st.floats(0, 1e6)), min_size=1, max_size=60
)


@given(OBSERVATIONS, st.integers(1, 4), st.lists(st.booleans(), min_size=60, max_size=60))
def test_batches_add_up_to_what_was_recorded(
    observations: list[tuple[str, int, float]], size: int, sealing: list[bool]
) -> None:
    engine = loaded_engine()
    truth: dict[tuple[int, int], list[float]] = defaultdict(list)
    found: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)

    def drain() -> None:
        while (batch := engine.seal()) is not None:
            for delta in batch.cells:
                found[delta.variant, delta.day].append((delta.cell.n, delta.cell.mean))
            engine.commit(batch.number)

    for start in range(0, len(observations), size):
        outcomes = []
        for unit, days, number in observations[start : start + size]:
            variant = int(engine.assign_unit("search", unit).variant == "v1")
            truth[variant, (NOW_MS - days * DAY_MS) // DAY_MS].append(number)
            observation = recording_pb2.Observation(metric="score", number=number)
            outcomes.append(
                recording_pb2.Outcome(
                    experiment="search",
                    unit=unit,
                    observations=[observation],
                    occurred_at_ms=NOW_MS - days * DAY_MS,
                )
            )
        engine.record_batch(recording_pb2.RecordBatchRequest(outcomes=outcomes).SerializeToString(), NOW_MS)
        if sealing[start]:
            drain()
    drain()
    assert found.keys() == truth.keys()
    for cell, numbers in truth.items():
        assert sum(n for n, _ in found[cell]) == len(numbers)
        total = math.fsum(n * mean for n, mean in found[cell])
        assert math.isclose(total, math.fsum(numbers), rel_tol=1e-12, abs_tol=1e-300)


def answer_of(call: Callable[[], Answer]) -> Answer | SortitionError:
    """Returns what a call returns, or the error it is refused with; any other exception is not caught."""
    try:
        return call()
    except SortitionError as error:
        return error


HANDLERS = (
    Engine.assign,
    Engine.assign_batch,
    Engine.assign_stream_message,
    Engine.expose,
    Engine.record,
    Engine.record_batch,
    Engine.record_stream_message,
)
TIMES = st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1))


@given(st.binary(max_size=200), TIMES)
def test_any_bytes_are_answered_or_refused(data: bytes, now_ms: int | None) -> None:
    engine = loaded_engine()
    for handler in HANDLERS:
        answer = answer_of(partial(handler, engine, data, now_ms))
        assert isinstance(answer, bytes) or answer.code == "INVALID_ARGUMENT", handler
    refusal = answer_of(lambda: engine.load_snapshot(data))
    assert isinstance(refusal, SortitionError)
    assert refusal.code == "DATA_LOSS"


@settings(max_examples=50)
@given(st.text(max_size=600), st.text(max_size=600), st.sampled_from([metric.name for metric in METRICS]), st.floats())
def test_any_text_and_number_is_answered_or_refused(key: str, unit: str, metric: str, number: float) -> None:
    engine = loaded_engine()
    observation = recording_pb2.Observation(metric=metric, number=number)
    for experiment_key in (key, "search"):
        outcome = recording_pb2.Outcome(experiment=experiment_key, unit=unit, observations=[observation])
        request = recording_pb2.RecordRequest(outcome=outcome).SerializeToString()
        asked = assignment_pb2.AssignRequest(experiment=experiment_key, unit=unit).SerializeToString()
        for handler, data in ((engine.record, request), (engine.assign, asked)):
            answer = answer_of(partial(handler, data))
            if isinstance(answer, SortitionError):
                assert answer.code in {"INVALID_ARGUMENT", "NOT_FOUND"}
                assert answer.violations
            else:
                assert answer
