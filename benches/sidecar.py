"""A real sidecar with one running experiment, on a core of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from load import begin, end
from sortition.locations import endpoint_file
from sortition.model import ExperimentSpec, validate
from sortition.model.wire import spec_to_proto
from sortition.rpc.v1 import admin_pb2, admin_pb2_grpc

KEY = "bench"
METRIC = "latency"


def bench_spec(key: str = KEY) -> ExperimentSpec:
    """Returns an even split of two variants with a duration, a binary and a continuous metric."""
    return validate(
        ExperimentSpec,
        {
            "key": key,
            "subject": {"kind": "agent", "id": key},
            "metrics": [
                {"name": METRIC, "kind": "duration", "unit": "ms", "goal": "minimize", "role": "primary"},
                {"name": "success", "kind": "binary", "goal": "maximize"},
                {"name": "cost", "kind": "continuous", "unit": "USD", "goal": "minimize"},
            ],
            "variants": [
                {"name": "control", "weight": 50, "control": True, "config": {"strategy": "one"}},
                {"name": "treatment", "weight": 50, "config": {"strategy": "two"}},
            ],
        },
    )


@contextmanager
def sidecar(state: Path, core: int = 0) -> Iterator[str]:
    """Runs a sidecar whose experiment runs; gives its address."""
    with running_sidecar(state, core) as (_, address):
        yield address


@contextmanager
def bare_sidecar(state: Path, core: int | None = 0, *flags: str, tree: Path | None = None) -> Iterator[tuple[int, str]]:
    """Runs a sidecar with what its state directory holds; gives its process and its address.

    Args:
        state: The directory; made where there is none.
        core: Where it runs; None for any.
        flags: More of the command line.
        tree: Whose source it runs; what is imported here when None.
    """
    with starting_sidecar(state, core, *flags, tree=tree) as process:
        yield process.pid, announced(endpoint_file(state), process)


@contextmanager
def starting_sidecar(
    state: Path, core: int | None = 0, *flags: str, tree: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a sidecar; gives its process at once."""
    serve = [sys.executable, "-m", "sortition", "serve", "--state-dir", str(state), "--listen", "127.0.0.1:0", *flags]
    process = begin(serve, core, path=[str(tree / "src")] if tree else (), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        end(process)


@contextmanager
def running_sidecar(
    state: Path, core: int | None = 0, *flags: str, tree: Path | None = None
) -> Iterator[tuple[int, str]]:
    """Runs a sidecar whose experiment runs; gives its process and its address."""
    with bare_sidecar(state, core, *flags, tree=tree) as (pid, address):
        with grpc.insecure_channel(address) as channel:
            admin = admin_pb2_grpc.AdminStub(channel)
            admin.CreateExperiment(admin_pb2.CreateExperimentRequest(spec=spec_to_proto(bench_spec())), timeout=30)
            admin.StartExperiment(admin_pb2.ChangeExperimentRequest(key=KEY), timeout=30)
        yield pid, address


def announced(place: Path, process: subprocess.Popen[bytes]) -> str:
    """Waits until a sidecar has written an address into a file of its state directory; returns it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the sidecar ended before it listened"
        if place.exists() and (address := place.read_text().strip()):
            return address
        time.sleep(0.002)
    raise TimeoutError("the sidecar did not listen within 60 s")
