"""Brings kept outcomes to the sidecar."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sortition.cli.execute.kept import Entry, Kept
from sortition.errors import (
    DataLoss,
    InternalError,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    SortitionError,
    Unavailable,
)

if TYPE_CHECKING:
    from sortition.cli.session import Session
    from sortition.rpc.v1.recording_pb2 import RecordBatchRequest

__all__ = ["MAX_AGE_MS", "deliver"]

MAX_AGE_MS: Final = 7 * 24 * 60 * 60 * 1000
"""How old an outcome may be for a sidecar."""
# What is left over is for the next command: this one's caller waits.
_WITHIN_S: Final = 5.0
_OBSERVATION: Final = re.compile(r"^(?:\w+\.)?outcomes\[(\d+)\]\.observations\[(\d+)\]")
# A sidecar names many refused values at once, but not endlessly many.
_ROUNDS: Final = 100


def deliver(session: Session, kept: Kept, own: Entry | None, tell: Callable[[str], None]) -> None:
    """Sends this command's outcome, then what earlier commands left, until the sidecar is away or time is up.

    Args:
        session: A connection.
        kept: What waits.
        own: This command's outcome, if it has one.
        tell: Told about what was given up, and about what waits because of something that people have to mend.
    """
    deadline = time.monotonic() + _WITHIN_S
    with kept.delivering() as chosen:
        waiting = [own] if own else []
        waiting += [entry for entry in kept.entries() if chosen and entry != own]
        for entry in waiting:
            if time.monotonic() >= deadline or not _settled(session, kept, entry, tell):
                return


def _settled(session: Session, kept: Kept, entry: Entry, tell: Callable[[str], None]) -> bool:
    """Sends one outcome; returns whether there is any use in sending more."""
    try:
        request = kept.read(entry)
        if request is not None:
            send(session, request, tell)
    except (Unavailable, InternalError) as error:
        tell(f"the outcome is kept, and sent by the next run: {error.message}")
        return False
    except PermissionDenied as error:
        tell(f"the outcome is kept until there is a token that may record it: {error.message}")
        return False
    except ResourceExhausted as error:
        if not error.violations:
            tell(f"the outcome is kept until the sidecar has room: {error.message}")
            return False
        tell(f"an outcome was refused, and is dropped: {error.message}")
    except DataLoss as error:
        tell(f"an outcome is lost: {error.message}")
    except SortitionError as error:
        tell(f"an outcome was refused, and is dropped: {error.message}")
    except OSError as error:
        tell(f"a kept outcome cannot be read: {error}")
        return True
    with suppress(OSError):
        kept.settle(entry)
    return True


def send(session: Session, request: RecordBatchRequest, tell: Callable[[str], None]) -> None:
    """Sends one outcome; without the observations that the sidecar refuses.

    A refused call has changed nothing, so the rest goes under the same number.

    Raises:
        SortitionError: It was refused as a whole, or cannot be taken now.
    """
    if _age_ms(request) > MAX_AGE_MS:
        raise InvalidArgument("it is older than 7 days, which no sidecar takes")
    for _ in range(_ROUNDS):
        try:
            answer = session.call(session.recording.RecordBatch, request)
        except InvalidArgument as error:
            refused = {
                (int(found[1]), int(found[2]))
                for violation in error.violations
                if (found := _OBSERVATION.match(violation.field))
            }
            # Not when anything else is wrong, or nothing would be left.
            if len(refused) < len({violation.field for violation in error.violations}):
                raise
            for violation in error.violations:
                tell(f"a measured value is not recorded: {violation.description}")
            for outcome, index in sorted(refused, reverse=True):
                del request.outcomes[outcome].observations[index]
            for outcome in reversed(range(len(request.outcomes))):
                if not request.outcomes[outcome].observations:
                    del request.outcomes[outcome]
            if not request.outcomes:
                return
        else:
            if answer.late:
                tell(f"{answer.late} values came after the experiment's end, and are not counted")
            return
    raise InvalidArgument("the sidecar refuses its values without end")


def _age_ms(request: RecordBatchRequest) -> float:
    # There is no outcome without a time.
    return time.time() * 1000 - min(outcome.occurred_at_ms for outcome in request.outcomes)
