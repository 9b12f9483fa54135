"""What is said of all experiments, by a real sidecar that holds some of every kind; and watching it restart."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import Run, run_command
from integration.test_cli_process import WITHIN_S, sidecar, start
from sidecars import ACTOR, TIMEOUT_S, Stubs, assign, connected, outcome, record, run_units, running, start_experiment
from sortition.rpc.v1 import admin_pb2, analysis_pb2
from waiting import wait_until

# The control is "slow", as in `run_units`, where "fast" takes half the time.
AUTOMATIC = {"min_samples": 40, "auto_rollback": True, "expire": True}


def begin(stubs: Stubs, key: str, **decision: Any) -> None:
    start_experiment(
        stubs, key, subject={"kind": "agent", "id": f"agent-{key}"}, decision={"min_samples": 40, **decision}
    )


def harm(stubs: Stubs, key: str) -> None:
    """Records that the treatment takes three times the time."""
    outcomes, served = [], {"slow": 0, "fast": 0}
    for number in range(400):
        variant = assign(stubs, f"unit-{number}", key).variant
        served[variant] += 1
        seconds = (1.0 if variant == "slow" else 3.0) + 0.01 * (served[variant] % 10)
        outcomes.append(outcome(f"unit-{number}", variant, seconds, key))
    record(stubs, *outcomes)


def complete(stubs: Stubs, key: str, **how: Any) -> None:
    stubs.admin.CompleteExperiment(admin_pb2.CompleteExperimentRequest(key=key, actor=ACTOR, **how), timeout=TIMEOUT_S)


def over(stubs: Stubs, key: str) -> bool:
    found = stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key=key), timeout=TIMEOUT_S)
    return bool(found.HasField("ended_at"))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A sidecar with experiments of every kind."""
    path = tmp_path_factory.mktemp("status") / "state"
    with running(path, log_level="error") as service, connected(service.address) as stubs:
        for key in ("live", "won", "undone", "dropped", "away"):
            begin(stubs, key)
        begin(stubs, "harmful", **{**AUTOMATIC, "min_samples": 5000})
        begin(stubs, "late", **AUTOMATIC, max_samples=60)
        for key in ("won", "undone", "dropped"):
            run_units(stubs, 60, key)
        run_units(stubs, 12, "live")
        harm(stubs, "harmful")
        outcomes = [(f"unit-{n}", assign(stubs, f"unit-{n}", "late").variant) for n in range(80)]
        record(
            stubs, *(outcome(unit, variant, 1 + 0.01 * (n % 7), "late") for n, (unit, variant) in enumerate(outcomes))
        )
        complete(stubs, "won", ship=True)
        complete(stubs, "undone", ship=True)
        complete(stubs, "dropped")
        stubs.admin.CancelExperiment(admin_pb2.ChangeExperimentRequest(key="away", actor=ACTOR), timeout=TIMEOUT_S)
        stubs.admin.RollbackSubject(
            admin_pb2.RollbackSubjectRequest(ref={"kind": "agent", "id": "agent-undone"}, actor=ACTOR),
            timeout=TIMEOUT_S,
        )
        wait_until(lambda: over(stubs, "harmful") and over(stubs, "late"), within_s=30, what="automatic mode")
        yield path


