"""Both servers over engines of their own, called with the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from engines import experiment, loaded_engine
from sidecars import TIMEOUT_S, Stubs, connected
from sortition.api.address import parse_listen
from sortition.api.limits import MAX_CALLS, MAX_CALLS_PER_CONNECTION, MAX_CONNECTIONS, MAX_METADATA_BYTES
from sortition.api.server import build_server
from sortition.core import Engine, Lane
from sortition.rpc.v1 import admin_pb2, snapshot_pb2

PLAIN = {
    "connections": MAX_CONNECTIONS,
    "calls_per_connection": MAX_CALLS_PER_CONNECTION,
    "calls": MAX_CALLS,
    "streams": 32,
    "metadata_bytes": MAX_METADATA_BYTES,
}


def make_engine() -> Engine:
    """Makes an engine with an experiment in each state that a call may meet."""
    return loaded_engine(
        experiment(),
        experiment("paused", snapshot_pb2.EXPERIMENT_STATUS_PAUSED),
        experiment("done", snapshot_pb2.EXPERIMENT_STATUS_COMPLETED),
        experiment("elsewhere", external=True),
    )


@contextmanager
def lane(engine: Engine, listen: str = "127.0.0.1:0", **changes: Any) -> Iterator[Lane]:
    """Serves an engine on a native lane."""
    made = Lane(engine, listen, **{**PLAIN, **changes})
    try:
        yield made
    finally:
        made.stop(0)


@contextmanager
def to_lane(address: str) -> Iterator[Stubs]:
    """Connects to a lane."""
    with connected(address, default_authority="localhost") as stubs:  # type: ignore[arg-type]
        yield stubs


@contextmanager
def python_server(engine: Engine) -> Iterator[Stubs]:
    """Serves an engine in Python, and connects to it."""

    def nothing() -> Any:
        raise AssertionError("the hot path asks nobody")

    server = build_server(parse_listen("127.0.0.1:0"), engine, nothing, admin_pb2.ServerInfo)
    server.start()
    try:
        with connected(server.address) as stubs:
            yield stubs
    finally:
        server.stop(0).wait(TIMEOUT_S)
        server.close()


def outcome_of(stubs: Stubs, method: str, request: bytes, metadata: Any = ()) -> tuple[object, ...]:
    """Calls a method; returns the answer's bytes, or all that a refusal says."""
    call = stubs.channel.unary_unary(f"/sortition.rpc.v1.{method}", None, None)
    try:
        return (call(request, timeout=TIMEOUT_S, metadata=metadata),)
    except grpc.RpcError as error:
        return refusal_of(error)


def refusal_of(error: Any) -> tuple[object, ...]:
    """Returns all that a refusal says: status, words, and the rich status byte for byte."""
    details = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    return (error.code(), error.details(), *details)


def contents(engine: Engine) -> list[tuple[object, ...]]:
    """Returns everything that an engine would store, to the last bit."""
    batch = engine.seal()
    if batch is None:
        return []
    cells: list[tuple[object, ...]] = [
        (each.experiment_id, each.variant, each.metric, each.day, each.level, *each.cell.parts())
        for each in batch.cells
    ]
    exposures = [(each.experiment_id, each.unit_hash, each.variant, each.bucket) for each in batch.exposures]
    return [*cells, *sorted(exposures)]
