"""The connections of an in-process client to the sidecar: one to its server, one to its native lane.

Snapshots are watched on the server, which alone has them; what is recorded and asked goes over the lane where there is
one on this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc

from sortition.client.credentials import Credentials
from sortition.client.failures import from_rpc
from sortition.client.route import Route
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
    """Two channels, opened by the first call each, and to where the sidecar is by then."""

    def __init__(self, configured: str | None, credentials: Credentials) -> None:
        self._configured = configured
        self._credentials = credentials
        self._server = _Channel(credentials)
        self._near = _Channel(credentials)
        self._route = Route(configured, credentials)
        self.target = self._route.target
        # Refused at once, and not by a thread later, when the token would leave this machine without TLS.
        self._metadata = credentials.metadata(self.target)

    def record(self, request: bytes, timeout_s: float) -> recording_pb2.RecordResponse:
        """Makes one call of RecordBatch.

        Raises:
            SortitionError: The sidecar refused, or was not reached in time.
        """
        with self._call_near() as channel:
            method = channel.unary_unary(_RECORD, None, recording_pb2.RecordResponse.FromString)
            # Generic in the stubs only.
            answer: recording_pb2.RecordResponse = method(request, timeout=timeout_s, metadata=self._metadata)
            return answer

    def ask(self, method: str, request: bytes, timeout_s: float) -> bytes:
        """Makes one call of Assign or Expose; returns the serialized answer.

        Raises:
            SortitionError: The sidecar refused, or was not reached in time.
        """
        with self._call_near() as channel:
            call = channel.unary_unary(f"{_ASSIGNMENT}/{method}", None, None)
            # Generic in the stubs only.
            answer: bytes = call(request, timeout=timeout_s, metadata=self._metadata)
            return answer

    def snapshots(self, stopped: threading.Event) -> Iterator[bytes]:
        """Watches the sidecar's snapshots; see `SnapshotSource`."""
        with _translated():
            self._find(find_target(self._configured))
            options = (*CHANNEL_OPTIONS, ("grpc.max_receive_message_length", _MAX_SNAPSHOT_BYTES))
            channel = self._server.to(self.target, options)
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
        """Closes the channels, and ends what waits for them."""
        self._server.close()
        self._near.close()

    def after_fork(self) -> None:
        """Forgets the channels, which are the parent's."""
        self._server, self._near = _Channel(self._credentials), _Channel(self._credentials)
        self._route.forget()

    @contextmanager
    def _call_near(self) -> Iterator[grpc.Channel]:
        route = self._route
        with _translated():
            route.find()
            self._find(route.target)
            try:
                yield self._near.to(route.address, route.options)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    route.failed()
                raise

    def _find(self, target: str) -> None:
        self.target = target
        # Another token may be in the file by now.
        self._metadata = self._credentials.metadata(target)


class _Channel:
    """A channel to wherever it was wanted last."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._address = ""
        self._channel: grpc.Channel | None = None

    def to(self, address: str, options: tuple[tuple[str, Any], ...]) -> grpc.Channel:
        """Returns the channel; another one where the address has changed."""
        with self._lock:
            if self._channel is None or address != self._address:
                former, self._address = self._channel, address
                self._channel = self._credentials.channel(
                    address, options, insecure=grpc.insecure_channel, secure=grpc.secure_channel
                )
                if former is not None:
                    former.close()
            return self._channel

    def close(self) -> None:
        """Closes it; the next call opens another."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc(error) from error
    except ValueError as error:
        # What grpc raises when another thread has closed the channel meanwhile.
        raise SidecarUnavailable(f"the connection was closed: {error}") from error
