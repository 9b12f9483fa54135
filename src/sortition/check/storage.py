"""Whether what a sidecar keeps is kept: its directory, its log, its database."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sortition.check.finding import Failed, Probe, Skipped
from sortition.core import log_inspect
from sortition.locations import database_file, log_dir
from sortition.store import sqlite_url
from sortition.store.inspection import Inspection, inspect_database

if TYPE_CHECKING:
    from sortition.settings import Settings

__all__ = ["inspected", "probes"]

_AREA = "storage"
_MIB = 1024 * 1024
# A segment of the log; with less nothing can be recorded soon.
_LEAST_FREE = 64 * _MIB
_TRIAL_BYTES = 64 * 1024


def probes(settings: Settings) -> Iterator[Probe]:
    """Yields the checks of storage."""
    yield Probe(_AREA, "state directory", lambda: _directory(settings.state_dir))
    yield Probe(_AREA, "room", lambda: _room(settings))
    yield Probe(_AREA, "log", lambda: _log(settings.state_dir))
    yield Probe(_AREA, "database", lambda: _database(settings))


def inspected(settings: Settings) -> Inspection:
    """Looks at the configured database.

    Raises:
        Skipped: There is none yet.
        StoreError: It cannot be used.
        StoreUnavailable: It cannot be reached.
    """
    own = database_file(settings.state_dir)
    if settings.database_url is None and not own.exists():
        raise Skipped(f"{own} is not there; a sidecar makes it")
    return inspect_database(settings.database_url or sqlite_url(own), timeout_s=settings.database_timeout_s)


def _existing(path: Path) -> Path:
    if not path.is_dir():
        raise Skipped(f"{path} is not there; a sidecar makes it")
    return path


def _directory(path: Path) -> str:
    status = _existing(path).stat()
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise Failed(f"{path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}); run: chmod 700 {path}")
    if status.st_uid != os.geteuid():
        raise Failed(f"{path} belongs to user {status.st_uid}, not to {os.geteuid()} who asks; check as its user")
    content = os.urandom(_TRIAL_BYTES)
    with tempfile.NamedTemporaryFile(dir=path, prefix=".check.") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if Path(file.name).read_bytes() != content:
            raise Failed(f"{path} gives back other bytes than were written; the disk is faulty")
    return f"{path} is private, and keeps what is synced to it"


def _room(settings: Settings) -> str:
    path = _existing(settings.state_dir)
    free = shutil.disk_usage(path).free
    if free < _LEAST_FREE:
        raise Failed(f"{path} has {free // _MIB:,} MiB left; make room, at least {_LEAST_FREE // _MIB} MiB")
    short = free < settings.log_max_bytes
    less = f", less than the log may grow to ({settings.log_max_bytes // _MIB:,} MiB)" if short else ""
    return f"{free // _MIB:,} MiB are free{less}"


def _log(path: Path) -> str:
    logs = log_dir(_existing(path))
    found = sorted(each for each in logs.iterdir() if each.is_dir()) if logs.is_dir() else []
    if not found:
        raise Skipped(f"no log in {logs}; a sidecar makes one unless it acknowledges from memory")
    for each in found:
        if (damage := log_inspect(each)["damage"]) is not None:
            raise Failed(f"{each}: {damage}; see `sortition log inspect`")
    return f"{len(found)} log{'s' if len(found) > 1 else ''}, sound"


def _database(settings: Settings) -> str:
    found = inspected(settings)
    if found.faults:
        raise Failed(f"{found.name} is damaged: {'; '.join(found.faults)}; restore a copy")
    if not found.usable:
        schema = "is empty" if found.revision is None else f"has the older schema {found.revision}"
        return f"{found.name} {schema}; the next sidecar brings it up to date"
    whole = ", every page sound" if found.kind == "sqlite" else ""
    return f"{found.name} has schema {found.revision}{whole}, and can be written"
