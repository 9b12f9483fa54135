"""What a sidecar has paused by itself, until everybody knows of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sortition.core import Engine
from sortition.events import EventLog
from sortition.files import replace_file

__all__ = ["hold_again", "read_holds", "write_holds"]

_log = EventLog("sortition.state")
_FORMAT: Final = 1


def read_holds(path: Path) -> list[dict[str, Any]]:
    """Returns what is written down, each at least with an ``experiment_id``; what is damaged is logged and ignored."""
    try:
        stored = json.loads(path.read_bytes())
        if stored["format"] != _FORMAT:
            raise ValueError(f"its format is {stored['format']}")
        found = list(stored["held"])
        for each in found:
            if not isinstance(each["experiment_id"], str):
                raise TypeError("an experiment_id is no text")
        return found
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.error("what was paused here is not known", path=str(path), error=str(error))
        return []


def write_holds(path: Path, held: Sequence[object]) -> None:
    """Writes down what is paused; where that cannot be, the log says so.

    Args:
        path: The file; its directory exists.
        held: Each as plain JSON with an ``experiment_id``.
    """
    try:
        replace_file(path, json.dumps({"format": _FORMAT, "held": list(held)}).encode())
    except OSError as error:
        _log.error("what is paused here is not written down", path=str(path), error=str(error))


def hold_again(engine: Engine, path: Path) -> None:
    """Pauses what was paused before. Before any snapshot is loaded: it is never answered otherwise."""
    held = read_holds(path)
    if held:
        engine.hold([each["experiment_id"] for each in held])
