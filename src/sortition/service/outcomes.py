"""Opens the engine with its log: what was acknowledged before this process began is there again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sortition.core import Engine, log_inspect
from sortition.errors import FailedPrecondition
from sortition.events import EventLog
from sortition.settings import Settings
from sortition.state import StateDirectory

__all__ = ["open_engine"]

_log = EventLog("sortition.service")

_NAME_BYTES = 8


def open_engine(settings: Settings, state: StateDirectory, key: bytes) -> Engine:
    """Returns an engine that goes on where the one before it ended.

    Outcomes belong to the database whose experiments they are about, so there is a log for each database that the state
    directory was used with.

    Args:
        settings: How calls are acknowledged, and how large the log may be.
        state: Where the log is.
        key: The key of the database.

    Raises:
        FailedPrecondition: The log is in use, or outcomes wait in it and are not to be looked at.
        DataLoss: It is damaged where it was acknowledged.
        ResourceExhausted: The disk is full.
        Unavailable: The disk fails.
    """
    own = state.log / hashlib.sha256(b"sortition/log/" + key).hexdigest()[: 2 * _NAME_BYTES]
    _tell_of_others(state.log, own)
    if settings.ack == "memory":
        if own.exists() and _waits(own):
            raise FailedPrecondition(
                f"ack: is memory, and outcomes wait in the log in {own}; start once with ack = written, to store them"
            )
        return Engine(unit_key=key)
    state.log.mkdir(mode=0o700, exist_ok=True)
    own.mkdir(mode=0o700, exist_ok=True)
    engine = Engine(
        unit_key=key,
        log_dir=own,
        ack=settings.ack,
        log_identity=state.identity,
        log_limits={"max_bytes": settings.log_max_bytes},
    )
    found = engine.recovery
    if found is not None and (found["cells"] or found["exposures"] or found["torn_bytes"]):
        _log.info("recovered", **found)
    return engine


def _tell_of_others(logs: Path, own: Path) -> None:
    """Says where outcomes wait for another database, which this sidecar cannot store."""
    for other in sorted(logs.iterdir()) if logs.is_dir() else ():
        if other != own and other.is_dir() and _waits(other):
            _log.warning("outcomes wait for another database", log=str(other))


def _waits(path: Path) -> bool:
    """Returns whether a log may hold outcomes that are not in the database."""
    found = log_inspect(path)
    return found["damage"] is not None or any(
        segment["batch"] > found["committed"] and (segment["observations"] or segment["exposures"] or segment["full"])
        for segment in found["segments"]
    )
