"""`sortition exec`: any program under its variant, and nothing about it changed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exec_runs import (
    WITHIN_S,
    arguments,
    counts,
    create_subject,
    declare,
    environment,
    kept,
    run_exec,
    started,
    total,
    variant_of,
)
from sidecars import connected, running
from waiting import wait_until

PRINT = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('SORTITION_')}))"
CONFIGS = {"slow": {"passes": 2}, "fast": {"passes": 1}}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def address(state: Path) -> Iterator[str]:
    with running(state, log_level="error") as service:
        with connected(service.address) as stubs:
            declare(stubs)
        yield service.address


def test_the_command_is_given_its_variant(state: Path, address: str) -> None:
    # Two units of each variant, whichever the lot has given to whom.
    drawn = {unit: variant_of(address, unit) for unit in (f"u-{number}" for number in range(32))}
    chosen = [unit for variant in CONFIGS for unit in [one for one in drawn if drawn[one] == variant][:2]]
    for unit in chosen:
        variant = drawn[unit]
        ended = run_exec(state, "--unit", unit, "--", sys.executable, "-c", PRINT)
        assert (ended.returncode, ended.stderr) == (0, "")
        found = json.loads(ended.stdout)
        assert found["SORTITION_VARIANT"] == variant
        assert json.loads(found["SORTITION_CONFIG"]) == CONFIGS[variant]
        assert found["SORTITION_UNIT"] == unit
        assert found["SORTITION_EXPERIMENT"] == "search-strategy"
        assert found["SORTITION_REASON"] == "split"
        # The directory of one run is gone after it.
        assert not Path(found["SORTITION_CONFIG_FILE"]).parent.exists()
    assert total(address, "duration") == total(address, "success") == 4


def test_without_an_experiment_nothing_is_recorded(state: Path) -> None:
    with running(state, log_level="error") as service:
        with connected(service.address) as stubs:
            create_subject(stubs, {"passes": 3})
        ended = run_exec(
            state, "--unit", "u", "--", sys.executable, "-c", PRINT, SORTITION_VARIANT="an outer one"
        )  # fmt: skip
    found = json.loads(ended.stdout)
    assert (found["SORTITION_VARIANT"], found["SORTITION_CONFIG"]) == ("", '{"passes":3}')
    assert found["SORTITION_REASON"] == "no_experiment"
    assert (ended.returncode, ended.stderr, kept(state)) == (0, "", [])


def test_a_large_configuration_is_in_the_file_alone(state: Path) -> None:
    large = {"prompt": "ä" * 100_000}
    program = (
        "import json, os, sys; raw = open(os.environ['SORTITION_CONFIG_FILE'], 'rb').read();"
        "print('SORTITION_CONFIG' in os.environ, len(json.loads(raw)['prompt']), os.stat(os.environ"
        "['SORTITION_CONFIG_FILE']).st_mode & 0o077, os.stat(os.path.dirname(os.environ['SORTITION_CONFIG_FILE']))"
        ".st_mode & 0o077)"
    )
    with running(state, log_level="error") as service:
        with connected(service.address) as stubs:
            create_subject(stubs, large)
        ended = run_exec(
            state, "--unit", "u", "--", sys.executable, "-c", program, SORTITION_CONFIG=str(state / "nowhere.toml")
        )  # fmt: skip
    present, length, _, directory = ended.stdout.split()
    assert (present, length) == ("False", "100000")
    assert directory == "0", "only its owner reads what a variant holds"


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_the_exit_status_is_the_commands(state: Path, address: str, script: str, code: int) -> None:
    ended = run_exec(state, "--unit", "u", "--", "sh", "-c", script)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")
    variant = variant_of(address, "u")
    assert counts(address)["success"][variant] == (1, float(code == 0))


def test_success_codes(state: Path, address: str) -> None:
    for code, counted in ((0, 0.0), (3, 1.0), (10, 1.0), (12, 1.0), (13, 0.0)):
        before = counts(address).get("success", {})
        ended = run_exec(state, "--unit", "u", "--success-codes", "3, 10-12", "--", "sh", "-c", f"exit {code}")
        assert (ended.returncode, ended.stderr) == (code, "")
        variant = variant_of(address, "u")
        number, mean = before.get(variant, (0, 0.0))
        after = counts(address)["success"][variant]
        assert after[0] == number + 1
        assert after[0] * after[1] - (number * mean if number else 0) == pytest.approx(counted)


def test_a_command_that_cannot_be_run(state: Path, address: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "binary").write_bytes(b"\0\1\2")
    (tmp_path / "binary").chmod(0o755)
    for program, code in (("no-such-program", 127), (tmp_path / "text", 126), (tmp_path / "binary", 126)):
        ended = run_exec(state, "--unit", "u", "--", program)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert ended.stderr.startswith("error: ")
        assert str(program) in ended.stderr
    assert total(address, "duration") == 0


def test_bad_options_run_nothing(state: Path, address: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for options in (
        ["--unit", ""],
        ["--unit", "u" * 513],
        ["--unit", "u", "--success-codes", "256"],
        ["--unit", "u", "--success-codes", "5-3"],
        ["--unit", "u", "--duration-unit", "h"],
        ["--unit", "u", "--dimension", "device"],
        ["--unit", "u", "--default", str(tmp_path / "nothing.yaml")],
    ):
        ended = run_exec(state, *options, "--", "touch", mark)
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith("error: ")
    assert not mark.exists()


def test_huge_output_passes_through_untouched(state: Path, address: str) -> None:
    # More than any pipe holds, and not text.
    program = (
        "import sys; block = bytes(range(256)) * 4096\n"
        "for _ in range(100): sys.stdout.buffer.write(block); sys.stderr.buffer.write(block[:1000])"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "sortition", "exec", "search-agent", "--unit", "u", "--", sys.executable, "-c", program],
        env=environment(state), capture_output=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0
    assert ended.stdout == bytes(range(256)) * 4096 * 100
    assert ended.stderr == (bytes(range(256)) * 4)[:1000] * 100


def test_descriptors_are_inherited(state: Path, address: str, tmp_path: Path) -> None:
    # One of those that a shell can name is taken, so that the metrics get another.
    script = "cat; echo told >&3; echo tokens 5 >&$SORTITION_METRICS_FD; ls /proc/self/fd | tr '\\n' ' '"
    outer = f'exec 3>{tmp_path}/third; {sys.executable} -m sortition exec search-agent --unit u -- sh -c "$SCRIPT"'
    ended = subprocess.run(
        ["sh", "-c", outer], env=environment(state, SCRIPT=script), input="typed ", capture_output=True, text=True,
        timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("typed ")
    assert (tmp_path / "third").read_text() == "told\n"
    assert total(address, "tokens") == 1
    numbers = ended.stdout.removeprefix("typed ").split()
    # Standard ones, the one that was handed over, the one for metrics, the one that ls opens: nothing of exec's own.
    assert len(numbers) == 6, numbers


def waiting(mark: Path, code: int = 0) -> list[str]:
    """Returns a command that says when it is ready, counts interrupts until it is told to end, and says how many."""
    program = (
        "import pathlib, signal, sys\n"
        "seen = []\n"
        "for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):\n"
        "    signal.signal(number, lambda number, frame: (seen.append(number), print('got', number, flush=True)))\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "while signal.SIGTERM not in seen: signal.pause()\n"
        f"sys.exit({code})"
    )
    return [sys.executable, "-c", program]


def test_signals_are_passed_on_once(state: Path, address: str, tmp_path: Path) -> None:
    mark = tmp_path / "ready"
    with started(state, "--unit", "u", "--", *waiting(mark, 9), stdout=subprocess.PIPE) as process:
        wait_until(mark.exists, within_s=WITHIN_S, what="the command")
        assert process.stdout is not None
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
            assert process.stdout.readline() == b"got %d\n" % number
        assert process.wait(WITHIN_S) == 9
        assert process.stdout.read() == b""


def test_a_signal_that_ends_the_command(state: Path, address: str, tmp_path: Path) -> None:
    mark = tmp_path / "ready"
    script = f"touch {mark}; exec sleep 1000"
    with started(state, "--unit", "u", "--", "sh", "-c", script) as process:
        wait_until(mark.exists, within_s=WITHIN_S, what="the command")
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == 130
    assert counts(address)["success"][variant_of(address, "u")] == (1, 0.0)


def test_what_is_typed_reaches_the_command_once(state: Path, address: str, tmp_path: Path) -> None:
    """Ctrl-C goes to all of a terminal's job: passed on as well, the command would have it twice."""
    mark = tmp_path / "ready"
    terminal, inside = pty.openpty()
    # Whoever leads a session without a terminal may take one.
    take = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", take, *arguments("--unit", "u", "--", *waiting(mark))],
        env=environment(state), stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
    )  # fmt: skip
    os.close(inside)
    try:
        wait_until(mark.exists, within_s=WITHIN_S, what="the command")
        # Stopped, exec can pass nothing on before the command has taken its own; two at once would look like one.
        process.send_signal(signal.SIGSTOP)
        os.write(terminal, b"\x03")
        seen = b""
        while b"got 2\r" not in seen:
            seen += os.read(terminal, 1000)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        while b"got 15\r" not in seen:
            seen += os.read(terminal, 1000)
        assert process.wait(WITHIN_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert seen.count(b"got 2\r") == 1


def test_signals_that_were_ignored_stay_so(state: Path, address: str) -> None:
    """As in `nohup`, and in jobs that a script puts into the background."""
    script = (
        f"trap '' HUP; {sys.executable} -m sortition exec search-agent --unit u -- sh -c 'kill -HUP $$; echo alive'"
    )
    ended = subprocess.run(
        ["sh", "-c", script], env=environment(state), capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "alive\n")


def test_the_command_starts_with_the_signals_of_whoever_started_it(state: Path, address: str) -> None:
    look = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]

    def usual(status: str) -> dict[str, int]:
        # Those above 31 are the C library's own, and its posix_spawn ignores two of them for itself.
        return {name: int(bits, 16) & 0x7FFFFFFF for name, bits in (line.split() for line in status.splitlines())}

    direct = usual(subprocess.run(look, capture_output=True, text=True, check=True).stdout)
    assert direct.keys() == {"SigBlk:", "SigIgn:"}
    assert usual(run_exec(state, "--unit", "u", "--", *look).stdout) == direct


