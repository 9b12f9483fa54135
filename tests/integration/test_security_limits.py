"""Every bound: what is beyond it is refused with an error that names it, and nothing else happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from engines import experiment, loaded_engine, snapshot
from sidecars import TIMEOUT_S, connected, running
from sortition.api import server
from sortition.core import Engine
from sortition.errors import InvalidArgument, ResourceExhausted, SortitionError
from sortition.rpc.v1 import admin_pb2, assignment_pb2, common_pb2, recording_pb2
from waiting import wait_until

ROOT = Path(__file__).parents[2]


def outcome(
    unit: str = "u", metric: str = "score", count: int = 1, dimensions: dict[str, str] | None = None
) -> recording_pb2.Outcome:
    observations = [recording_pb2.Observation(metric=metric, number=1.0)] * count
    return recording_pb2.Outcome(
        experiment="search", unit=unit, variant="v0", observations=observations, dimensions=dimensions
    )


def record(engine: Engine, *outcomes: recording_pb2.Outcome, **delivery: Any) -> None:
    sent = recording_pb2.Delivery(**delivery)
    engine.record_batch(recording_pb2.RecordBatchRequest(outcomes=outcomes, delivery=sent).SerializeToString())


def assign(engine: Engine, **request: Any) -> None:
    engine.assign(assignment_pb2.AssignRequest(unit="u", **request).SerializeToString())


def numbered(engine: Engine, client: bytes) -> None:
    record(engine, outcome(), client=client * 16, seq=1, oldest_pending=1)


def twice(act: Callable[[Engine, str], None]) -> Callable[[Engine], None]:
    def both(engine: Engine) -> None:
        act(engine, "a")
        act(engine, "b")

    return both


SUBJECT = common_pb2.SubjectRef(kind="agent", id="a")
# What goes beyond each bound of the core when it is 1, and the word that the error has to hold. What a request holds is
# its sender's mistake; what the sidecar holds is a shortage.
PAST: dict[str, tuple[Callable[[Engine], None] | None, type[SortitionError], str]] = {
    "unit_bytes": (lambda engine: record(engine, outcome("ab")), InvalidArgument, "unit"),
    "batch_items": (lambda engine: record(engine, outcome(), outcome()), InvalidArgument, "outcomes"),
    "observations": (lambda engine: record(engine, outcome(count=2)), InvalidArgument, "observations"),
    "dimensions": (
        lambda engine: record(engine, outcome(dimensions={"device": "mobile", "region": "eu"})),
        InvalidArgument,
        "dimensions",
    ),
    "known_hashes": (
        lambda engine: assign(engine, experiment="search", known_config_hashes=[b"1" * 32] * 2),
        InvalidArgument,
        "known_config_hashes",
    ),
    "subjects": (
        lambda engine: assign(engine, any_of=assignment_pb2.SubjectList(subjects=[SUBJECT] * 2)),
        InvalidArgument,
        "any_of.subjects",
    ),
    "dedup_clients": (twice(lambda engine, name: numbered(engine, name.encode())), ResourceExhausted, "dedup_clients"),
    "idempotency_keys": (
        twice(lambda engine, name: record(engine, outcome(), idempotency_key=name.encode())),
        ResourceExhausted,
        "idempotency_keys",
    ),
    "pending_exposures": (
        twice(lambda engine, name: record(engine, outcome(name))),
        ResourceExhausted,
        "pending_exposures",
    ),
    "live_cells": (
        lambda engine: record(engine, outcome(), outcome(metric="success")),
        ResourceExhausted,
        "live_cells",
    ),
    # In an agent's process it is what waits to be handed on that is bounded.
    "outbound_items": (
        twice(lambda engine, name: record(engine, outcome(name))),
        ResourceExhausted,
        "outbound_items",
    ),
    "outbound_bytes": (lambda engine: record(engine, outcome()), ResourceExhausted, "outbound_bytes"),
    # These are met by the snapshot, which is refused whole.
    "key_bytes": (None, InvalidArgument, "key"),
    "variants": (None, InvalidArgument, "variants"),
    "metrics": (None, InvalidArgument, "metrics"),
    "config_bytes": (None, InvalidArgument, "config"),
}


def test_every_bound_of_the_core_is_met() -> None:
    declared = re.search(r"^limits! \{(.*?)^\}", (ROOT / "rust/core/src/limits.rs").read_text(), re.S | re.M)
    assert declared
    names = set(re.findall(r"^    (\w+) = [\d_]+,", declared.group(1), re.M))
    assert len(names) >= 13
    assert names == PAST.keys()


@pytest.mark.parametrize("name", PAST)
def test_what_is_beyond_is_refused_by_name(name: str) -> None:
    act, kind, word = PAST[name]
    with pytest.raises(kind, match=rf"(?s){word}.*(limit is|is the limit|must have)") as caught:  # noqa: PT012
        running_one, bound = experiment(external=True), {name: 1}
        if name.startswith("outbound"):
            engine = Engine.forwarding(bound)
            assert engine.load_snapshot(snapshot(1, running_one))
        else:
            engine = loaded_engine(running_one, limits=bound)
        assert act
        act(engine)
    assert type(caught.value) is kind


def test_metadata_is_bounded(tmp_path: Path) -> None:
    with running(tmp_path / "state") as service, connected(service.address) as stubs:
        call = stubs.channel.unary_unary("/sortition.rpc.v1.Assignment/Assign", None, None)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", metadata=(("x", "y" * 8192),), timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "metadata" in str(caught.value.details())
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", metadata=(("x", "y" * 4096),), timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, "it arrives"


def test_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = dict(server._OPTIONS)
    bound = "grpc.max_allowed_incoming_connections"
    assert 0 < options[bound] <= 512, "below the 1,024 files that a process may commonly open"
    monkeypatch.setattr(server, "_OPTIONS", tuple({**options, bound: 2}.items()))
    with (
        running(tmp_path / "state") as service,
        connected(service.address) as first,
        connected(service.address) as other,
    ):
        asks(first)
        asks(other)
        with connected(service.address) as third:
            with pytest.raises(grpc.RpcError) as caught:
                asks(third)
            # Nobody is there yet who could say more.
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            asks(first)
            other.channel.close()
            wait_until(lambda: _answers(third), what="the place of the one that left")


def asks(stubs: Any) -> None:
    stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest(), timeout=TIMEOUT_S)


def _answers(stubs: Any) -> bool:
    try:
        asks(stubs)
    except grpc.RpcError:
        return False
    return True


def test_calls_on_one_connection_are_bounded() -> None:
    options = dict(server._OPTIONS)
    # Met by the HTTP/2 layer of the client, which waits; streams beyond theirs are refused: test_server_streams.py.
    assert options["grpc.max_concurrent_streams"] == 256
    assert options["grpc.max_receive_message_length"] == 4 * 1024 * 1024
    assert options["grpc.absolute_max_metadata_size"] == 8 * 1024
