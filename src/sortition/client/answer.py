"""What the sidecar answers, as a caller sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sortition.errors import SortitionError
from sortition.rpc.v1 import assignment_pb2

__all__ = ["Answer", "Reason"]


class Reason(str, Enum):
    """Why an answer is what it is."""

    SPLIT = "split"
    """The unit's bucket decided."""
    STICKY = "sticky"
    """The unit was exposed before the weights changed and keeps its variant."""
    FORCED = "forced"
    """A caller with the right to do so forced this variant."""
    PAUSED = "paused"
    """The experiment is paused: the control."""
    NO_EXPERIMENT = "no_experiment"
    """No experiment is running: the subject's current configuration."""
    NOT_TARGETED = "not_targeted"
    """The unit is outside the experiment's targeting rules."""
    HOLDOUT = "holdout"
    """The unit is in a holdout."""
    DEFAULT = "default"
    """The sidecar gave no answer: the configured default."""
    OTHER = "other"
    """A reason that this version of the client does not know."""

    def __str__(self) -> str:
        return self.value

    @classmethod
    def from_wire(cls, number: int) -> Reason:
        """Returns the reason that `number` of the proto enum stands for."""
        return _FROM_WIRE.get(number, cls.OTHER)

    @property
    def randomized(self) -> bool:
        """Whether chance gave the unit its variant; the outcomes of other units are not comparable and not recorded."""
        return self in (Reason.SPLIT, Reason.STICKY)


_FROM_WIRE = {
    number: Reason[name.removeprefix("REASON_")]
    for name, number in assignment_pb2.Reason.items()
    if name.removeprefix("REASON_") in Reason.__members__
}


@dataclass(frozen=True)
class Answer:
    """One unit's variant.

    Attributes:
        config: The configuration to use; the caller's own copy.
        reason: Why this answer.
        experiment: The experiment's key; empty when none runs.
        variant: The variant's name; empty when no experiment runs.
        bucket: The unit's bucket in [0, 10000).
        exposed: Whether the answer counts as an exposure of the unit.
        subject: The subject as ``kind/id``; empty with `Reason.DEFAULT`.
        subject_version: The number of the subject's current version; 0 when it has none.
        snapshot_version: The version of the snapshot that answered; 0 with `Reason.DEFAULT`.
        error: Why the sidecar gave no answer; ``None`` unless the reason is `Reason.DEFAULT`.
    """

    config: dict[str, Any]
    reason: Reason
    experiment: str = ""
    variant: str = ""
    bucket: int = 0
    exposed: bool = False
    subject: str = ""
    subject_version: int = 0
    snapshot_version: int = 0
    error: SortitionError | None = field(default=None, compare=False)
