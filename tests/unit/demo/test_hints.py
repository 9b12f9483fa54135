"""The commands that the demo names at its end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sortition.demo.hints import next_steps, own_command


@pytest.fixture
def interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An interpreter in a directory that is not on the PATH."""
    bin_dir = tmp_path / "a place" / "bin"
    bin_dir.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(bin_dir / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    return bin_dir / "python"


def script(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "sortition").touch(0o755)


def test_without_a_script_the_module_is_run(interpreter: Path) -> None:
    assert own_command() == f"'{interpreter}' -m sortition"


def test_a_script_off_the_path_is_named_in_full(interpreter: Path, tmp_path: Path) -> None:
    script(interpreter.parent)
    assert own_command() == f"'{interpreter.with_name('sortition')}'"
    script(tmp_path / "other")
    assert own_command() != "sortition", "that would be another installation"


def test_a_script_on_the_path_is_named_shortly(interpreter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(interpreter.parent)
    monkeypatch.setenv("PATH", str(interpreter.parent))
    assert own_command() == "sortition"


def test_every_hint_is_that_command(interpreter: Path, tmp_path: Path) -> None:
    for state in (None, tmp_path / "a state"):
        lines = next_steps(tmp_path / "experiment.yaml", state=state, pid=7)
        commands = [line for line in lines if " -m sortition " in line]
        assert len(commands) == 3
        assert all(f"'{interpreter}' -m sortition " in line for line in commands)
    assert f"export SORTITION_STATE_DIR='{tmp_path / 'a state'}'" in "\n".join(lines)
    assert lines[-1].endswith("kill 7")
