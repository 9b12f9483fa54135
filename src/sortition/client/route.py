"""Which way calls go: over the native lane of the sidecar where it has one on this machine, else to its server."""

from __future__ import annotations

import time
from typing import Any, Final

from sortition.client.credentials import Credentials, is_local
from sortition.client.target import find_lane, find_target
from sortition.client.transport import CHANNEL_OPTIONS

__all__ = ["LANE_PAUSE_S", "Route"]

LANE_PAUSE_S: Final = 5.0
"""How long a lane that was not reached is left alone; the server answers meanwhile, and the same."""

_UNIX: Final = "unix:"
# A client of gRPC names a socket's path as the authority, which HTTP does not allow.
_SOCKET_OPTIONS: Final = (("grpc.default_authority", "localhost"),)


class Route:
    """Where a client connects to.

    Without a lock: what threads can do to each other here is to look once more than needed.

    Attributes:
        target: The sidecar's address, as it was found last.
        address: Where calls go: the lane or the target.
    """

    def __init__(self, configured: str | None, credentials: Credentials) -> None:
        """Finds the sidecar.

        Args:
            configured: Its address, where it was given.
            credentials: With TLS, a lane that speaks none is not taken.
        """
        self._configured = configured
        self._credentials = credentials
        self._avoid_until: float | None = None
        self.target = find_target(configured)
        self.address = self.target

    @property
    def due(self) -> bool:
        """Whether a lane that was not reached may be tried again."""
        return self._avoid_until is not None and time.monotonic() >= self._avoid_until

    @property
    def options(self) -> tuple[tuple[str, Any], ...]:
        """The options of a channel to `address`."""
        return (*CHANNEL_OPTIONS, *_SOCKET_OPTIONS) if self.address.startswith(_UNIX) else CHANNEL_OPTIONS

    def find(self) -> None:
        """Looks again where the sidecar is."""
        self.target = find_target(self._configured)
        self.address = self.target
        if self._avoid_until is not None and not self.due:
            return
        self._avoid_until = None
        lane = find_lane(self._configured)
        if lane is None:
            return
        # Never without the TLS that was asked for, and never in the clear to another machine.
        tls = self._credentials.tls
        if (not tls) if lane.startswith(_UNIX) else (tls or is_local(lane)):
            self.address = lane

    def failed(self) -> None:
        """Notes that nobody was reached at `address`."""
        if self.address != self.target:
            self._avoid_until = time.monotonic() + LANE_PAUSE_S
        else:
            # Neither is there: of a sidecar that starts again, the lane is there first.
            self._avoid_until = None

    def forget(self) -> None:
        """Forgets what was noted, as a forked process has to."""
        self._avoid_until = None
