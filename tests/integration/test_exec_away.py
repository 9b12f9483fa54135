"""`sortition exec` while its sidecar is away, killed, or back."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exec_runs import WITHIN_S, counts, create_subject, declare, kept, run_exec, started, total, variant_of
from sidecar_processes import Process, process
from sidecars import ACTOR, KEY, SUBJECT, TIMEOUT_S, connected, outcome, running
from sortition.cli.execute import kept as kept_module
from sortition.cli.execute.delivery import deliver
from sortition.cli.execute.kept import Kept
from sortition.cli.session import Session
from sortition.errors import ResourceExhausted
from sortition.rpc.v1 import admin_pb2
from waiting import wait_until

SHOW = ["--", "sh", "-c", 'echo "$SORTITION_REASON $SORTITION_VARIANT $SORTITION_CONFIG"']


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextmanager
def begun(state: Path) -> Iterator[Process]:
    """Runs a sidecar in a process of its own, with the experiment."""
    with process(state) as sidecar:
        with connected(sidecar.address()) as stubs:
            create_subject(stubs, {"passes": 3, "model": "m"})
            declare(stubs)
        yield sidecar


@contextmanager
def under_way(state: Path, unit: str, mark: Path, script: str = "exit 0") -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command that begins, and ends once ``mark`` has the ending .go."""
    go = mark.with_suffix(".go")
    waits = f"touch {mark}; while [ ! -e {go} ]; do sleep 0.05; done; {script}"
    with started(state, "--unit", unit, "--", "sh", "-c", waits, stderr=subprocess.PIPE) as run:
        wait_until(mark.exists, within_s=WITHIN_S, what="the command")
        yield run


def left_behind(state: Path, sidecar: Process, mark: Path, unit: str = "u-left") -> str:
    """Runs a command whose sidecar is killed meanwhile; returns what it said."""
    with under_way(state, unit, mark) as run:
        sidecar.kill()
        mark.with_suffix(".go").touch()
        _, said = run.communicate(timeout=WITHIN_S)
    assert run.returncode == 0
    return said.decode()


def test_the_current_configuration_as_last_known(state: Path) -> None:
    with begun(state) as sidecar:
        assert run_exec(state, "--unit", "u", "--", "true").returncode == 0
        sidecar.kill()
        ended = run_exec(state, "--unit", "u", *SHOW)
        # Not the variant's: it may have been rolled back by now.
        assert ended.stdout == 'default  {"model":"m","passes":3}\n'
        assert ended.returncode == 0
        assert "the sidecar is away" in ended.stderr
        assert "version 1" in ended.stderr
        assert run_exec(state, "--unit", "u", "--quiet", "--", "sh", "-c", "exit 9").stderr == ""
        assert run_exec(state, "--unit", "u", "--quiet", "--", "sh", "-c", "exit 9").returncode == 9
    # Chance gave these units nothing: there is nothing to count.
    assert kept(state) == []


def test_without_a_subject_the_control_is_current(state: Path) -> None:
    with process(state) as sidecar:
        with connected(sidecar.address()) as stubs:
            declare(stubs)
        assert run_exec(state, "--unit", "u", "--", "true").returncode == 0
        sidecar.kill()
        ended = run_exec(state, "--unit", "u", *SHOW)
    assert ended.stdout == 'default  {"passes":2}\n'


def test_a_new_version_becomes_the_one_that_is_known(state: Path) -> None:
    with begun(state) as sidecar:
        assert run_exec(state, "--unit", "u", "--", "true").returncode == 0
        with connected(sidecar.address()) as stubs:
            request = admin_pb2.CreateSubjectVersionRequest(ref=SUBJECT, actor=ACTOR)
            request.config.update({"passes": 4})
            number = stubs.admin.CreateSubjectVersion(request, timeout=TIMEOUT_S).number
            # Under a running experiment this is no everyday act.
            promote = admin_pb2.PromoteSubjectVersionRequest(ref=SUBJECT, number=number, force=True, actor=ACTOR)
            stubs.admin.PromoteSubjectVersion(promote, timeout=TIMEOUT_S)
        assert run_exec(state, "--unit", "u", "--", "true").returncode == 0
        sidecar.kill()
        assert run_exec(state, "--unit", "u", *SHOW).stdout == 'default  {"passes":4}\n'


