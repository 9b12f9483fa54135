"""Where the sidecar is."""

from __future__ import annotations

import os

from sortition import locations

__all__ = ["find_target"]

# An address is one short line; whatever is longer is another file.
_MAX_ADDRESS_BYTES = 512


def find_target(configured: str | None = None) -> str:
    """Returns the address of the sidecar.

    The first of: `configured`, the environment variable SORTITION_TARGET, the address that a running sidecar has
    written into the state directory, and 127.0.0.1:7117.
    """
    return configured or os.environ.get("SORTITION_TARGET") or _announced() or locations.DEFAULT_TARGET


def _announced() -> str | None:
    """Returns what the running sidecar has written; ``None`` where none has, or nothing that is an address."""
    try:
        with locations.endpoint_file(locations.state_dir()).open("rb") as file:
            line = file.read(_MAX_ADDRESS_BYTES + 1)
        if len(line) > _MAX_ADDRESS_BYTES:
            return None
        return line.decode().strip() or None
    except (OSError, ValueError):
        return None
