"""What a run was measured on and with."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Run", "this_run"]

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("grpcio", "eppo-server-sdk", "numpy", "scipy", "sqlalchemy", "protobuf")
_CRATES = ("h2", "hyper", "tokio", "tonic")


@dataclass(frozen=True)
class Run:
    """One run of benches.

    Attributes:
        at: When it began, in UTC, to the second.
        revision: What of the source it measured.
        cpu: The processor.
        cores: How many cores it might use, and which did what.
        system: The operating system.
        load: How many others wanted a core in the minute before.
        versions: Of everything that took part, by name.
    """

    at: str
    revision: str
    cpu: str
    cores: str
    system: str
    load: float
    versions: Mapping[str, str]


def this_run() -> Run:
    """Returns what is to be known of a run that begins now."""
    cores = sorted(os.sched_getaffinity(0))
    pinned = f"servers on core {cores[0]}, load on core {cores[1 % len(cores)]}"
    return Run(
        at=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        revision=_told("git", "describe", "--always", "--dirty", "--exclude=*"),
        cpu=_cpu(),
        cores=f"{len(cores)} cores; {pinned}",
        system=f"{platform.system()} {platform.release()}",
        load=round(os.getloadavg()[0], 2),
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    found = {"CPython": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["SQLite"] = sqlite3.sqlite_version
    found["rustc"] = _told("rustc", "--version").removeprefix("rustc ").partition(" ")[0]
    lock = (ROOT / "Cargo.lock").read_text()
    for name in _CRATES:
        match = re.search(rf'^name = "{name}"\nversion = "([^"]+)"', lock, re.MULTILINE)
        if match:
            found[name] = match[1]
    return found


def _cpu() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match[1].strip() if match else platform.processor() or platform.machine()


def _told(*command: str) -> str:
    """Returns what a program says, or "unknown"."""
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return run.stdout.strip()
