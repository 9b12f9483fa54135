"""Whether the sidecar can serve, as grpc.health.v1 tells it: for the process and for each service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

__all__ = ["SERVICE", "Health"]

SERVICE: str = health.SERVICE_NAME


class Health:
    """Not serving until told otherwise, and never again once it drains."""

    def __init__(self, services: Iterable[str]) -> None:
        """Makes the state of the process and of each of the `services`, none of them serving yet."""
        self._services = ("", *services)
        # Watching does not keep a thread: states are sent by whoever sets them.
        self._servicer: Any = health.HealthServicer(experimental_non_blocking=True)
        self._set(health_pb2.HealthCheckResponse.NOT_SERVING)

    def register(self, server: grpc.Server) -> None:
        """Adds the service to `server`."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def serving(self) -> None:
        """Says that calls are answered now."""
        self._set(health_pb2.HealthCheckResponse.SERVING)

    def drain(self) -> None:
        """Says that no more calls should come, for good."""
        self._servicer.enter_graceful_shutdown()

    def _set(self, status: int) -> None:
        for service in self._services:
            self._servicer.set(service, status)
