"""A real sidecar with one running experiment, on a core of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from load import pin
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
def running_sidecar(state: Path, core: int = 0, *flags: str) -> Iterator[tuple[int, str]]:
    """Runs a sidecar whose experiment runs; gives its process and its address."""
    command = [sys.executable, "-m", "sortition", "serve", "--state-dir", str(state), "--listen", "127.0.0.1:0", *flags]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=lambda: pin(core))
    try:
        address = _address(state, process)
        with grpc.insecure_channel(address) as channel:
            admin = admin_pb2_grpc.AdminStub(channel)
            admin.CreateExperiment(admin_pb2.CreateExperimentRequest(spec=spec_to_proto(bench_spec())), timeout=30)
            admin.StartExperiment(admin_pb2.ChangeExperimentRequest(key=KEY), timeout=30)
        yield process.pid, address
    finally:
        process.terminate()
        process.wait(timeout=60)


def _address(state: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the sidecar ended before it listened"
        if endpoint_file(state).exists():
            return endpoint_file(state).read_text().strip()
        time.sleep(0.05)
    raise TimeoutError("the sidecar did not listen within 60 s")
