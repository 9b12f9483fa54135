"""Sidecars for tests: real ones, on a free port of loopback and an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from sortition.model import ExperimentSpec, validate
from sortition.model.wire import spec_to_proto
from sortition.rpc.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    analysis_pb2_grpc,
    assignment_pb2,
    assignment_pb2_grpc,
    common_pb2,
    experiment_pb2,
    recording_pb2,
    recording_pb2_grpc,
)
from sortition.service.sidecar import Service
from sortition.settings import load

KEY = "search-strategy"
SUBJECT = common_pb2.SubjectRef(kind="agent", id="search-agent")
ACTOR = admin_pb2.Actor(name="ada", reason="to see")
# No call of a test takes longer, unless something hangs.
TIMEOUT_S = 20


@contextmanager
def running(state: Path, **flags: Any) -> Iterator[Service]:
    """Runs a sidecar in this process; stops it at the end."""
    service = Service(load({"state_dir": state, "listen": "127.0.0.1:0", "drain_s": 5, **flags}))
    service.start()
    try:
        yield service
    finally:
        service.stop()


@dataclass
class Stubs:
    """Generated clients of every service, over one channel."""

    channel: grpc.Channel
    assignment: Any = field(init=False)
    recording: Any = field(init=False)
    admin: Any = field(init=False)
    analysis: Any = field(init=False)

    def __post_init__(self) -> None:
        self.assignment = assignment_pb2_grpc.AssignmentStub(self.channel)
        self.recording = recording_pb2_grpc.RecordingStub(self.channel)
        self.admin = admin_pb2_grpc.AdminStub(self.channel)
        self.analysis = analysis_pb2_grpc.AnalysisStub(self.channel)

    def raw(self, method: str, request: bytes) -> bytes:
        """Calls a method with these very bytes."""
        call = self.channel.unary_unary(f"/sortition.rpc.v1.{method}", None, None)
        answer: bytes = call(request, timeout=TIMEOUT_S)
        return answer

    def raw_stream(self, method: str, *requests: bytes) -> list[bytes]:
        """Calls a method of streams with these very bytes."""
        call = self.channel.stream_stream(f"/sortition.rpc.v1.{method}", None, None)
        return list(call(iter(requests), timeout=TIMEOUT_S))


@contextmanager
def connected(address: str, **options: int) -> Iterator[Stubs]:
    """Connects to a sidecar, over a connection that it shares with nobody."""
    given = [("grpc.use_local_subchannel_pool", 1), *((f"grpc.{name}", value) for name, value in options.items())]
    with grpc.insecure_channel(address, options=given) as channel:
        yield Stubs(channel)


def make_spec(key: str = KEY, **changes: Any) -> experiment_pb2.ExperimentSpec:
    """Returns an experiment with two halves, a duration that decides and a guardrail."""
    raw: dict[str, Any] = {
        "key": key,
        "subject": {"kind": SUBJECT.kind, "id": SUBJECT.id},
        "metrics": [
            {"name": "time", "kind": "duration", "unit": "s", "goal": "minimize", "role": "primary"},
            {"name": "found", "kind": "binary", "goal": "maximize", "role": "guardrail", "margin": 0.1},
        ],
        "variants": [
            {"name": "slow", "weight": 50, "control": True, "config": {"passes": 2}},
            {"name": "fast", "weight": 50, "config": {"passes": 1}},
        ],
        "decision": {"min_samples": 40},
    }
    return spec_to_proto(validate(ExperimentSpec, {**raw, **changes}))


def start_experiment(stubs: Stubs, key: str = KEY, **changes: Any) -> None:
    """Creates an experiment and starts it."""
    stubs.admin.CreateExperiment(
        admin_pb2.CreateExperimentRequest(spec=make_spec(key, **changes), actor=ACTOR), timeout=TIMEOUT_S
    )
    stubs.admin.StartExperiment(admin_pb2.ChangeExperimentRequest(key=key, actor=ACTOR), timeout=TIMEOUT_S)


def assign(stubs: Stubs, unit: str, key: str = KEY) -> assignment_pb2.AssignResponse:
    answer: assignment_pb2.AssignResponse = stubs.assignment.Assign(
        assignment_pb2.AssignRequest(experiment=key, unit=unit), timeout=TIMEOUT_S
    )
    return answer


def outcome(unit: str, variant: str, seconds: float, key: str = KEY) -> recording_pb2.Outcome:
    return recording_pb2.Outcome(
        experiment=key,
        unit=unit,
        variant=variant,
        observations=[
            recording_pb2.Observation(metric="time", number=seconds),
            recording_pb2.Observation(metric="found", flag=True),
        ],
    )


def record(stubs: Stubs, *outcomes: recording_pb2.Outcome) -> recording_pb2.RecordResponse:
    answer: recording_pb2.RecordResponse = stubs.recording.RecordBatch(
        recording_pb2.RecordBatchRequest(outcomes=outcomes), timeout=TIMEOUT_S
    )
    return answer


def run_units(stubs: Stubs, count: int, key: str = KEY) -> dict[str, int]:
    """Assigns `count` units and records that the fast variant takes half the time; returns the units of each."""
    units: dict[str, int] = {}
    outcomes = []
    for number in range(count):
        variant = assign(stubs, f"unit-{number}", key).variant
        units[variant] = units.get(variant, 0) + 1
        # Spread a little, so that there is a variance; by the count within the variant, the same in both.
        seconds = (2.0 if variant == "slow" else 1.0) + 0.01 * (units[variant] % 10)
        outcomes.append(outcome(f"unit-{number}", variant, seconds, key))
    record(stubs, *outcomes)
    return units


@contextmanager
def locked(database: Path, *, wholly: bool = False) -> Iterator[sqlite3.Connection]:
    """Holds the lock of an SQLite file: nobody can write, or even open it, as if the database were away."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        if wholly:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN IMMEDIATE")
        yield connection
    finally:
        connection.close()


def violations_of(error: grpc.RpcError) -> dict[str, str]:
    """Returns the field violations in the rich status of a failed call."""
    return {each.field: each.description for each in _detail(error, error_details_pb2.BadRequest).field_violations}


def reason_of(error: grpc.RpcError) -> str:
    """Returns the name of the class of the error that a failed call was refused with."""
    reason: str = _detail(error, error_details_pb2.ErrorInfo).reason
    return reason


def _detail(error: grpc.RpcError, kind: Any) -> Any:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"no rich status: {error}"
    found = kind()
    for packed in status.details:
        if packed.Unpack(found):
            return found
    raise AssertionError(f"the status has no {kind.__name__}: {status}")
