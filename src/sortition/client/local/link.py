"""The connection of an in-process client to the sidecar."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc

from sortition.client.credentials import Credentials
from sortition.client.failures import from_rpc
from sortition.client.target import find_target
from sortition.client.transport import CHANNEL_OPTIONS
from sortition.errors import SidecarUnavailable
from sortition.rpc.v1 import assignment_pb2, recording_pb2

__all__ = ["Link"]

_ASSIGNMENT: Final = "/sortition.rpc.v1.Assignment"
_WATCH: Final = f"{_ASSIGNMENT}/Watch"
_RECORD: Final = "/sortition.rpc.v1.Recording/RecordBatch"
# Ten thousand experiments with configurations of the largest size would not be one; a damaged length would.
_MAX_SNAPSHOT_BYTES: Final = 256 * 2**20


class Link:
    """A channel, opened by the first call, and to where the sidecar is by then."""

    def __init__(self, configured: str | None, credentials: Credentials) -> None:
        self._configured = configured
        self._credentials = credentials
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self.target = find_target(configured)
        # Refused at once, and not by a thread later, when the token would leave this machine without TLS.
        self._metadata = credentials.metadata(self.target)

    def record(self, request: bytes, timeout_s: float) -> recording_pb2.RecordResponse:
        """Makes one call of RecordBatch.

        Raises:
            SortitionError: The sidecar refused, or was not reached in time.
        """
        with self._call() as channel:
            method = channel.unary_unary(_RECORD, None, recording_pb2.RecordResponse.FromString)
            # Generic in the stubs only.
            answer: recording_pb2.RecordResponse = method(request, timeout=timeout_s, metadata=self._metadata)
            return answer

    def ask(self, method: str, request: bytes, timeout_s: float) -> bytes:
        """Makes one call of Assign or Expose; returns the serialized answer.

        Raises:
            SortitionError: The sidecar refused, or was not reached in time.
        """
        with self._call() as channel:
            call = channel.unary_unary(f"{_ASSIGNMENT}/{method}", None, None)
            # Generic in the stubs only.
            answer: bytes = call(request, timeout=timeout_s, metadata=self._metadata)
            return answer

    def snapshots(self, stopped: threading.Event) -> Iterator[bytes]:
        """Watches the sidecar's snapshots; see `SnapshotSource`."""
        with self._call() as channel:
            method = channel.unary_stream(_WATCH, assignment_pb2.WatchRequest.SerializeToString, None)
            # Nothing is said to be held: the sidecar may be another one by now, with an older state.
            stream: Any = method(assignment_pb2.WatchRequest(), metadata=self._metadata)
            try:
                for snapshot in stream:
                    yield snapshot
                    if stopped.is_set():
                        return
            finally:
                stream.cancel()

    def close(self) -> None:
        """Closes the channel, and ends what waits for it."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def after_fork(self) -> None:
        """Forgets the channel, which is the parent's."""
        self._lock = threading.Lock()
        self._channel = None

    @contextmanager
    def _call(self) -> Iterator[grpc.Channel]:
        channel = self._open()
        try:
            yield channel
        except grpc.RpcError as error:
            raise from_rpc(error) from error
        except ValueError as error:
            # What grpc raises when another thread has closed the channel meanwhile.
            raise SidecarUnavailable(f"the connection was closed: {error}") from error

    def _open(self) -> grpc.Channel:
        with self._lock:
            target = find_target(self._configured)
            # Another token may be in the file by now.
            self._metadata = self._credentials.metadata(target)
            if self._channel is None or target != self.target:
                options = (*CHANNEL_OPTIONS, ("grpc.max_receive_message_length", _MAX_SNAPSHOT_BYTES))
                former, self.target = self._channel, target
                self._channel = self._credentials.channel(
                    target, options, insecure=grpc.insecure_channel, secure=grpc.secure_channel
                )
                if former is not None:
                    former.close()
            return self._channel