@pytest.fixture
def run(state: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("SORTITION_TARGET", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SORTITION_STATE_DIR", str(state))
    monkeypatch.setenv("COLUMNS", "300")
    return run_command(capfd)


ENDINGS = {
    "won": "shipped fast, by hand",
    "undone": "shipped fast, rolled back by hand",
    "dropped": "nothing shipped",
    "away": "cancelled",
    "harmful": "rolled back, by itself",
    "late": "expired, by itself",
}


def test_all_of_them(run: Run) -> None:
    ended = run("status", "--volume", "1000")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    (live,) = [line for line in lines if line.startswith("live ")]
    assert "30 %  12 of 40 sessions" in live
    assert "28 more sessions" in live
    for key, how in ENDINGS.items():
        (line,) = [line for line in lines if line.startswith(f"{key} ")]
        assert f"  {how}  " in line
    (harmful,) = [line for line in lines if line.startswith("harmful ")]
    assert "fast +" in harmful
    assert "limit 10 %" in harmful
    assert "finished 5   shipped 1   rolled back 2   expired 1   nothing shipped 1   (cancelled 1)" in lines
    # Wilson, 1 of 5.
    assert "success rate 20.0 %   [3.6, 62.4]   1 of 5 shipped their winner" in lines
    (gain,) = [line for line in lines if line.startswith("time ↓")]
    # How many units each variant gets is drawn, so the last digits are.
    assert re.match(r"time ↓ +1 +−(1\.0|0\.9)\d* s .* better +−(1,0|9)\d\d s", gain), gain
    assert any("winner's curse" in line for line in lines)


def told(document: Any) -> list[Any]:
    """Returns what is told of those that are over, but their revisions: that one was paused may be stored late."""
    finished = document["finished"]
    return [{**each, "experiment": {**each["experiment"], "revision": None}} for each in finished]


def test_the_results_of_what_is_over_are_the_stored_ones(run: Run, state: Path) -> None:
    options = ("status", "--status", "running", "--status", "completed", "-o", "json")
    before = run(*options).document
    with connected((state / "endpoint").read_text().strip()) as stubs:
        # They are late, and counted as such; the results stay.
        record(stubs, *(outcome(f"after-{number}", "fast", 9.0, "won") for number in range(50)))
    after = run(*options).document
    assert told(after) == told(before)
    assert after["summary"] == before["summary"]
    won = next(each for each in after["finished"] if each["experiment"]["spec"]["key"] == "won")
    stored = run("replay", won["ending"]["decision_id"], "-o", "json").document
    assert stored["decision"]["analysis"] == won["analysis"]
    gain = after["summary"]["gains"][0]
    comparison = next(
        each for each in won["analysis"]["comparisons"] if each["metric"] == "time" and "quantile" not in each
    )
    assert gain["total"] == comparison["difference"]
    assert gain["interval"] == pytest.approx(comparison["interval"])


def test_filters(run: Run) -> None:
    def keys(*options: str) -> set[str]:
        document = run("status", "-o", "json", *options).document
        return {each["experiment"]["spec"]["key"] for each in [*document["reports"], *document["finished"]]}

    assert keys() == {"live", *ENDINGS}
    assert keys("--status", "cancelled") == {"away"}
    assert keys("--subject", "agent/agent-won") == {"won"}
    assert keys("--since", "2099-01-01") == {"live"}
    assert keys("--since", "1h") == {"live", *ENDINGS}
    assert keys("--organization", "nobody") == set()
    found: list[str] = []
    token = ""
    while True:
        page = run(
            "status", "--status", "completed", "--limit", "2", "-o", "json", *(["--page-token", token] if token else [])
        ).document
        found += [each["experiment"]["spec"]["key"] for each in page["finished"]]
        token = page["finished_next_page_token"]
        if not token:
            break
    assert sorted(found) == sorted(set(ENDINGS) - {"away"})


def test_requests_that_are_refused(state: Path) -> None:
    with connected((state / "endpoint").read_text().strip()) as stubs:
        for volume in (-1.0, 1e16, float("nan"), float("inf")):
            with pytest.raises(Exception, match="monthly_volume"):
                stubs.analysis.Summarize(analysis_pb2.SummarizeRequest(monthly_volume=volume), timeout=TIMEOUT_S)
        wrong = analysis_pb2.ListStatusRequest()
        wrong.since.seconds = 2**62
        with pytest.raises(Exception, match="since"):
            stubs.analysis.ListStatus(wrong, timeout=TIMEOUT_S)


@pytest.mark.parametrize("form", ["markdown", "html", "text"])
def test_reports_say_how_it_ended(run: Run, form: str) -> None:
    said = {
        "won": "Shipped fast, by hand", "undone": "Shipped fast, rolled back by hand",
        "harmful": "Rolled back, by itself", "late": "Expired, by itself", "dropped": "Nothing shipped",
    }  # fmt: skip
    for key, words in said.items():
        ended = run("report", key, "--format", form)
        assert ended.code == 0
        assert words in ended.out
    assert "limit 10 %" in run("report", "harmful", "--format", form).out
    assert "Cancelled" in run("report", "away", "--format", form).out


class Lines:
    """Reads what a process writes, while it runs."""

    def __init__(self, stream: Any) -> None:
        self.read: list[str] = []
        self._thread = threading.Thread(target=self._take, args=(stream,), daemon=True)
        self._thread.start()

    def _take(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self.read.append(line)

    def end(self) -> None:
        """Waits until all is read; call it when the process has ended."""
        self._thread.join(WITHIN_S)

    def have(self, text: str) -> bool:
        return any(text in line for line in self.read)


def test_watching_outlasts_a_restart_and_ends_with_the_experiment(tmp_path: Path) -> None:
    state = tmp_path / "state"
    watching: subprocess.Popen[str] | None = None
    readers: list[Lines] = []
    try:
        with sidecar(state) as process, connected((state / "endpoint").read_text().strip()) as stubs:
            begin(stubs, "e")
            watching = start("watch", "e", "--state-dir", state, "--interval", "0.2", "--timeout", "5")
            out, err = Lines(watching.stdout), Lines(watching.stderr)
            readers += [out, err]
            wait_until(lambda: out.have("e   running"), within_s=WITHIN_S, what="the first look")
            process.send_signal(signal.SIGTERM)
            assert process.wait(WITHIN_S) == 0
            wait_until(lambda: err.have("trying again for 600 s"), within_s=WITHIN_S, what="the notice")
        # It listens elsewhere now.
        (state / "endpoint").unlink(missing_ok=True)
        with sidecar(state), connected((state / "endpoint").read_text().strip()) as stubs:
            run_units(stubs, 12, "e")
            wait_until(lambda: out.have("12 of 40 sessions"), within_s=WITHIN_S, what="a look at the new one")
            assert watching.poll() is None
            complete(stubs, "e")
            assert watching.wait(WITHIN_S) == 0
        wait_until(lambda: out.have("e   completed"), what="the last line")
        assert len(err.read) == 1
    finally:
        if watching is not None:
            watching.kill()
            watching.wait()
        for reader in readers:
            reader.end()
