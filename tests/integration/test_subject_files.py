"""Subjects in files, from a file to a shipped winner and back, with commands and a real sidecar."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import Run, run_command
from sidecars import ACTOR, connected, run_units, running
from sortition.model.wire import struct_from_config
from sortition.rpc.v1 import admin_pb2, assignment_pb2, common_pb2
from sortition.subjectfiles.held import base_config

AGENT = """\
# The agent.
model: &model
  name: 'large'      # who
  temperature: 0.70  # how
steps:
- {name: plan, timeout: 1.0}
"""
SHIPPED = AGENT.replace("0.70", "0.2")
EXPERIMENT = """\
experiment: cooler
subject: {kind: file, id: agent}
file: conf/agent.yaml
metrics:
  time:  {kind: duration, unit: s, goal: minimize, role: primary}
  found: {kind: binary, goal: maximize, role: guardrail, margin: 0.1}
variants:
  slow: {weight: 50, control: true}
  fast: {weight: 50, set: {model.temperature: 0.2}}
decision: {min_samples: 40}
"""
REF = common_pb2.SubjectRef(kind="file", id="agent")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("SORTITION_TARGET", raising=False)
    monkeypatch.delenv("SORTITION_ROOT", raising=False)
    monkeypatch.setenv("SORTITION_STATE_DIR", str(tmp_path / "state"))
    with running(tmp_path / "state", log_level="error", automatic=False):
        yield tmp_path / "state"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "root"
    (root / "conf").mkdir(parents=True)
    (root / "conf" / "agent.yaml").write_text(AGENT)
    (root / "conf" / "agent.yaml").chmod(0o640)
    (root / "cooler.yaml").write_text(EXPERIMENT)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def file(root: Path) -> Path:
    return root / "conf" / "agent.yaml"


@pytest.fixture
def run(state: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    return run_command(capfd)


@pytest.fixture
def address(state: Path) -> str:
    return (state / "endpoint").read_text().strip()


@pytest.fixture
def decided(run: Run, root: Path, address: str) -> None:
    """An experiment that has a winner."""
    assert run("start", "cooler.yaml").code == 0
    with connected(address) as stubs:
        run_units(stubs, 60, "cooler")


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.usefixtures("decided")
def test_the_whole_way(run: Run, root: Path, file: Path, address: str) -> None:
    with connected(address) as stubs:
        configs: dict[str, Any] = {}
        for number in range(20):
            answer = stubs.assignment.Assign(assignment_pb2.AssignRequest(experiment="cooler", unit=f"n{number}"))
            configs[answer.variant] = json.loads(answer.config)
    # Agents get what the file would hold, and what it would say.
    assert configs["slow"]["content"] == AGENT
    assert configs["fast"]["content"] == SHIPPED
    assert configs["fast"]["values"]["model"] == {"name": "large", "temperature": 0.2}

    shown = run("promote", "cooler", "--dry-run")
    assert shown.code == 0
    assert "-  temperature: 0.70  # how\n+  temperature: 0.2  # how\n" in shown.out
    assert file.read_text() == AGENT
    assert run("status", "cooler", "-o", "json").document["experiment"]["status"] == "EXPERIMENT_STATUS_RUNNING"

    shipped = run("promote", "cooler", "-o", "json")
    assert shipped.code == 0
    assert shipped.document["subject"]["current"]["number"] == "2"
    assert "+  temperature: 0.2  # how" in shipped.err
    assert file.read_text() == SHIPPED
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    backups = list((root / ".sortition" / "backups").iterdir())
    assert [each.read_text() for each in backups] == [AGENT]
    assert run("promote", "cooler").code == 0

    # From the backup, and not from what the sidecar has.
    os.utime(backups[0], (1, 1))
    back = run("rollback", "file/agent")
    assert back.code == 0
    assert "conf/agent.yaml holds version 1 of file/agent" in back.out
    assert file.read_text() == AGENT
    assert run("rollback", "file/agent").code == 4
    assert run("subjects", "show", "file/agent", "-o", "json").document["current"]["number"] == "1"


@pytest.mark.usefixtures("decided")
def test_a_file_that_somebody_else_changed_is_a_conflict(run: Run, file: Path) -> None:
    theirs = AGENT.replace("0.70", "0.9").replace("1.0", "3")
    file.write_text(theirs)
    for options in ((), ("--dry-run",)):
        refused = run("promote", "cooler", *options)
        assert refused.code == 9
        lines = [line.strip() for line in refused.out.splitlines()]
        at = lines.index("base:")
        assert lines[at + 1 : at + 6] == [
            *("temperature: 0.70  # how", "theirs:", "temperature: 0.9  # how", "ours:", "temperature: 0.2  # how")
        ]
        assert "ours:  (as in base)" in lines
        assert "changed by somebody else" in refused.err
    assert file.read_text() == theirs
    assert run("status", "cooler", "-o", "json").document["experiment"]["status"] == "EXPERIMENT_STATUS_RUNNING"
    # Shipped without its file, that is brought to it when it is as it was.
    assert run("promote", "cooler", "--no-files").code == 0
    assert run("apply", "file/agent").code == 9
    assert run("rollback", "file/agent").code == 9
    assert file.read_text() == theirs
    file.write_text(AGENT)
    assert run("apply", "file/agent", "--dry-run").code == 0
    assert file.read_text() == AGENT
    done = run("apply", "file/agent", "-o", "json")
    assert (done.code, done.document["changed"], done.document["version"]) == (0, True, 2)
    assert file.read_text() == SHIPPED
    assert run("apply", "file/agent", "-o", "json").document["changed"] is False


@pytest.mark.usefixtures("decided")
def test_what_was_shipped_is_what_somebody_else_changed(run: Run, file: Path) -> None:
    assert run("promote", "cooler").code == 0
    file.write_text(SHIPPED + "more: 1\n")
    refused = run("rollback", "file/agent")
    assert refused.code == 9
    assert "more: 1" in refused.out
    assert run("subjects", "show", "file/agent", "-o", "json").document["current"]["number"] == "2"
    file.unlink()
    assert run("rollback", "file/agent").code == 3


@pytest.mark.usefixtures("decided")
def test_what_the_sidecar_did_alone_is_finished_by_a_repeat(run: Run, file: Path, address: str) -> None:
    with connected(address) as stubs:
        stubs.admin.CompleteExperiment(admin_pb2.CompleteExperimentRequest(key="cooler", ship=True, actor=ACTOR))
    assert file.read_text() == AGENT
    again = run("promote", "cooler")
    assert again.code == 0
    assert "was shipped before, as version 2" in again.err
    assert file.read_text() == SHIPPED
    # A rollback whose second half did not come: one more promotion is not undone.
    with connected(address) as stubs:
        stubs.admin.RollbackSubject(admin_pb2.RollbackSubjectRequest(ref=REF, actor=ACTOR))
    again = run("rollback", "file/agent")
    assert (again.code, file.read_text()) == (0, AGENT)
    assert "at version 1 already" in again.err
    assert "`sortition apply file/agent`" in run("promote", "--subject", "file/agent", "--version", "2").err
    assert file.read_text() == AGENT
    assert run("apply", "file/agent").code == 0
    assert file.read_text() == SHIPPED


def killed(root: Path, *arguments: str) -> int:
    """Runs a command that is killed before it makes a backup; returns how it ended."""
    program = (
        "import os, signal, sys\n"
        "from sortition.subjectfiles import swap\n"
        "swap._backup = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from sortition.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=root, env=environment, timeout=60, check=False, capture_output=True,
    ).returncode  # fmt: skip


@pytest.mark.usefixtures("decided")
def test_a_command_that_is_killed_between_sidecar_and_file_is_finished_by_a_repeat(
    run: Run, root: Path, file: Path
) -> None:
    assert killed(root, "promote", "cooler") == -9
    assert file.read_text() == AGENT
    assert run("subjects", "show", "file/agent", "-o", "json").document["current"]["number"] == "2"
    assert run("promote", "cooler").code == 0
    assert file.read_text() == SHIPPED
    assert killed(root, "rollback", "file/agent") == -9
    assert file.read_text() == SHIPPED
    assert run("subjects", "show", "file/agent", "-o", "json").document["current"]["number"] == "1"
    assert run("rollback", "file/agent").code == 0
    assert file.read_text() == AGENT


@pytest.mark.usefixtures("decided")
def test_a_rollback_before_the_file_was_written_leaves_it(run: Run, file: Path) -> None:
    assert run("promote", "cooler", "--no-files").code == 0
    assert run("rollback", "file/agent").code == 0
    assert file.read_text() == AGENT
    assert run("subjects", "show", "file/agent", "-o", "json").document["current"]["number"] == "1"


def test_a_commit_says_why(run: Run, root: Path, file: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")):
        monkeypatch.setenv(name, value)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    assert run("start", "cooler.yaml").code == 0
    with connected(address) as stubs:
        run_units(stubs, 60, "cooler")
    # Nothing is shipped where nothing could be committed.
    assert run("promote", "cooler", "--git-commit").code == 4
    assert file.read_text() == AGENT
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "all")
    (root / "cooler.yaml").write_text("changed")
    git(root, "add", "cooler.yaml")
    assert run("promote", "cooler", "--git-commit", "--reason", "it is\nfaster").code == 0
    message = git(root, "log", "--format=%B", "-1").strip().splitlines()
    assert message[:4] == ["Ship fast to conf/agent.yaml", "", "Experiment: cooler", "Variant: fast"]
    # The control takes 2.04 s on average and the treatment 1.04 s.
    assert message[4].startswith("Improvement: time −4")
    assert "% (95 % interval −" in message[4]
    assert message[5:] == ["p: < 0.001", "n: 60 units", "Reason: it is faster"]
    assert git(root, "show", "--name-only", "--format=").split() == ["conf/agent.yaml"]
    assert git(root, "status", "--porcelain").split() == ["M", "cooler.yaml"]
    assert run("rollback", "file/agent", "--git-commit").code == 0
    assert git(root, "diff", "HEAD~2", "--name-only", "--", "conf").split() == []


def test_prompts_are_files_and_links_stay(run: Run, root: Path, address: str) -> None:
    (root / "real.md").write_bytes(b"Be brief.\r\nBitte.")
    (root / "prompt.md").symlink_to("real.md")
    (root / "kind.md").write_bytes("Be kind. ä\n".encode())
    text = EXPERIMENT.replace("conf/agent.yaml", "prompt.md").replace("set: {model.temperature: 0.2}", "file: kind.md")
    (root / "prompt.yaml").write_text(text)
    assert run("create", "prompt.yaml", "--check").code == 0
    assert run("subjects", "list", "-o", "json").document["subjects"] == []
    assert run("start", "prompt.yaml").code == 0
    assert run("promote", "cooler", "--variant", "fast", "--force", "--reason", "now").code == 0
    assert (root / "real.md").read_bytes() == "Be kind. ä\n".encode()
    assert (root / "prompt.md").is_symlink()
    assert run("rollback", "file/agent").code == 0
    assert (root / "real.md").read_bytes() == b"Be brief.\r\nBitte."


def test_the_control_is_the_file_as_it_is_at_the_start(run: Run, root: Path, file: Path, tmp_path: Path) -> None:
    assert run("create", "cooler.yaml").code == 0
    file.write_text(AGENT + "more: 1\n")
    assert run("start", "cooler").code == 9
    assert run("start", "cooler.yaml").code == 6
    file.write_text(AGENT)
    # Away from the files nobody can look; that is said.
    away = run("start", "cooler", "--root", tmp_path)
    assert away.code == 0
    assert "nobody has looked" in away.err
    # The file of the next experiment is another one, and its subject follows.
    assert run("cancel", "cooler").code == 0
    file.write_text(AGENT + "more: 1\n")
    (root / "next.yaml").write_text(EXPERIMENT.replace("experiment: cooler", "experiment: next"))
    assert run("start", "next.yaml").code == 0
    document = run("subjects", "show", "file/agent", "-o", "json").document
    assert document["current"]["config"]["content"] == AGENT + "more: 1\n"
    assert document["current"]["note"] == "conf/agent.yaml as it was before next"


def test_the_example_of_the_guide_runs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    found = re.findall(r"^`(\w+\.yaml)`:\n\n((?:    .*\n)+)", guide, re.MULTILINE)
    assert [name for name, _ in found] == ["agent.yaml", "cooler.yaml"]
    for name, text in found:
        (tmp_path / name).write_text(textwrap.dedent(text))
    monkeypatch.chdir(tmp_path)
    before = (tmp_path / "agent.yaml").read_text()
    assert run("start", "cooler.yaml").code == 0
    ship = ("promote", "cooler", "--variant", "cooler")
    assert "+  temperature: 0.2   # how freely it writes\n" in run(*ship, "--dry-run").out
    assert run(*ship, "--force", "--reason", "to see").code == 0
    wanted = before.replace("0.7 ", "0.2 ").replace("timeout: 30", "timeout: 20")
    assert (tmp_path / "agent.yaml").read_text() == wanted
    assert run("rollback", "file/support-agent").code == 0
    assert (tmp_path / "agent.yaml").read_text() == before


def test_bad_files_change_nothing(run: Run, root: Path) -> None:
    (root / "cooler.yaml").write_text(EXPERIMENT.replace("conf/agent.yaml", "../state/endpoint"))
    refused = run("start", "cooler.yaml")
    assert refused.code == 2
    assert "line 3, column 7: file: '../state/endpoint' leads out of the root" in refused.err
    (root / "cooler.yaml").write_text(EXPERIMENT.replace("model.temperature", "model.temprature"))
    refused = run("start", "cooler.yaml")
    assert refused.code == 2
    assert "did you mean model.temperature?" in refused.err
    assert run("subjects", "list", "-o", "json").document["subjects"] == []
    assert run("list", "-o", "json").document["experiments"] == []


def test_a_subject_that_is_no_file_stays_what_it_is(run: Run, root: Path) -> None:
    (root / "base.json").write_text('{"passes": 2}')
    assert run("subjects", "create", "file/agent", "--config", "base.json").code == 0
    refused = run("start", "cooler.yaml")
    assert refused.code == 4
    assert "a subject of its own" in refused.err
    assert run("list", "-o", "json").document["experiments"] == []
    assert run("apply", "file/agent").code == 4


def test_a_sidecar_cannot_name_a_file_outside_of_the_root(run: Run, root: Path, tmp_path: Path, address: str) -> None:
    (tmp_path / "victim").write_text("safe")
    config = struct_from_config(base_config("../victim", "taken", None))
    with connected(address) as stubs:
        stubs.admin.CreateSubject(admin_pb2.CreateSubjectRequest(ref=REF, config=config, actor=ACTOR))
    assert run("apply", "file/agent").code == 2
    assert (tmp_path / "victim").read_text() == "safe"


def test_a_dry_run_of_a_promotion_without_files(run: Run, root: Path, address: str) -> None:
    text = EXPERIMENT.replace("file: conf/agent.yaml\n", "").replace("set: {model.temperature", "config: {passes")
    (root / "plain.yaml").write_text(text.replace("kind: file", "kind: agent"))
    assert run("start", "plain.yaml").code == 0
    assert run("promote", "cooler", "--dry-run").code == 4
    shown = run("promote", "cooler", "--dry-run", "--variant", "fast")
    assert (shown.code, '+  "passes": 0.2\n' in shown.out) == (0, True)
    assert run("promote", "cooler", "--dry-run", "--variant", "fst").code == 2
    assert run("promote", "cooler", "--git-commit").code == 2
    assert run("status", "cooler", "-o", "json").document["experiment"]["status"] == "EXPERIMENT_STATUS_RUNNING"