def test_nothing_is_known_yet(state: Path, tmp_path: Path) -> None:
    ended = run_exec(state, "--unit", "u", *SHOW)
    assert (ended.returncode, ended.stdout) == (0, "default  {}\n")
    default = tmp_path / "default.yaml"
    default.write_text("passes: 7")
    ended = run_exec(state, "--unit", "u", "--default", default, *SHOW)
    assert (ended.returncode, ended.stdout) == (0, 'default  {"passes":7}\n')
    # What is damaged is not known either.
    for path in (state / "exec").rglob("*.json"):
        path.write_text("{")
    assert run_exec(state, "--unit", "u", *SHOW).stdout == "default  {}\n"


def test_a_sidecar_that_hangs_holds_nothing_up_for_long(state: Path) -> None:
    with begun(state) as sidecar:
        sidecar.send(signal.SIGSTOP)
        ended = run_exec(state, "--unit", "u", "--timeout", "0.3", *SHOW)
        sidecar.send(signal.SIGCONT)
    assert (ended.returncode, ended.stdout) == (0, "default  {}\n")


def test_an_outcome_is_delivered_by_the_next_run_once(state: Path, tmp_path: Path) -> None:
    with begun(state) as sidecar:
        said = left_behind(state, sidecar, tmp_path / "mark")
    assert "kept" in said
    [waiting] = kept(state)
    assert waiting.stat().st_mode & 0o077 == 0, "it names its unit"
    again = tmp_path / waiting.name
    shutil.copy(waiting, again)
    with process(state) as sidecar:
        assert total(sidecar.address(), "success") == 0
        assert run_exec(state, "--unit", "u-next", "--", "true").returncode == 0
        assert kept(state) == []
        assert total(sidecar.address(), "success") == 2
        variant = variant_of(sidecar.address(), "u-left")
        assert counts(sidecar.address())["success"][variant][0] >= 1
        # As if the run had been killed between the answer and taking it away.
        shutil.copy(again, waiting)
        assert run_exec(state, "--unit", "u-next", "--", "false").returncode == 1
        assert kept(state) == []
        assert total(sidecar.address(), "success") == 3
        sidecar.kill()
    # The sidecar remembers over its own end, too.
    with process(state) as sidecar:
        assert sidecar.address()
        shutil.copy(again, waiting)
        assert run_exec(state, "--unit", "u-next", "--", "true").returncode == 0
        assert kept(state) == []
        assert total(sidecar.address(), "success") == 4


def test_a_run_that_is_killed_while_it_delivers(state: Path, tmp_path: Path) -> None:
    with begun(state) as sidecar:
        with under_way(state, "u", tmp_path / "mark") as run:
            sidecar.send(signal.SIGSTOP)
            (tmp_path / "mark.go").touch()
            # It is on disk before anybody is asked to take it.
            wait_until(lambda: kept(state), within_s=WITHIN_S, what="the outcome")
            run.kill()
            run.communicate(timeout=WITHIN_S)
        sidecar.send(signal.SIGCONT)
        assert len(kept(state)) == 1
        assert run_exec(state, "--unit", "u-next", "--", "true").returncode == 0
        assert kept(state) == []
        # Whether the sidecar had it already when the run was killed, or not.
        assert total(sidecar.address(), "success") == 2


def test_what_is_kept_counts_on_its_own_day_and_not_after_a_week(state: Path, tmp_path: Path) -> None:
    with running(state, log_level="error") as service:
        with connected(service.address) as stubs:
            declare(stubs)
            variants = {unit: variant_of(service.address, unit) for unit in ("u-1", "u-2")}
        store = Kept(state / "exec" / "local" / "kept")
        for unit, days in (("u-1", 6), ("u-2", 8)):
            made = outcome(unit, variants[unit], 1.0)
            made.observations[0].metric = "duration"
            made.observations[1].metric = "success"
            made.occurred_at_ms = int((time.time() - days * 86_400) * 1000)
            store.add([made])
        ended = run_exec(state, "--unit", "u-3", "--", "true")
        assert "older than 7 days" in ended.stderr
        assert kept(state) == []
        assert total(service.address, "success") == 2


