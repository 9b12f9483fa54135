"""The last good snapshot."""

from __future__ import annotations

from pathlib import Path

from sortition.core import Engine
from sortition.errors import SortitionError
from sortition.events import EventLog

__all__ = ["load_local"]

_log = EventLog("sortition.state")


def load_local(engine: Engine, path: Path) -> bool:
    """Loads the last good snapshot from disk; a damaged one is logged and ignored.

    Args:
        engine: What answers from it.
        path: The file.

    Returns:
        Whether the engine took it.
    """
    try:
        return engine.load_snapshot(path.read_bytes())
    except FileNotFoundError:
        return False
    except (OSError, SortitionError) as error:
        _log.error("last good snapshot not loaded", path=str(path), error=str(error))
        return False
