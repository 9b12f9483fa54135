"""Whether the clock can be trusted: outcomes are counted on UTC days."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from sortition.check.finding import Failed, Probe, Skipped
from sortition.check.storage import inspected

if TYPE_CHECKING:
    from sortition.settings import Settings

__all__ = ["probes"]

_AREA = "clock"
# No sidecar of this version ran before, and certificates do not last until after.
_EARLIEST = datetime(2025, 1, 1, tzinfo=timezone.utc)
_LATEST = datetime(2100, 1, 1, tzinfo=timezone.utc)
# As long as the two clocks are compared, and by how much they may differ: slewing gives a thousandth of it.
_WATCHED_S, _STEP_S = 0.1, 0.05
# File systems keep times to the second or two.
_FILE_S = 3.0
_SERVER_S = 5.0
# What is recorded may be as much ahead, see `Outcome.occurred_at_ms`.
_AHEAD = timedelta(minutes=5)
_DAY_S = 86_400


def probes(settings: Settings) -> Iterator[Probe]:
    """Yields the checks of the clock."""
    yield Probe(_AREA, "time", _time)
    yield Probe(_AREA, "steady", _steady)
    yield Probe(_AREA, "files", lambda: _files(settings.state_dir))
    yield Probe(_AREA, "database", lambda: _database(settings))


def _now() -> datetime:
    return datetime.fromtimestamp(_wall(), timezone.utc)


def _wall() -> float:
    return time.time()


def _time() -> str:
    now = _now()
    if not _EARLIEST <= now <= _LATEST:
        raise Failed(f"the clock says {now:%Y-%m-%d %H:%M} UTC; set it")
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"


def _steady() -> str:
    wall, steady = _wall(), time.monotonic()
    while (passed := time.monotonic() - steady) < _WATCHED_S:
        time.sleep(_WATCHED_S - passed)
    stepped = (_wall() - wall) - (time.monotonic() - steady)
    if abs(stepped) > _STEP_S:
        raise Failed(f"the clock was set by {stepped:+.3f} s while it was watched; use a time service that slews")
    return f"no step in {_WATCHED_S * 1000:.0f} ms"


def _files(state_dir: Path) -> str:
    where = state_dir if state_dir.is_dir() else None
    with tempfile.NamedTemporaryFile(dir=where, prefix=".check.") as file:
        ahead = Path(file.name).stat().st_mtime - _wall()
    if abs(ahead) > _FILE_S:
        raise Failed(f"files in {Path(file.name).parent} are dated {ahead:+.1f} s from the clock; set one of the two")
    return f"files are dated {abs(ahead):.1f} s from the clock"


def _database(settings: Settings) -> str:
    found, now = inspected(settings), _now()
    if found.now is not None and abs((found.now - now).total_seconds()) > _SERVER_S:
        raise Failed(f"{found.name} is {(found.now - now).total_seconds():+.1f} s from the clock; set one of the two")
    if found.newest_at is not None and found.newest_at > now + _AHEAD:
        raise Failed(f"the newest entry in {found.name} is of {found.newest_at:%Y-%m-%d %H:%M} UTC, which is to come")
    if found.newest_day is not None and found.newest_day > (now + _AHEAD).timestamp() // _DAY_S:
        day = datetime.fromtimestamp(found.newest_day * _DAY_S, timezone.utc)
        raise Failed(
            f"{found.name} holds outcomes of {day:%Y-%m-%d}, which is to come; the clock was ahead, or is behind"
        )
    if found.newest_at is None and found.now is None:
        raise Skipped(f"{found.name} holds nothing that has a time")
    return f"nothing in {found.name} is of a time to come"