def test_whoever_ignores_the_ends_of_children(state: Path, address: str) -> None:
    """The kernel then takes them away, with their exit status."""
    ignore = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", ignore, *arguments("--unit", "u", "--", "sh", "-c", "exit 7")],
        env=environment(state), capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (7, "")


METRICS = """\
cost 6 2
tokens 10
  tokens 14

# a comment
{"tokens": [20, 24]}
{"metric": "cost", "value": 4, "denominator": 2}
success true
tokens many
tokens nan
a b c d
[1, 2]
{"metric": "tokens", "number": 3}
unheard_of 5
"""


@pytest.mark.parametrize("way", ['"$SORTITION_METRICS_FILE"', "&$SORTITION_METRICS_FD"])
def test_metrics(state: Path, address: str, tmp_path: Path, way: str) -> None:
    source = tmp_path / "metrics"
    source.write_text(METRICS)
    ended = run_exec(state, "--unit", "u", "--", "sh", "-c", f"cat {source} >{way}; exit 1")
    assert ended.returncode == 1
    found = {metric: each[variant_of(address, "u")] for metric, each in counts(address).items()}
    assert found["tokens"] == (4, 17.0)
    # (6 + 4) / (2 + 2)
    assert found["cost"] == (2, 2.5)
    assert found["success"] == (1, 1.0), "what the command says itself is not overwritten"
    assert found["duration"][0] == 1
    for line in (9, 10, 11, 12, 13):
        assert f"line {line}:" in ended.stderr
    assert "unheard_of" in ended.stderr


def test_names_and_units_of_what_is_measured_by_itself(state: Path, tmp_path: Path) -> None:
    metrics = [
        {"name": "total_time", "kind": "duration", "unit": "ms", "goal": "minimize", "role": "primary"},
        {"name": "ok", "kind": "binary", "goal": "maximize"},
    ]
    with running(state, log_level="error") as service:
        with connected(service.address) as stubs:
            declare(stubs, metrics=metrics)
        options = ["--unit", "u", "--duration", "total_time", "--duration-unit", "ms", "--success", "ok"]
        assert run_exec(state, *options, "--", "sleep", "0.5").returncode == 0
        variant = variant_of(service.address, "u")
        found = counts(service.address)
    assert found["ok"][variant] == (1, 1.0)
    # Not in seconds, and not of nothing; how much longer it took is the machine's.
    assert 500 <= found["total_time"][variant][1] < WITHIN_S * 1000
