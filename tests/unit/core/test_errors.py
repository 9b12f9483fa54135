"""Every error of the native core arrives as the exception that stands for it."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engines import KEY, experiment, loaded_engine, snapshot
from sortition import errors
from sortition.core import Engine, allocate, log_inspect, sketch_quantiles
from sortition.errors import SortitionError
from sortition.rpc.v1 import assignment_pb2, recording_pb2

ROOT = Path(__file__).parents[3]


def record(engine: Engine, unit: str, key: bytes = b"") -> None:
    observation = recording_pb2.Observation(metric="score", number=1.0)
    outcome = recording_pb2.Outcome(experiment="search", unit=unit, variant="v0", observations=[observation])
    delivery = recording_pb2.Delivery(idempotency_key=key)
    engine.record(recording_pb2.RecordRequest(outcome=outcome, delivery=delivery).SerializeToString())


def use_a_key_twice() -> None:
    engine = loaded_engine(experiment(external=True))
    record(engine, "a", b"key")
    record(engine, "b", b"key")


def fill_the_batch() -> None:
    engine = loaded_engine(experiment(external=True), limits={"pending_exposures": 1})
    record(engine, "a")
    record(engine, "b")


PROVOKED: dict[str, Callable[[], object]] = {
    "InvalidArgument": lambda: loaded_engine().assign_unit("search", ""),
    "NotFound": lambda: loaded_engine().assign_unit("other", "u"),
    "AlreadyExists": use_a_key_twice,
    "FailedPrecondition": lambda: loaded_engine().commit(1),
    "ResourceExhausted": fill_the_batch,
    "NotReady": lambda: Engine(unit_key=KEY).assign_unit("search", "u"),
    "Unavailable": lambda: log_inspect(ROOT / "no such directory"),
    "DataLoss": lambda: loaded_engine().load_snapshot(b"no snapshot"),
}
# Raised only by a defect, so nothing that a test may do provokes it.
UNPROVOKED = {"InternalError"}


def test_every_kind_of_the_core_is_provoked() -> None:
    kinds = set(re.findall(r'class!\("(\w+)"\)', (ROOT / "rust/python/src/error.rs").read_text()))
    assert kinds == PROVOKED.keys() | UNPROVOKED
    variants = re.findall(r"Self::(\w+)(?:\(_\)| \{ \.\. \}) => \d+", (ROOT / "rust/core/src/error.rs").read_text())
    assert len(variants) == len(kinds)


@pytest.mark.parametrize("name", PROVOKED)
def test_the_exception_is_the_one_of_that_name(name: str) -> None:
    with pytest.raises(SortitionError) as raised:
        PROVOKED[name]()
    error = raised.value
    assert type(error) is getattr(errors, name)
    assert error.message
    assert str(error) == error.message
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.violations) == (type(error), error.message, error.violations)


def test_violations_are_the_ones_of_the_core() -> None:
    with pytest.raises(errors.InvalidArgument) as raised:
        loaded_engine().assign(assignment_pb2.AssignRequest().SerializeToString())
    fields = [violation.field for violation in raised.value.violations]
    assert fields == ["unit", "target"]
    assert all(isinstance(violation, errors.Violation) for violation in raised.value.violations)
    assert str(raised.value) == "; ".join(str(violation) for violation in raised.value.violations)


def test_an_error_in_a_stream_has_the_code_and_the_text_of_the_exception() -> None:
    engine = loaded_engine()
    request = assignment_pb2.AssignRequest(experiment="other", unit="u").SerializeToString()
    with pytest.raises(errors.NotFound) as raised:
        engine.assign(request)
    failure = assignment_pb2.AssignStreamResponse.FromString(engine.assign_stream_message(request)).failure
    assert (failure.code, failure.message) == (5, raised.value.message)
    assert [(item.field, item.description) for item in failure.violations] == [
        (violation.field, violation.description) for violation in raised.value.violations
    ]


def test_functions_raise_from_the_same_tree() -> None:
    with pytest.raises(errors.InvalidArgument):
        allocate([1, 2], 0)
    with pytest.raises(errors.DataLoss):
        sketch_quantiles(b"no sketch", [0.5])


def test_a_refused_snapshot_leaves_the_loaded_one() -> None:
    engine = loaded_engine()
    bad = experiment()
    bad.variants[1].control = True
    with pytest.raises(errors.InvalidArgument, match="2 controls"):
        engine.load_snapshot(snapshot(2, bad))
    assert engine.snapshot_version == 1
