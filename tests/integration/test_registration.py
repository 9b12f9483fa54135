"""Registrations through a real sidecar: from the file to a changed database, with commands only."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

import registration_crashes
from commands import Ended, Run, run_command
from sidecars import ACTOR, TIMEOUT_S, Stubs, connected, make_spec, run_units, running, start_experiment
from sortition.rpc.v1 import admin_pb2, analysis_pb2
from waiting import wait_until

KEY = "search-strategy"
FILE = """\
experiment: search-strategy
subject: {kind: agent, id: search-agent}
hypothesis: One pass is faster than two.
metrics:
  time:  {kind: duration, unit: s, goal: minimize, role: primary}
  found: {kind: binary, goal: maximize, role: guardrail, margin: 0.1}
variants:
  slow: {weight: 50, control: true, config: {passes: 2}}
  fast: {weight: 50, config: {passes: 1}}
decision: {min_samples: 40, policy: fixed_horizon}
"""
CRASH_TIMEOUT_S = 240
# Fewer steps would mean that nothing was cut off.
FEWEST_KILLS = 8


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SORTITION_TARGET", raising=False)
    monkeypatch.setenv("SORTITION_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def stubs(state: Path) -> Iterator[Stubs]:
    with running(state, log_level="error") as service, connected(service.address) as found:
        yield found


@pytest.fixture
def run(stubs: Stubs, capfd: pytest.CaptureFixture[str]) -> Run:
    return run_command(capfd)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "search.yaml"
    path.write_text(FILE)
    return path


def document(ended: Ended) -> Any:
    """Returns the JSON that a command wrote; the sidecar, in the same process, may have logged beside it."""
    return json.JSONDecoder().raw_decode(ended.out, ended.out.index("{"))[0]


def tamper(state: Path, statement: str) -> None:
    """Changes the database while the sidecar runs, as somebody at its file could."""
    db = sqlite3.connect(state / "sortition.db", timeout=TIMEOUT_S)
    with db:
        assert db.execute(statement).rowcount == 1
    db.close()


def test_a_start_registers_and_everybody_can_compute_the_hash(run: Run, file: Path, state: Path) -> None:
    assert run("create", file).code == 0
    assert "nothing is registered" in run("registration", KEY).out
    assert run("registration", KEY, "--verify").code == 1
    assert run("start", KEY, "--actor", "ada", "--reason", "to see").code == 0
    found = run("registration", KEY, "--verify", "-o", "json")
    assert found.code == 0
    said = document(found)["experiment"]["registration"]
    assert said["hash"] == hashlib.sha256(said["document"].encode()).hexdigest()
    assert json.loads(said["document"])["declared"]["hypothesis"] == "One pass is faster than two."
    assert (said["registered_by"], said["algorithm"]) == ("ada", "sha256-canonical-json/1")
    table = run("registration", KEY).out
    for text in ("ada", said["hash"], "40 sessions; looks planned 1", "One look decides, at 40 sessions", "none"):
        assert text in " ".join(table.split())
    # Lists and answers about the experiment have the hash, and leave the weight behind.
    listed = document(run("list", "-o", "json"))["experiments"][0]["registration"]
    assert listed["hash"] == said["hash"]
    assert not listed["document"]
    tamper(state, "UPDATE experiments SET spec = replace(spec, '\"mde\":0.05', '\"mde\":0.5')")
    ended = run("registration", KEY, "--verify")
    assert ended.code == 1
    assert "declared.decision.mde: is registered as 0.05, and stored is 0.5" in " ".join(ended.out.split())
    assert document(run("registration", KEY, "--verify", "-o", "json"))["differences"]
    # Without --verify it shows, and does not judge.
    assert run("registration", KEY).code == 0


def test_a_change_is_refused_and_another_run_asks_again(run: Run, stubs: Stubs, file: Path) -> None:
    assert run("start", file).code == 0
    changed = make_spec(KEY, decision={"min_samples": 80, "policy": "fixed_horizon"})
    with pytest.raises(grpc.RpcError) as refused:
        stubs.admin.UpdateExperiment(admin_pb2.UpdateExperimentRequest(spec=changed, actor=ACTOR), timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    details = str(refused.value.trailing_metadata())
    assert "spec.decision.min_samples" in details
    assert "is registered as 40, and would become 80" in details
    file.write_text(FILE.replace("min_samples: 40", "min_samples: 80"))
    again = run("start", file)
    assert (again.code, "sortition rerun search-strategy" in again.err) == (6, True)
    opened = run("rerun", KEY, file, "--actor", "ada", "--reason", "more units")
    assert (opened.code, "run 2 of 2, after search-strategy" in opened.out) == (0, True)
    assert run("start", f"{KEY}.run2").code == 4, "the first run still runs on the subject"
    assert run("complete", KEY).code == 0
    assert run("start", f"{KEY}.run2").code == 0
    listed = run("list").out
    assert "(run 1 of 2)" in listed
    assert "(run 2 of 2)" in listed
    report = run("report", f"{KEY}.run2", "--format", "markdown").out
    assert "run 2 of 2, after search-strategy" in report
    assert "Each run has assignments and outcomes of its own" in report
    acts = document(run("audit", "-o", "json"))["events"]
    assert [act["object"] for act in acts if act["action"] == "experiment.rerun"] == [f"experiment/{KEY}.run2"]


def test_peeks_are_in_every_form_of_the_report(run: Run, stubs: Stubs, file: Path, tmp_path: Path) -> None:
    assert run("start", file, "--actor", "ada").code == 0
    run_units(stubs, 20)
    assert run("analyze", KEY).code == 0
    assert run("status", KEY).code == 0
    hash = document(run("registration", KEY, "-o", "json"))["experiment"]["registration"]["hash"]
    for number, form in enumerate(("markdown", "text", "html"), start=3):
        said = " ".join(run("report", KEY, "--format", form).out.split())
        for text in (hash, "40 sessions; looks planned 1, taken 0", f"{number} on 1 day", "ada", "p-values inflate"):
            assert text in said, (form, text)
    found = document(run("report", KEY, "--format", "json"))["report"]["experiment"]["registration"]
    assert (found["peeks"]["count"], found["peeks"]["early"], found["peeks"]["days"]) == ("6", "6", 1)
    run_units(stubs, 60)
    said = " ".join(run("report", KEY, "--format", "markdown").out.split())
    assert "looks planned 1, taken 1" in said
    assert "6 on 1 day" in said, "the look that was planned is no peek"


def test_peeks_outlive_the_sidecar(state: Path) -> None:
    def peeks(stubs: Stubs) -> int:
        request = admin_pb2.GetRegistrationRequest(key=KEY)
        count: int = stubs.admin.GetRegistration(request, timeout=TIMEOUT_S).experiment.registration.peeks.count
        return count

    def stored() -> int:
        db = sqlite3.connect(state / "sortition.db", timeout=TIMEOUT_S)
        (count,) = db.execute("SELECT coalesce(sum(count), 0) FROM peeks").fetchone()
        db.close()
        return int(count)

    with running(state, log_level="error") as service, connected(service.address) as stubs:
        start_experiment(stubs, KEY)
        for _ in range(5):
            stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY), timeout=TIMEOUT_S)
        assert peeks(stubs) == 5
        # By itself, soon.
        wait_until(lambda: stored() == 5)
        stubs.analysis.GetStatus(analysis_pb2.GetStatusRequest(key=KEY), timeout=TIMEOUT_S)
    assert stored() == 6
    with running(state, log_level="error") as service, connected(service.address) as stubs:
        assert peeks(stubs) == 6


def test_a_start_that_is_killed_at_any_step_is_whole_or_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, registration_crashes.__file__, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=CRASH_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["killed"]) >= FEWEST_KILLS
    nothing, whole = ["draft", 0, 0, 0], ["running", 1, 1, 1]
    assert all(each in (nothing, whole) for each in found["killed"])
    assert nothing in found["killed"]
    assert all(each == [*whole, []] for each in found["ended"])
