"""The command as a process: signals, pipes, ports, and what a broken environment says."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from waiting import wait_until

ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.startswith("SORTITION_")},
    "PYTHONPATH": os.pathsep.join(sys.path),
}
WITHIN_S = 30


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sortition", *map(str, arguments)],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(*arguments: object) -> subprocess.CompletedProcess[str]:
    process = start(*arguments)
    try:
        out, err = process.communicate(timeout=WITHIN_S)
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextmanager
def sidecar(state: Path) -> Iterator[subprocess.Popen[str]]:
    process = start("serve", "--state-dir", state, "--listen", "127.0.0.1:0", "--log-level", "error")
    try:
        wait_until((state / "endpoint").exists, within_s=WITHIN_S, what="the sidecar's address")
        yield process
    finally:
        process.kill()
        process.communicate()


FILE = """\
experiment: e
subject: {kind: agent, id: a}
metrics: {m: {kind: binary, goal: maximize, role: primary}}
variants: {a: {weight: 50, control: true}, b: {weight: 50}}
"""


def test_serve_drains_on_sigterm_and_keeps_what_was_done(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "e.yaml"
    file.write_text(FILE)
    with sidecar(state) as process:
        assert finish("start", file, "--state-dir", state).returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0
    gone = finish("list", "--state-dir", state)
    assert (gone.returncode, gone.stdout) == (5, "")
    with sidecar(state):
        listed = finish("list", "--state-dir", state)
    assert listed.returncode == 0
    assert "running" in listed.stdout


def test_whoever_has_watched_enough_has_not_failed(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "e.yaml"
    file.write_text(FILE)
    with sidecar(state):
        assert finish("start", file, "--state-dir", state).returncode == 0
        watching = start("watch", "e", "--state-dir", state, "--interval", "3600", "-o", "json")
        try:
            assert watching.stdout is not None
            # The first look has been written, so it waits for the next.
            assert watching.stdout.readline().startswith("{")
            watching.send_signal(signal.SIGINT)
            _, err = watching.communicate(timeout=WITHIN_S)
        finally:
            watching.kill()
            watching.communicate()
    assert watching.returncode == 0
    assert err == ""


def test_a_reader_that_has_seen_enough() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "sortition", "schema"],
            env=ENVIRONMENT, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = finish("serve", "--state-dir", tmp_path / "s", "--listen", f"127.0.0.1:{port}")
    assert ended.returncode == 5
    assert_one_line(ended.stderr, f"127.0.0.1:{port}")


def test_a_state_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    ended = finish("serve", "--state-dir", tmp_path / "s", "--listen", "127.0.0.1:0")
    assert ended.returncode != 0
    assert_one_line(ended.stderr, str(tmp_path / "s"))


def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    path.write_bytes(b"SQLite format 3\x00" + b"nonsense" * 1000)
    ended = finish(
        "serve", "--state-dir", tmp_path / "s", "--listen", "127.0.0.1:0", "--database-url", f"sqlite:///{path}",
    )  # fmt: skip
    assert ended.returncode == 1
    assert_one_line(ended.stderr, "damaged.db")


@pytest.mark.parametrize("toml", ["workers = 0", "wrokers = 4", "workers = "])
def test_a_wrong_settings_file(tmp_path: Path, toml: str) -> None:
    (tmp_path / "s.toml").write_text(toml)
    ended = finish("serve", "--config", tmp_path / "s.toml", "--state-dir", tmp_path / "s")
    assert ended.returncode == 2
    assert_one_line(ended.stderr, "s.toml")


def assert_one_line(stderr: str, words: str) -> None:
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("error: ")
    assert words in lines[0]
