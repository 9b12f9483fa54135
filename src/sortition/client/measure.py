"""What a trial measures by itself: how long it took, and whether it ended well."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace

from sortition.rpc.v1 import recording_pb2

__all__ = ["Automatic", "Stopwatch"]

_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6}


@dataclass(frozen=True)
class Automatic:
    """Under which names a trial records by itself.

    Experiments that do not declare these metrics are not bothered: such observations are left out by the sidecar.

    Attributes:
        duration: The metric for the time between entering and leaving the trial; none when empty.
        duration_unit: The unit it is recorded in: "s", "ms" or "us". The experiment's declaration has to say the same.
        success: The metric for whether the trial was left without an exception, 1 or 0; none when empty.
    """

    duration: str = "duration"
    duration_unit: str = "s"
    success: str = "success"

    def __post_init__(self) -> None:
        if self.duration_unit not in _PER_SECOND:
            raise ValueError(f"duration_unit must be one of {', '.join(_PER_SECOND)}, but is {self.duration_unit!r}")

    def but(self, duration: str | None, duration_unit: str | None, success: str | None) -> Automatic:
        """Returns a copy in which everything that is not ``None`` is replaced."""
        changes = {"duration": duration, "duration_unit": duration_unit, "success": success}
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, **given) if given else self

    def observations(
        self, seconds: float, succeeded: bool, recorded: Collection[str]
    ) -> list[recording_pb2.Observation]:
        """Returns what is recorded besides the metrics that were `recorded` by hand."""
        found = {self.duration: seconds * _PER_SECOND[self.duration_unit], self.success: float(succeeded)}
        # A number even for success: metrics of every kind take one, so that none refuses what nobody asked for.
        return [
            recording_pb2.Observation(metric=metric, number=value, if_declared=True)
            for metric, value in found.items()
            if metric and metric not in recorded
        ]


class Stopwatch:
    """Measures from when it is made, or was last started, until it is stopped."""

    def __init__(self) -> None:
        self._stopped: float | None = None
        self._started = time.perf_counter()

    def start(self) -> None:
        """Starts anew."""
        self._started = time.perf_counter()

    def stop(self) -> float:
        """Stops, and returns the seconds measured; the first stop counts."""
        if self._stopped is None:
            self._stopped = time.perf_counter()
        return self._stopped - self._started
