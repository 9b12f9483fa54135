"""The server: every service, its bounds, and the address it listens on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from grpc_reflection.v1alpha import reflection

from sortition.api import admin, analysis
from sortition.api.address import Listen, check_exposure, prepare_socket
from sortition.api.admin import Admin
from sortition.api.admission import CallThreads
from sortition.api.analysis import Analysis
from sortition.api.backend import BackendSource
from sortition.api.control import control_handlers
from sortition.api.data import ASSIGNMENT, RECORDING, data_handlers
from sortition.api.guard import Guard
from sortition.api.health import SERVICE as HEALTH
from sortition.api.health import Health
from sortition.api.limits import (
    MAX_CALLS,
    MAX_CALLS_PER_CONNECTION,
    MAX_CONNECTIONS,
    MAX_MESSAGE_BYTES,
    MAX_METADATA_BYTES,
)
from sortition.api.streams import Streams
from sortition.api.watch import Watches
from sortition.core import Engine
from sortition.errors import Unavailable
from sortition.rpc.v1 import admin_pb2

__all__ = ["SERVICES", "Server", "build_server"]

SERVICES: Final = (ASSIGNMENT, RECORDING, admin.SERVICE.full_name, analysis.SERVICE.full_name)
"""The services of the contract."""

# Those that wait for the database; they share these threads and take none from the hot path.
_CONTROL_THREADS: Final = 4
# Assignments that wait for a thread: at 10,000 a second, 25 ms for the last one.
_MAX_WAITING_ASSIGNMENTS: Final = 256
# Recordings can come again, so fewer of them wait; and with half the threads they leave the agents theirs.
_MAX_WAITING_RECORDINGS: Final = 64
_RECORDING_THREADS: Final = 2
# In-process clients, each of which watches; they cost no thread.
_MAX_WATCHES: Final = 256

_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    # Two servers on one port would share its calls and split the truth between them: the second one has to fail.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.max_concurrent_streams", MAX_CALLS_PER_CONNECTION),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    # A peer that vanished without a word gives its streams back within a minute and a half.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


class _Registrar:
    """Takes what generated code registers, and puts streaming behaviours under the bound on streams."""

    def __init__(self, server: grpc.Server, streams: Streams, guard: Guard | None) -> None:
        self._server = server
        self._streams = streams
        self._guard = guard

    def add_generic_rpc_handlers(self, _handlers: object) -> None:
        """Nothing: the same handlers come once more by name."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        bound = {
            name: handler._replace(stream_stream=self._streams.bound(handler.stream_stream))
            if handler.stream_stream
            else handler
            for name, handler in handlers.items()
        }
        register(self._server, {service: bound}, self._guard)


def register(server: grpc.Server, services: dict[str, dict[str, Any]], guard: Guard | None) -> None:
    """Adds `services`, by name and method, to `server`: the only way to it, so that nothing gets past the guard."""
    for service, handlers in services.items():
        if guard is not None:
            handlers = {name: guard.before(f"{service}/{name}", each) for name, each in handlers.items()}
        # Registered with the core of grpc, a method is found without asking every service for it: 5 to 15 % more calls.
        server.add_registered_method_handlers(service, handlers)  # type: ignore[attr-defined]


class Server:
    """A server that is built and not yet listening."""

    def __init__(
        self,
        server: grpc.Server,
        listen: Listen,
        health: Health,
        streams: Streams,
        watches: Watches,
        threads: Iterable[ThreadPoolExecutor],
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._server = server
        self._listen = listen
        self._streams = streams
        self._watches = watches
        self._threads = tuple(threads)
        self._credentials = credentials
        self._bound = False
        self.health = health
        self.address = str(listen)

    def start(self) -> None:
        """Listens; `address` tells where, with the port that was chosen.

        Raises:
            Unavailable: The address is in use or does not exist on this machine.
            SettingsError: The socket's directory is open to others or cannot be made.
        """
        self.address = self._listen.reached_at(self._bind())
        self._bound = True
        self._server.start()

    def _bind(self) -> int:
        path = self._listen.path
        if path is not None:
            prepare_socket(path)
        # A socket belongs to its owner from its first moment on.
        before = os.umask(0o177) if path is not None else None
        try:
            port = (
                self._server.add_insecure_port(str(self._listen))
                if self._credentials is None
                else self._server.add_secure_port(str(self._listen), self._credentials)
            )
        except RuntimeError as error:
            raise Unavailable(
                f"listen: cannot listen on {self._listen}; it may be in use, or not for this user: stop its owner, or"
                " choose another"
            ) from error
        finally:
            if before is not None:
                os.umask(before)
        return port

    def stop(self, grace_s: float) -> threading.Event:
        """Stops accepting calls and gives those under way `grace_s` seconds; the event is set once all are over."""
        self.health.drain()
        stopped = self._server.stop(grace_s)
        self._streams.drain()
        self._watches.drain()
        return stopped

    def close(self) -> None:
        """Lets its threads go, and removes its socket."""
        self._streams.close()
        self._watches.close()
        for threads in self._threads:
            threads.shutdown(wait=False)
        # Unless it was found in use: then it is somebody else's.
        if self._bound and self._listen.path is not None:
            self._listen.path.unlink(missing_ok=True)


def build_server(
    listen: Listen,
    engine: Engine,
    backend: BackendSource,
    info: Callable[[], admin_pb2.ServerInfo],
    *,
    workers: int = 4,
    max_streams: int = 32,
    guard: Guard | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> Server:
    """Builds the server with all its services.

    Args:
        listen: Where it will listen.
        engine: What answers the hot path.
        backend: Where the control plane finds the lifecycle.
        info: Describes this sidecar.
        workers: Threads for unary assignments; four answer the most.
        max_streams: Streams that may be open at the same time; each keeps a thread, apart from the workers.
        guard: Asks every call for its token; None where tokens are not in use.
        credentials: What TLS is spoken with; None for none.

    Raises:
        SettingsError: Other machines could reach it without TLS or without a token.
    """
    check_exposure(listen, tls=credentials is not None, tokens=guard is not None)
    streams = Streams(max_streams)
    watches = Watches(engine, _MAX_WATCHES)
    control = ThreadPoolExecutor(_CONTROL_THREADS, thread_name_prefix="sortition-control")
    assigning = CallThreads(workers, _MAX_WAITING_ASSIGNMENTS, "sortition-assign")
    recording = CallThreads(_RECORDING_THREADS, _MAX_WAITING_RECORDINGS, "sortition-record")
    server = grpc.server(
        assigning,
        options=_OPTIONS,
        maximum_concurrent_rpcs=MAX_CALLS + max_streams + _MAX_WATCHES,
    )
    register(server, data_handlers(engine, streams, watches, assigning, recording), guard)
    register(server, control_handlers(admin.SERVICE, Admin(backend, info), control), guard)
    register(server, control_handlers(analysis.SERVICE, Analysis(backend), control), guard)
    registrar: Any = _Registrar(server, streams, guard)
    health = Health(SERVICES)
    health.register(registrar)
    reflection.enable_server_reflection((*SERVICES, HEALTH, reflection.SERVICE_NAME), registrar)
    return Server(server, listen, health, streams, watches, (assigning, recording, control), credentials)
