"""Servers and load on cores of their own."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOADGEN = ROOT / "target" / "release" / "sortition-loadgen"


@dataclass(frozen=True)
class Figures:
    """What one run of the load generator saw."""

    requests_per_s: float
    p50_us: float
    p99_us: float
    answers: int
    errors: int


def pin(core: int) -> None:
    """Keeps this process on one core, where the machine has several."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def build_loadgen() -> None:
    """Builds the load generator; it is not part of the product."""
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "sortition-loadgen"]
    subprocess.run(command, cwd=ROOT, check=True)


def write_messages(path: Path, messages: Sequence[bytes]) -> Path:
    """Writes messages as the load generator reads them."""
    path.write_bytes(b"".join(struct.pack("<I", len(message)) + message for message in messages))
    return path


@contextmanager
def echo_server(core: int = 0) -> Iterator[str]:
    """Runs the bare server on one core; gives its address."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "benches" / "echo_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: pin(core),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def run_load(address: str, method: str, messages: Path, *, in_flight: int, seconds: float, core: int = 1) -> Figures:
    """Loads one method and returns what was seen."""
    out = subprocess.run(
        [str(LOADGEN), f"http://{address}", method, str(in_flight), str(seconds), str(messages)],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        preexec_fn=lambda: pin(core),
    ).stdout
    figures = Figures(**json.loads(out))
    assert figures.answers > 0, "the load generator saw answers"
    assert figures.errors == 0, f"{figures.errors} calls failed"
    return figures
