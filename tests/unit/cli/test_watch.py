"""How experiments are watched: in a terminal, in lines, as JSON, and while the sidecar is away."""

from __future__ import annotations

import json

import pytest

from commands import Run
from sortition.errors import NotFound, PermissionDenied, Unavailable
from sortition.rpc.v1 import analysis_pb2, experiment_pb2
from unit.cli.sidecar import Canned
from unit.render.search import make_experiment, make_result

RUNNING, COMPLETED = "EXPERIMENT_STATUS_RUNNING", "EXPERIMENT_STATUS_COMPLETED"
QUICK = ("--interval", "0.1")


def report(status: str, key: str = "search-strategy", progress: float = 0.5) -> analysis_pb2.ExperimentReport:
    answer = analysis_pb2.ExperimentReport(experiment=make_experiment(), analysis=make_result(), progress=progress)
    answer.experiment.status = experiment_pb2.Experiment(status=status).status
    answer.experiment.spec.key = answer.analysis.experiment = key
    if status == COMPLETED:
        answer.ending.kind = analysis_pb2.ENDING_KIND_SHIPPED
        answer.ending.variant = "combined"
    return answer


def listed(*reports: analysis_pb2.ExperimentReport) -> analysis_pb2.ListStatusResponse:
    return analysis_pb2.ListStatusResponse(reports=reports)


def test_watch_writes_a_line_when_something_has_changed_and_ends_with_the_experiment(run: Run, sidecar: Canned) -> None:
    running, more, over = report(RUNNING), report(RUNNING, progress=0.7), report(COMPLETED)
    later = report(RUNNING)
    later.running_seconds, later.analysis.analyzed_at.seconds = 99, 2_000_000_000
    sidecar.answers("Analysis/GetStatus", running, later, more, over)
    ended = run("watch", "search-strategy", *QUICK)
    assert ended.code == 0
    assert len(sidecar.asked) == 4
    first, second, third = ended.out.splitlines()
    assert first.startswith("search-strategy   running   █████░░░░░  50 %   312 of 300 sessions   combined −57.8 %")
    assert "70 %" in second
    assert third.startswith("search-strategy   completed   shipped combined, by hand")


def test_a_dumb_terminal_gets_lines(run: Run, sidecar: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    sidecar.answers("Analysis/GetStatus", report(RUNNING))
    ended = run("watch", "search-strategy", *QUICK, "--times", "2")
    assert ended.out.count("of 300 sessions") == 1
    assert "\x1b" not in ended.out


@pytest.mark.parametrize(("lines", "whole"), [(60, True), (10, False)])
def test_watch_keeps_the_advice_on_a_low_screen(
    run: Run, sidecar: Canned, monkeypatch: pytest.MonkeyPatch, lines: int, whole: bool
) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "120"), ("LINES", str(lines))):
        monkeypatch.setenv(name, value)
    sidecar.answers("Analysis/GetStatus", report(RUNNING))
    ended = run("watch", "search-strategy", "--times", "1")
    assert "Ship combined" in ended.out
    assert ("total_time p95" in ended.out) is whole


def test_a_terminal_is_drawn_over(run: Run, sidecar: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "200"), ("LINES", "60")):
        monkeypatch.setenv(name, value)
    sidecar.answers("Analysis/ListStatus", listed(report(RUNNING, "one"), report(RUNNING, "two")), listed())
    sidecar.answers("Analysis/GetStatus", report(COMPLETED, "one"), report(COMPLETED, "two"))
    ended = run("watch", *QUICK)
    assert ended.code == 0
    # The cursor goes up again before the second look.
    assert "\x1b[1A" in ended.out
    last = ended.out.rpartition("\x1b[1A")[2]
    assert last.count("shipped combined, by hand") == 2


def test_watch_in_json_is_one_line_for_each_experiment_at_each_look(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Analysis/GetStatus", report(RUNNING), report(RUNNING, "b", 0.25), report(RUNNING), report(RUNNING))
    ended = run("watch", "search-strategy", "b", *QUICK, "--times", "1", "-o", "json")
    assert [json.loads(line)["progress"] for line in ended.out.splitlines()] == [0.5, 0.25]
    assert [each.key for each in sidecar.asked] == ["search-strategy", "b"]


def test_watching_all_follows_those_that_come_and_ends_when_none_is_left(run: Run, sidecar: Canned) -> None:
    sidecar.answers(
        "Analysis/ListStatus", listed(report(RUNNING, "one")), listed(report(RUNNING, "two")), listed(),
    )  # fmt: skip
    sidecar.answers("Analysis/GetStatus", report(COMPLETED, "one"), report(COMPLETED, "two"))
    ended = run("watch", *QUICK)
    assert ended.code == 0
    assert [line.split("   ")[:2] for line in ended.out.splitlines()] == [
        ["one", "running"], ["two", "running"], ["one", "completed"], ["two", "completed"],
    ]  # fmt: skip


def test_watching_all_of_nothing(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Analysis/ListStatus", listed())
    assert run("watch") == (0, "no experiment runs or is paused\n", "")


def test_an_absence_is_told_once_and_outlasted(run: Run, sidecar: Canned) -> None:
    away = Unavailable("the database is locked")
    sidecar.answers("Analysis/GetStatus", report(RUNNING), away, away, report(COMPLETED))
    ended = run("watch", "search-strategy", *QUICK)
    assert ended.code == 0
    assert ended.err == "the database is locked; trying again for 600 s\n"
    assert len(ended.out.splitlines()) == 2


def test_an_absence_that_is_too_long(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Analysis/GetStatus", report(RUNNING), Unavailable("the database is locked"))
    ended = run("watch", "search-strategy", *QUICK, "--patience", "0")
    assert ended.code == 5
    assert "the database is locked" in ended.err


@pytest.mark.parametrize(("error", "code"), [(NotFound("no such"), 3), (PermissionDenied("no"), 8)])
def test_what_waiting_does_not_mend_is_told_at_once(
    run: Run, sidecar: Canned, error: NotFound | PermissionDenied, code: int
) -> None:
    sidecar.answers("Analysis/GetStatus", report(RUNNING), error)
    assert run("watch", "search-strategy", *QUICK).code == code


def test_nobody_at_the_start_is_an_error_at_once(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Analysis/GetStatus", Unavailable("starting"))
    assert run("watch", "search-strategy").code == 5


def test_too_many_keys(run: Run, sidecar: Canned) -> None:
    ended = run("watch", *(f"key-{number}" for number in range(101)))
    assert (ended.code, sidecar.asked) == (2, [])
