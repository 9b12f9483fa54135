"""Servers and load on cores of their own."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release"
LOADGEN = _BUILT / "sortition-loadgen"
TONIC_ECHO = _BUILT / "echo"
SINK = _BUILT / "sink"
PYTHON_ECHO = ROOT / "benches" / "echo_server.py"

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_END_S = 30.0


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


def begin(
    command: Sequence[str | Path], core: int | None, *, path: Sequence[str] = (), **options: Any
) -> subprocess.Popen[Any]:
    """Starts a program on one core, or on any; it ends with this process at the latest, however that ends.

    Args:
        command: The program with its arguments.
        core: Which; None for any.
        path: Where it imports from; what is imported here without.
        options: Of `subprocess.Popen`.
    """

    def before() -> None:
        if core is not None:
            pin(core)
        if hasattr(_LIBC, "prctl"):
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or sys.path)}
    return subprocess.Popen([str(part) for part in command], preexec_fn=before, env=environment, **options)


def end(process: subprocess.Popen[Any]) -> None:
    """Makes sure that a program is over."""
    try:
        process.wait(timeout=_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=_END_S)
        raise


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
def running_echo(core: int | None = 0, *, tonic: bool = False, place: str = "") -> Iterator[tuple[int, str]]:
    """Runs the bare server; gives its process and its address.

    Args:
        core: Where; None for any.
        tonic: Whether it is tonic's, or grpcio's.
        place: Where it listens: the path of a socket with tonic, the port with grpcio, which several may share. Any
            port of loopback without.
    """
    command: list[str | Path] = [TONIC_ECHO] if tonic else [sys.executable, PYTHON_ECHO]
    with running([*command, *([place] if place else [])], core) as found:
        yield found


@contextmanager
def sink(core: int = 0) -> Iterator[str]:
    """Runs the cheapest server that there is for the load generator; gives its address."""
    with running([SINK], core) as (_, address):
        yield address


@contextmanager
def running(command: Sequence[str | Path], core: int | None) -> Iterator[tuple[int, str]]:
    """Runs a program that prints its address and serves until its input is closed; gives its process and address."""
    process = begin(command, core, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address, f"{command[0]} does not serve"
        yield process.pid, address
    finally:
        process.stdin.close()
        end(process)
        process.stdout.close()


def cpu_s(process: int) -> float:
    """Returns the seconds of a core that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_load(
    address: str,
    method: str,
    messages: Path,
    *,
    in_flight: int,
    seconds: float,
    connections: int = 1,
    core: int = 1,
) -> Figures:
    """Loads one method and returns what was seen; nothing may be refused."""
    load = begin_load(
        address, method, messages, in_flight=in_flight, seconds=seconds, connections=connections, core=core
    )
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
        address: Of the server: ``host:port`` or ``unix:/path``.
        method: Its path.
        messages: See `write_messages`.
        in_flight: How many callers there are, each with one call at a time.
        seconds: For how long.
        connections: How many they share.
        pause_ms: How long a caller waits that was refused and told when to come back.
        core: Where the load generator runs.
    """
    target = address if address.startswith("unix:") else f"http://{address}"
    command = [LOADGEN, target, method, in_flight, seconds, messages, connections, 0, pause_ms]
    return begin([str(part) for part in command], core, stdout=subprocess.PIPE, text=True)


def end_load(load: subprocess.Popen[str]) -> Figures:
    """Waits for the end of a load; returns what was seen."""
    try:
        out, _ = load.communicate(timeout=_END_S + 30)
    except BaseException:
        load.kill()
        raise
    assert load.returncode == 0, "the load generator failed"
    figures = Figures(**json.loads(out))
    assert figures.answers > 0, "the load generator saw no answers"
    assert figures.errors == 0, f"{figures.errors} calls failed"
    return figures
