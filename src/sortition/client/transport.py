"""How both clients open their channels."""

from __future__ import annotations

from typing import Any, Final

from sortition.rpc.v1 import assignment_pb2, recording_pb2

__all__ = ["CHANNEL_OPTIONS", "METHODS"]

METHODS: Final[dict[str, tuple[str, Any]]] = {
    "Assign": ("/sortition.rpc.v1.Assignment/Assign", assignment_pb2.AssignResponse.FromString),
    "Expose": ("/sortition.rpc.v1.Assignment/Expose", assignment_pb2.ExposeResponse.FromString),
    "Record": ("/sortition.rpc.v1.Recording/Record", recording_pb2.RecordResponse.FromString),
    "RecordBatch": ("/sortition.rpc.v1.Recording/RecordBatch", recording_pb2.RecordResponse.FromString),
}
"""The remote methods by name: path, and how the answer is read."""

CHANNEL_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    # A sidecar is next door: a proxy is never on the way, and a restart is a matter of moments.
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # The client repeats calls itself, under numbers that make it safe.
    ("grpc.enable_retries", 0),
    # Two clients in one process do not wait for each other's connection.
    ("grpc.use_local_subchannel_pool", 1),
)
