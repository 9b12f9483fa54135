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
_BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release"
LOADGEN = _BUILT / "sortition-loadgen"
TONIC_ECHO = _BUILT / "echo"


@dataclass(frozen=True)
class Figures:
    """What one run of the load generator saw."""

    requests_per_s: float
    p50_us: float
    p99_us: float
    answers: int
    errors: int
    refused: int
    refused_with_retry: int
    held_back: int


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
def echo_server(core: int = 0, *, tonic: bool = False) -> Iterator[str]:
    """Runs the bare server on one core, of grpcio or of tonic; gives its address."""
    with running_echo(core, tonic=tonic) as (_, address):
        yield address


@contextmanager
def running_echo(core: int = 0, *, tonic: bool = False) -> Iterator[tuple[int, str]]:
    """Runs the bare server on one core; gives its process and its address."""
    process = subprocess.Popen(
        [str(TONIC_ECHO)] if tonic else [sys.executable, str(ROOT / "benches" / "echo_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: pin(core),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.pid, process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def cpu_s(process: int) -> float:
    """Returns the seconds of a core that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_load(address: str, method: str, messages: Path, *, in_flight: int, seconds: float, core: int = 1) -> Figures:
    """Loads one method and returns what was seen; nothing may be refused."""
    load = begin_load(address, method, messages, in_flight=in_flight, seconds=seconds, core=core)
    figures = end_load(load)
    assert figures.refused == 0, f"{figures.refused} calls were refused"
    return figures


def begin_load(
    address: str,
    method: str,
    messages: Path,
    *,
    in_flight: int,
    seconds: float,
    connections: int = 1,
    pause_ms: int = 0,
    core: int = 1,
) -> subprocess.Popen[str]:
    """Begins to load one method, so that several can be loaded at once.

    Args:
        address: Of the server.
        method: Its path.
        messages: See `write_messages`.
        in_flight: How many callers there are, each with one call at a time.
        seconds: For how long.
        connections: How many they share.
        pause_ms: How long a caller waits that was refused and told when to come back.
        core: Where the load generator runs.
    """
    command = [LOADGEN, f"http://{address}", method, in_flight, seconds, messages, connections, 0, pause_ms]
    return subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, text=True, preexec_fn=lambda: pin(core)
    )


def end_load(load: subprocess.Popen[str]) -> Figures:
    """Waits for the end of a load; returns what was seen."""
    out, _ = load.communicate(timeout=120)
    assert load.returncode == 0, "the load generator failed"
    figures = Figures(**json.loads(out))
    assert figures.answers > 0, "the load generator saw no answers"
    assert figures.errors == 0, f"{figures.errors} calls failed"
    return figures
