"""The demo, as somebody runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sortition.demo.remote import Experimenter
from sortition.rpc.v1 import snapshot_pb2
from waiting import wait_until

SOURCE = Path(__file__).parents[2] / "src"
# What `sortition demo` does, without its options.
CODE = """
import sys
from pathlib import Path
from rich.console import Console
from sortition.demo.run import run_demo
run_demo(Console(width=160), keep="keep" in sys.argv, state_dir=Path(sys.argv[1]) if len(sys.argv) > 1 else None)
"""


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A process that has ended may wait for its next of kin to look after it.
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def pids(output: str) -> list[int]:
    sidecar, agents = re.search(r"process (\d+) at", output), re.search(r"processes ([\d, ]+) search", output)
    assert sidecar is not None
    assert agents is not None
    return [int(sidecar[1]), *map(int, agents[1].split(","))]


def test_agents_find_a_winner_and_it_is_shipped(tmp_path: Path) -> None:
    demo = start(tmp_path)
    output, _ = demo.communicate(timeout=110)
    assert demo.returncode == 0, output
    assert len(pids(output)) == 5
    assert re.search(r"^winner     (combined|pooled), shipped to agent/search-agent$", output, re.MULTILINE), output
    assert re.search(r"^version 2  \{'strategy': '(combined|pooled)'", output, re.MULTILINE), output
    assert "no_experiment" in output
    assert "drained and ended with 0" in output
    for word in ("total_time", "query_latency", "found_all", "bytes_read", "SRM ok", "Where to look next"):
        assert word in output
    assert all(gone(pid) for pid in pids(output))
    assert list(tmp_path.iterdir()) == []


def test_the_sidecar_can_be_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    demo = start(tmp_path, str(state), "keep")
    output, _ = demo.communicate(timeout=110)
    sidecar, *agents = pids(output)
    try:
        assert demo.returncode == 0, output
        assert f"kill {sidecar}" in output
        assert f"SORTITION_STATE_DIR={state}" in output
        assert all(gone(pid) for pid in agents)
        experimenter = Experimenter((state / "endpoint").read_text().strip())
        report = experimenter.report("search-strategy")
        experimenter.close()
        assert report.experiment.status == snapshot_pb2.EXPERIMENT_STATUS_COMPLETED
        assert report.experiment.shipped_version == 2
        # No session was lost: each one that was exposed has one outcome.
        recorded = sum(each.n for each in report.analysis.metrics if each.metric == "total_time")
        assert recorded == report.analysis.units >= 300
    finally:
        os.kill(sidecar, signal.SIGTERM)
    wait_until(lambda: gone(sidecar), within_s=30)
    assert not (state / "endpoint").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupting_ends_every_process(tmp_path: Path, number: signal.Signals) -> None:
    demo = start(tmp_path)
    assert demo.stdout is not None
    seen = ""
    for line in demo.stdout:
        seen += line
        if line.startswith("sessions"):
            break
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode not in (0, None)
    assert len(pids(seen)) == 5
    wait_until(lambda: all(gone(pid) for pid in pids(seen)), within_s=30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["something"])
def test_a_used_directory_is_refused(tmp_path: Path, content: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / content).touch()
    demo = start(tmp_path, str(state))
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode != 0
    assert "state_dir" in output
    assert "is not empty" in output
    assert [each.name for each in state.iterdir()] == [content]


def test_a_sidecar_that_cannot_start_is_reported(tmp_path: Path) -> None:
    state = tmp_path / "state"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "SORTITION_LOG_LEVEL": "no-such-level"}
    demo = subprocess.run(
        [sys.executable, "-c", CODE, str(state)], env=environment, capture_output=True, text=True, timeout=60
    )
    assert demo.returncode != 0
    assert "the sidecar ended instead of listening" in demo.stderr
    assert "log_level" in demo.stderr
