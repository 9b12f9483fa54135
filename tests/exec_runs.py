"""Runs ``sortition exec`` in processes of their own, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sidecars import ACTOR, KEY, SUBJECT, TIMEOUT_S, Stubs, connected, start_experiment
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2

WITHIN_S = 60
METRICS: list[dict[str, Any]] = [
    {"name": "duration", "kind": "duration", "unit": "s", "goal": "minimize", "role": "primary"},
    {"name": "success", "kind": "binary", "goal": "maximize"},
    {"name": "cost", "kind": "ratio", "goal": "minimize"},
    {"name": "tokens", "kind": "continuous", "goal": "minimize"},
]


def environment(state: Path, **variables: str) -> dict[str, str]:
    """Returns the environment of a command that finds the sidecar of `state`."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SORTITION_")},
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "SORTITION_STATE_DIR": str(state),
        **variables,
    }


def arguments(*given: object) -> list[str]:
    return [sys.executable, "-m", "sortition", "exec", SUBJECT.id, *map(str, given)]


def run_exec(state: Path, *given: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs ``sortition exec search-agent`` to its end."""
    return subprocess.run(
        arguments(*given), env=environment(state, **variables), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip


@contextmanager
def started(state: Path, *given: object, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Starts ``sortition exec search-agent``; nothing of it stays behind."""
    process = subprocess.Popen(arguments(*given), env=environment(state), **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def declare(stubs: Stubs, **changes: Any) -> None:
    """Starts the experiment that the tests are about; its variants' configurations say who they are."""
    start_experiment(stubs, **{"metrics": METRICS, **changes})


def create_subject(stubs: Stubs, config: Mapping[str, Any]) -> None:
    request = admin_pb2.CreateSubjectRequest(ref=SUBJECT, actor=ACTOR)
    request.config.update(config)
    stubs.admin.CreateSubject(request, timeout=TIMEOUT_S)


def counts(address: str) -> dict[str, dict[str, tuple[int, float]]]:
    """Returns what was counted: observations and their mean, by metric and variant."""
    with connected(address) as stubs:
        answer = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY), timeout=TIMEOUT_S)
        found: dict[str, dict[str, tuple[int, float]]] = {}
        for each in answer.metrics:
            found.setdefault(each.metric, {})[each.variant] = (each.n, each.mean)
        return found


def total(address: str, metric: str) -> int:
    """Returns how many observations of a metric were counted, in all variants together."""
    return sum(number for number, _ in counts(address).get(metric, {}).values())


def variant_of(address: str, unit: str) -> str:
    """Returns the variant that a unit is in, without exposing it."""
    with connected(address) as stubs:
        request = assignment_pb2.AssignRequest(experiment=KEY, unit=unit, expose=False)
        answer: assignment_pb2.AssignResponse = stubs.assignment.Assign(request, timeout=TIMEOUT_S)
        return answer.variant


def kept(state: Path) -> list[Path]:
    """Returns the outcomes that wait for a sidecar."""
    return sorted((state / "exec").glob("*/kept/*.outcome"))
