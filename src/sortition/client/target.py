"""Where the sidecar is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sortition import locations

__all__ = ["find_lane", "find_target"]

# An address is one short line; whatever is longer is another file.
_MAX_ADDRESS_BYTES = 512


def find_target(configured: str | None = None) -> str:
    """Returns the address of the sidecar.

    The first of: `configured`, the environment variable SORTITION_TARGET, the address that a running sidecar has
    written into the state directory, and 127.0.0.1:7117.
    """
    return _named(configured) or _announced(locations.endpoint_file) or locations.DEFAULT_TARGET


def find_lane(configured: str | None = None) -> str | None:
    """Returns where the native lane of the sidecar is; ``None`` where it has none on this machine.

    Only the sidecar that has announced itself in the state directory is known to be on this machine. One that starts
    announces its lane first, and is meant where no other is named.

    Args:
        configured: The sidecar's address, where it was given.
    """
    named, server = _named(configured), _announced(locations.endpoint_file)
    return _announced(locations.lane_file) if named in (None, server) else None


def _named(configured: str | None) -> str | None:
    return configured or os.environ.get("SORTITION_TARGET") or None


def _announced(place: Callable[[Path], Path]) -> str | None:
    """Returns what the running sidecar has written; ``None`` where none has, or nothing that is an address."""
    try:
        with place(locations.state_dir()).open("rb") as file:
            line = file.read(_MAX_ADDRESS_BYTES + 1)
        if len(line) > _MAX_ADDRESS_BYTES:
            return None
        return line.decode().strip() or None
    except (OSError, ValueError):
        return None
