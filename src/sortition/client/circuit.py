"""Spares callers the wait while the sidecar is away."""

from __future__ import annotations

__all__ = ["Circuit"]


class Circuit:
    """Lets every call through until one fails; then one every `pause_s`, until one succeeds.

    Without a lock: what threads can do to each other here is to try once more than needed.

    Args:
        pause_s: How long after a failure the next call is let through.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._closed_until: float | None = None

    @property
    def failing(self) -> bool:
        """Whether the last call failed."""
        return self._closed_until is not None

    def admits(self, now: float) -> bool:
        """Says whether a call may go through at `now`; if so and the last one failed, the others wait for this one."""
        if self._closed_until is None:
            return True
        if now < self._closed_until:
            return False
        self._closed_until = now + self._pause_s
        return True

    def failed(self, now: float) -> None:
        """Notes that a call failed at `now`."""
        self._closed_until = now + self._pause_s

    def succeeded(self) -> None:
        """Notes that a call went through."""
        self._closed_until = None
