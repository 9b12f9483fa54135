"""Where a sidecar keeps its state, and where clients look for it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = [
    "DEFAULT_TARGET",
    "database_file",
    "endpoint_file",
    "exec_dir",
    "lane_file",
    "lane_socket",
    "log_dir",
    "state_dir",
    "tokens_file",
]

DEFAULT_TARGET = "127.0.0.1:7117"
"""Where a sidecar listens unless told otherwise."""


def state_dir(configured: str | os.PathLike[str] | None = None) -> Path:
    """Returns the state directory: `configured`, else SORTITION_STATE_DIR, else the user's own."""
    chosen = configured or os.environ.get("SORTITION_STATE_DIR")
    return Path(chosen).expanduser() if chosen else platformdirs.user_state_path("sortition")


def database_file(state: Path) -> Path:
    """Returns the SQLite database, unless another is configured."""
    return state / "sortition.db"


def endpoint_file(state: Path) -> Path:
    """Returns the file in which a running sidecar writes its address."""
    return state / "endpoint"


def lane_file(state: Path) -> Path:
    """Returns the file in which a running sidecar writes where its native lane is."""
    return state / "endpoint.lane"


def lane_socket(state: Path) -> Path:
    """Returns the socket of the native lane, unless it is told to listen elsewhere."""
    return state / "lane.sock"


def exec_dir(state: Path) -> Path:
    """Returns the directory of what `sortition exec` keeps: outcomes on their way, and configurations last known."""
    return state / "exec"


def log_dir(state: Path) -> Path:
    """Returns the directory of a sidecar's logs of outcomes: one for each database it was used with."""
    return state / "log"


def tokens_file(state: Path) -> Path:
    """Returns the file that holds the hashes of tokens, unless another is configured."""
    return state / "tokens"