def test_a_damaged_file_is_told_and_stops_nothing(state: Path) -> None:
    with running(state, log_level="error") as service:
        with connected(service.address) as stubs:
            declare(stubs)
        store = Kept(state / "exec" / "local" / "kept")
        paths = []
        for number in range(3):
            made = outcome(f"u-{number}", variant_of(service.address, f"u-{number}"), 1.0)
            made.observations[0].metric = "duration"
            made.observations[1].metric = "success"
            made.occurred_at_ms = int(time.time() * 1000)
            paths.append(store.add([made]).path)
        content = bytearray(paths[1].read_bytes())
        content[-5] ^= 1
        paths[1].write_bytes(content)
        (paths[0].parent / "strange.outcome").write_text("not ours")
        ended = run_exec(state, "--unit", "u-3", "--", "true")
        assert ended.returncode == 0
        assert f"{paths[1]} is damaged" in ended.stderr
        assert total(service.address, "success") == 3


def test_many_that_wait_are_each_counted_once(state: Path) -> None:
    """More than one sender can number, sent by several at once, and all of them again."""
    count = 300
    with running(state, log_level="error") as service:
        with connected(service.address) as stubs:
            declare(stubs)
        store = Kept(state / "kept")

        def add(numbers: range) -> None:
            for number in numbers:
                made = outcome(f"u-{number}", "", 1.0)
                made.observations[0].metric = "duration"
                made.observations[1].metric = "success"
                made.occurred_at_ms = int(time.time() * 1000)
                store.add([made])

        in_parallel(lambda part: add(range(part, count, 4)))
        assert len(store.entries()) == count
        assert len({entry.client for entry in store.entries()}) == 2
        copies = {entry.path: entry.path.read_bytes() for entry in store.entries()}
        said: list[str] = []

        def send(_: int) -> None:
            with Session(target=service.address).open() as session:
                while waiting := store.entries():
                    deliver(session, store, waiting[0], said.append)

        in_parallel(send)
        assert total(service.address, "success") == count
        for path, content in copies.items():
            path.write_bytes(content)
        send(0)
        assert total(service.address, "success") == count
        assert said == []


def in_parallel(work: object, threads: int = 4) -> None:
    assert callable(work)
    running_ = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for each in running_:
        each.start()
    for each in running_:
        each.join(WITHIN_S)
    assert not any(each.is_alive() for each in running_)


@pytest.mark.parametrize("bound", ["MAX_KEPT", "MAX_KEPT_BYTES"])
def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    size = len(outcome("u-1", "slow", 1.0).SerializeToString())
    monkeypatch.setattr(kept_module, bound, 3 if bound == "MAX_KEPT" else 3 * size)
    store = Kept(tmp_path / "kept")
    made = [outcome("u-1", "slow", 1.0)]
    # A file holds more than the outcome: a digest, and who sends it.
    added = 3 if bound == "MAX_KEPT" else 2
    for _ in range(added):
        store.add(made)
    with pytest.raises(ResourceExhausted, match="there is room for"):
        store.add(made)
    assert len(store.entries()) == added
    for entry in store.entries():
        store.settle(entry)
    assert store.add(made).seq == added + 1


def test_a_state_directory_that_cannot_be_used(state: Path, tmp_path: Path) -> None:
    """As in a container that may write nothing: the command runs, and what can be recorded is."""
    broken = tmp_path / "broken"
    broken.write_text("a file")
    with running(state, log_level="error") as service:
        with connected(service.address) as stubs:
            declare(stubs)
        ended = run_exec(broken, "--unit", "u", "--", "sh", "-c", "exit 4", SORTITION_TARGET=service.address)
        assert ended.returncode == 4
        assert "cannot be kept" in ended.stderr
        assert total(service.address, "success") == 1


def test_outcomes_go_to_the_sidecar_they_are_meant_for(state: Path, tmp_path: Path) -> None:
    with begun(state) as sidecar:
        left_behind(state, sidecar, tmp_path / "mark")
    with running(tmp_path / "other", log_level="error") as other:
        with connected(other.address) as stubs:
            declare(stubs)
        ended = run_exec(state, "--target", other.address, "--unit", "u", "--", "true")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert total(other.address, "success") == 1
    assert len(kept(state)) == 1


def test_an_experiment_that_ended_meanwhile(state: Path, tmp_path: Path) -> None:
    with running(state, log_level="error") as service, connected(service.address) as stubs:
        declare(stubs)
        with under_way(state, "u", tmp_path / "mark") as run:
            request = admin_pb2.ChangeExperimentRequest(key=KEY, actor=ACTOR)
            stubs.admin.CancelExperiment(request, timeout=TIMEOUT_S)
            (tmp_path / "mark.go").touch()
            _, said = run.communicate(timeout=WITHIN_S)
    assert run.returncode == 0
    assert b"after the experiment's end" in said
    assert kept(state) == []
