"""An engine in an agent's process beside one that counts: every answer and aggregate is the same, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import hypothesis.strategies as st
from hypothesis import given

from engines import METRICS, NOW_MS, experiment, loaded_engine, snapshot
from sortition.client.local.shipper import Shipper
from sortition.core import Engine
from sortition.errors import SidecarUnavailable, SortitionError
from sortition.rpc.v1 import assignment_pb2, recording_pb2
from sortition.rpc.v1 import snapshot_pb2 as pb

EXPERIMENTS = (
    experiment("search"),
    experiment("paused", pb.EXPERIMENT_STATUS_PAUSED),
    experiment("over", pb.EXPERIMENT_STATUS_COMPLETED),
    experiment("elsewhere", external=True),
)
KEYS = st.sampled_from(["search", "search", "search", "paused", "over", "elsewhere", "unknown"])
UNITS = st.text("abcäλ", min_size=0, max_size=3)
# Nine days are too many for both; with six, one that arrives a day later is not.
DAYS_AGO = st.sampled_from([0, 0, 1, 6, 9])


@st.composite
def outcomes(draw: st.DrawFn) -> recording_pb2.Outcome:
    made = recording_pb2.Outcome(
        experiment=draw(KEYS), unit=draw(UNITS), variant=draw(st.sampled_from(["", "v0", "v1"]))
    )
    days = draw(DAYS_AGO)
    made.occurred_at_ms = 0 if days == 0 else NOW_MS - days * 86_400_000
    for metric in draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=3)):
        # Every value is one that each kind of metric takes: the sidecar does not hear of values that were refused here.
        made.observations.add(metric=metric.name, number=draw(st.sampled_from([0.0, 1.0])))
    return made


CALLS = st.lists(
    st.one_of(
        st.builds(
            lambda key, unit, expose: (
                "assign",
                assignment_pb2.AssignRequest(experiment=key, unit=unit, expose=expose),
            ),
            KEYS,
            UNITS,
            st.booleans(),
        ),
        st.builds(lambda key, unit: ("expose", assignment_pb2.ExposeRequest(experiment=key, unit=unit)), KEYS, UNITS),
        st.builds(lambda each: ("record", recording_pb2.RecordRequest(outcome=each)), outcomes()),
        st.builds(
            lambda several: ("record_batch", recording_pb2.RecordBatchRequest(outcomes=several)),
            st.lists(outcomes(), min_size=1, max_size=3),
        ),
    ),
    max_size=30,
)


def answer_of(call: Callable[[], bytes]) -> object:
    """Returns the answer's bytes, or the error's class and words."""
    try:
        return call()
    except SortitionError as error:
        return type(error), error.message, error.violations


def contents(engine: Engine) -> object:
    """Returns everything that the engine would flush, in every bit."""
    batch = engine.seal()
    if batch is None:
        return None
    cells = [
        (each.experiment_id, each.variant, each.metric, each.day, each.level, each.cell.parts()) for each in batch.cells
    ]
    exposures = sorted(
        (each.experiment_id, each.unit_hash, each.variant, each.bucket, each.generation, each.day)
        for each in batch.exposures
    )
    return cells, exposures


# It arrives a day later, and counts on the day on which it happened.
LATER_MS = NOW_MS + 86_400_000
# What goes wrong on the way: nothing, a call that does not arrive, or an answer that does not.
FATES = st.lists(st.sampled_from(["fine", "lost", "answer lost"]), max_size=20)


@given(CALLS, st.lists(st.booleans(), min_size=30, max_size=30), FATES)
def test_what_is_shipped_is_what_would_have_been_counted(
    calls: list[tuple[str, assignment_pb2.AssignRequest]], shipping: list[bool], fates: list[str]
) -> None:
    direct, sidecar = loaded_engine(*EXPERIMENTS), loaded_engine(*EXPERIMENTS)
    local = Engine.forwarding()
    local.load_snapshot(snapshot(1, *EXPERIMENTS))
    script = iter(fates)

    def send(request: bytes, _timeout_s: float) -> recording_pb2.RecordResponse:
        fate = next(script, "fine")
        if fate == "lost":
            raise SidecarUnavailable("the call was lost")
        answer = recording_pb2.RecordResponse.FromString(sidecar.record_batch(request, LATER_MS))
        if fate == "answer lost":
            raise SidecarUnavailable("the answer was lost")
        return answer

    shipper = Shipper(local, send, 60.0)
    for (method, request), now in zip(calls, shipping, strict=False):
        data = request.SerializeToString()
        expected = answer_of(partial(getattr(direct, method), data, NOW_MS))
        assert answer_of(partial(getattr(local, method), data, NOW_MS)) == expected, method
        if now:
            shipper.flush(0.01)
    while local.counters()["outbound_items"]:
        shipper.flush(0.01)
    assert shipper.shipped.refused == 0
    ours, theirs = contents(sidecar), contents(direct)
    assert ours == theirs


@given(st.lists(st.text("abcäλ𝔘", min_size=1, max_size=4), max_size=50), st.booleans())
def test_many_units_are_assigned_like_one_after_the_other(units: list[str], expose: bool) -> None:
    import numpy as np

    from sortition.client.local.units import units_of

    one, many = loaded_engine(), loaded_engine()
    expected = [one.assign_unit("search", unit, "default", expose, NOW_MS).variant for unit in units]
    array = np.array(units or [""], "U")[: len(units)]
    encoded = np.char.encode(array, "utf-8") if units else array.astype("S")
    for given_units in (units, tuple(units), array, encoded):
        found = many.assign_many("search", units_of(given_units), "default", expose, NOW_MS)
        assert [found.names[index] for index in np.frombuffer(found.indices, np.int16)] == expected
        assert found.exposed == (len(units) if expose else 0)
    assert contents(many) == contents(one)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_integers_are_units_by_their_digits(numbers: list[int]) -> None:
    import numpy as np

    from sortition.client.local.units import units_of

    engine = loaded_engine()
    expected = [engine.assign_unit("search", str(number)).bucket for number in numbers]
    array = np.array(numbers, np.int64)
    # Each second one too, whose items do not lie behind each other.
    for taken in (array, array[::2]):
        found = engine.assign_many("search", units_of(taken))
        buckets = expected if taken is array else expected[::2]
        assert list(np.frombuffer(found.indices, np.int16)) == [int(bucket >= 5_000) for bucket in buckets]
