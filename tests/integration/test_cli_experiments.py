"""From a file to a shipped winner and back, with commands only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Run, run_command
from sidecars import connected, run_units, running

FILE = """\
experiment: search-strategy
subject: {kind: agent, id: search-agent}
metrics:
  time:  {kind: duration, unit: s, goal: minimize, role: primary}
  found: {kind: binary, goal: maximize, role: guardrail, margin: 0.1}
variants:
  slow: {weight: 50, control: true, config: {passes: 2}}
  fast: {weight: 50, config: {passes: 1}}
decision: {min_samples: 40}
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("SORTITION_TARGET", raising=False)
    monkeypatch.setenv("SORTITION_STATE_DIR", str(tmp_path / "state"))
    with running(tmp_path / "state", log_level="error"):
        yield tmp_path / "state"


@pytest.fixture
def run(state: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    return run_command(capfd)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "search.yaml"
    path.write_text(FILE)
    return path


def test_the_whole_way(run: Run, state: Path, file: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.json"
    base.write_text('{"passes": 3, "model": {"name": "m"}}')
    assert run("subjects", "create", "search-agent", "--config", base).code == 0
    assert run("start", file, "--actor", "ada", "--reason", "to see").code == 0
    assert run("start", file).code == 6
    with connected((state / "endpoint").read_text().strip()) as stubs:
        run_units(stubs, 60)
    table = run("analyze", "search-strategy")
    assert "← winner" in table.out
    assert run("status", "search-strategy", "-o", "json").document["progress"] == 1.0
    assert "search-strategy" in run("status").out
    shipped = run("promote", "search-strategy", "--actor", "ada", "--reason", "it is faster", "-o", "json")
    assert shipped.code == 0
    assert shipped.document["subject"]["current"]["config"] == {"passes": 1, "model": {"name": "m"}}
    found = run("decisions", "search-strategy", "-o", "json").document["decisions"]
    assert [each["kind"] for each in found] == ["complete", "reached"]
    for each in found:
        assert run("replay", each["id"], "-o", "json").document["identical"] is True
    assert run("replay", "nowhere").code == 3
    assert run("pause", "search-strategy").code == 4
    back = run("rollback", "search-agent", "-o", "json").document
    assert back["current"]["config"] == {"passes": 3, "model": {"name": "m"}}
    assert run("promote", "--subject", "search-agent", "--version", "2").code == 0
    assert run("promote", "--subject", "search-agent", "--version", "9").code == 3
    numbers = [
        each["number"] for each in run("subjects", "versions", "search-agent", "-o", "json").document["versions"]
    ]
    assert numbers == ["2", "1"]
    events = run("audit", "--object", "experiment/search-strategy", "-o", "json").document["events"]
    acts = [(each["action"], each["actor"], each["reason"]) for each in events]
    assert ("experiment.start", "ada", "to see") in acts
    assert any(actor == "ada" and reason == "it is faster" for _, actor, reason in acts)
    assert run("archive", "search-strategy").code == 0
    assert run("list", "-o", "json").document["experiments"] == []
    assert len(run("list", "--archived", "-o", "json").document["experiments"]) == 1


def test_life_of_an_experiment(run: Run, file: Path) -> None:
    assert run("create", file, "--check").code == 0
    assert run("pause", "search-strategy").code == 3
    assert run("create", file).code == 0
    assert run("create", file).code == 6
    for command, status in (("start", "RUNNING"), ("pause", "PAUSED"), ("resume", "RUNNING"), ("cancel", "CANCELLED")):
        assert run(command, "search-strategy", "-o", "json").document["status"] == f"EXPERIMENT_STATUS_{status}"
    assert run("resume", "search-strategy").code == 4


def test_a_second_experiment_on_the_subject_stays_a_draft(run: Run, file: Path, tmp_path: Path) -> None:
    assert run("start", file).code == 0
    other = tmp_path / "other.yaml"
    other.write_text(FILE.replace("experiment: search-strategy", "experiment: other"))
    ended = run("start", other)
    assert ended.code == 4
    assert "other is stored as a draft" in ended.err
    assert run("cancel", "search-strategy").code == 0
    assert run("start", other).code == 0


def test_shipping_needs_a_winner(run: Run, file: Path) -> None:
    assert run("start", file).code == 0
    assert run("promote", "search-strategy").code == 4
    assert run("promote", "search-strategy", "--variant", "fast", "--force", "--reason", "a hunch").code == 0


def test_power(run: Run) -> None:
    # Cohen (1988): d = 0.5 at alpha 0.05 and power 0.8 wants 64 per group; the normal approximation says 63.
    ended = run("power", "--kind", "continuous", "--baseline", "10", "--sd", "2", "--mde", "0.1", "-o", "json")
    assert ended.code == 0
    assert int(ended.document["units_per_variant"]) in (63, 64)
