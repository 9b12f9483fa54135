"""Where `make bench` puts the SDKs that sortition is compared with and that want an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PYTHON", "Peer", "ask"]

PYTHON = Path(
    os.environ.get("SORTITION_PEERS") or Path(__file__).resolve().parents[1] / ".venv" / "peers" / "bin" / "python"
)
"""The interpreter of their environment; it need not exist."""
_LOOP = Path(__file__).with_name("peers_loop.py")
_TIMEOUT_S = 90


@dataclass(frozen=True)
class Peer:
    """What one of them took.

    Attributes:
        name: With its version.
        ns: Nanoseconds of an assignment.
    """

    name: str
    ns: float


def ask(calls: int) -> list[Peer]:
    """Returns what each that is installed takes for an assignment; none where there is no such environment."""
    if not PYTHON.exists():
        return []
    command = [str(PYTHON), str(_LOOP), str(calls), "1"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S)
    said = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return [Peer(f"{each['name']} {each['version']}", each["ns"][0]) for each in said]
