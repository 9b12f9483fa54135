"""What a unit is given: the variant that the sidecar assigned, or the configuration that is current without one."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sortition.errors import InternalError, Unavailable

if TYPE_CHECKING:
    from sortition.cli.session import Session
    from sortition.client.wanted import Wanted
    from sortition.rpc.v1.assignment_pb2 import AssignResponse

__all__ = ["DEFAULT", "Given", "assign", "given_by"]

DEFAULT: Final = "default"
"""The reason of what is given without the sidecar."""
# A sidecar that is being started is there in a moment; one that is away must not hold up every command for longer.
_PATIENCE_S: Final = 0.25
_PAUSE_S: Final = 0.05


@dataclass(frozen=True)
class Given:
    """What a unit is given.

    Attributes:
        config: The configuration, a JSON object in UTF-8.
        experiment: The experiment's key; empty without one.
        variant: The variant's name; empty without one.
        reason: Why this variant.
        counts: Whether its outcome is recorded: only where chance gave the unit its variant.
    """

    config: bytes
    experiment: str = ""
    variant: str = ""
    reason: str = DEFAULT
    counts: bool = False


def assign(session: Session, wanted: Wanted, unit: str) -> AssignResponse:
    """Asks the sidecar for a unit's variant.

    Raises:
        SortitionError: It refused, or could not be reached in time (`Unavailable`).
    """
    request = wanted.request(unit, session.organization, expose=True, known=())
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            answer: AssignResponse = session.call(session.assignment.Assign, request)
            return answer
        except Unavailable:
            if time.monotonic() + _PAUSE_S >= deadline:
                raise
        threading.Event().wait(_PAUSE_S)


def given_by(answer: AssignResponse) -> Given:
    """Returns what the sidecar's answer gives.

    Raises:
        InternalError: It is no answer that a sidecar gives.
    """
    import json

    from sortition.client.answer import Reason

    try:
        whole = isinstance(json.loads(answer.config), dict)
    except ValueError:
        whole = False
    if not whole:
        raise InternalError(f"config: the sidecar sent {len(answer.config)} bytes that are not a JSON object")
    reason = Reason.from_wire(answer.reason)
    return Given(
        config=answer.config,
        experiment=answer.experiment,
        variant=answer.variant,
        reason=reason.value,
        counts=bool(answer.experiment and answer.variant) and reason.randomized,
    )
