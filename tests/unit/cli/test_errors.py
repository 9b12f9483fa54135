"""Every error is one line and one exit code, and never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Run
from sortition import errors
from sortition.cli.exit_codes import EXIT_CODES, ExitCode, exit_code
from sortition.errors import SortitionError
from unit.cli.sidecar import Canned

GET = "Admin/GetSubject"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidArgument("bad"), 2),
        (errors.NotFound("no such"), 3),
        (errors.FailedPrecondition("not now"), 4),
        (errors.IllegalTransition("no way"), 4),
        (errors.ShipRefused("not good"), 4),
        (errors.Conflict("changed"), 9),
        (errors.StoreUnavailable("database away"), 5),
        (errors.NotReady("no snapshot"), 5),
        (errors.AlreadyExists("taken"), 6),
        (errors.ResourceExhausted("full"), 7),
        (errors.PermissionDenied("may not"), 8),
        (errors.Unauthenticated("who"), 8),
        (errors.DataLoss("damaged"), 1),
        (errors.StoreError("read-only"), 1),
        (errors.InternalError("defect"), 1),
    ],
)
def test_every_status_has_its_exit_code(run: Run, sidecar: Canned, error: SortitionError, code: int) -> None:
    sidecar.answers(GET, error)
    ended = run("subjects", "show", "agent/a")
    assert ended == (code, "", f"error: {error.message}\n")


def test_every_exit_code_is_documented(run: Run) -> None:
    assert set(EXIT_CODES) == set(ExitCode)
    shown = run("--help").out
    guide = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    for code, meaning in EXIT_CODES.items():
        assert f"{int(code):>5}  {meaning}\n" in shown
        assert f"| {int(code)} | {meaning} |" in guide


def test_every_error_of_the_tree_has_an_exit_code_of_its_status() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__ if name != "Violation"]
    unexpected = {kind.code for kind in kinds if exit_code(kind("x")) is ExitCode.UNEXPECTED}
    assert unexpected == {"UNKNOWN", "INTERNAL", "DATA_LOSS"}


def test_violations_are_one_line_each(run: Run, sidecar: Canned) -> None:
    found = [("spec.variants", "has no control"), ("spec.key", "is required")]
    sidecar.answers(GET, errors.InvalidArgument.of(found))
    ended = run("subjects", "show", "a")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "error: 2 values are refused",
        "  spec.variants: has no control",
        "  spec.key: is required",
    ]
    sidecar.answers(GET, errors.InvalidArgument.of(found[:1]))
    assert run("subjects", "show", "a").err == "error: spec.variants: has no control\n"
    sidecar.answers(
        GET, errors.AlreadyExists("key 'k' is taken; choose another", [("key", "is taken; choose another")])
    )
    assert run("subjects", "show", "a").err == "error: key 'k' is taken; choose another\n", "nothing is said twice"
    sidecar.answers(GET, errors.InvalidArgument.of([("metric", "has no \0")]))
    assert run("subjects", "show", "a").err == "error: metric: has no\n", "nor counted, when there is but one"


def test_many_violations_are_cut(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("".join(f"f{number}: 1\n" for number in range(200)))
    lines = run("create", path).err.splitlines()
    assert lines[0] == f"error: {path} does not describe an experiment"
    assert len(lines) == 52
    # All unknown fields, and what is missing: experiment, subject, metrics, variants.
    assert lines[-1] == "  and 154 more"


def test_violations_in_a_file_have_line_and_column(run: Run, sidecar: Canned, tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("experiment: a\nsubject: {kind: agent, id: B}\nmetrics: {}\nvariants: {}\n")
    ended = run("start", path)
    assert ended.code == 2
    assert "  line 2, column 28: subject.id: 'B' may only hold a-z 0-9 . _ -, at least one of them" in ended.err
    assert sidecar.asked == []


def test_messages_do_not_steer_the_terminal(run: Run, sidecar: Canned) -> None:
    sidecar.answers(GET, errors.NotFound("no\n\x1b[2Jsuch"))
    assert run("subjects", "show", "a").err == "error: no  [2Jsuch\n"


def test_no_sidecar(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 1 is nobody's.
    ended = run("list", "--target", "127.0.0.1:1")
    assert ended.code == 5
    assert ended.err == (
        "error: no sidecar answers at 127.0.0.1:1; start one with `sortition serve`, or see --target\n"
    )


def test_a_slow_sidecar_is_not_waited_for(run: Run, sidecar: Canned) -> None:
    sidecar.answers(GET, errors.NotFound("too late"))
    sidecar.gate.clear()
    ended = run("subjects", "show", "a", "--timeout", "0.2")
    sidecar.gate.set()
    assert ended.code == 5
    assert ended.err == (f"error: the sidecar at {sidecar.target} gave no answer within 0.2 s; see --timeout\n")


def test_a_named_state_directory_means_its_own_sidecar(run: Run, sidecar: Canned, tmp_path: Path) -> None:
    sidecar.answers(GET, errors.NotFound("no such"))
    ended = run("subjects", "show", "a", "--state-dir", tmp_path)
    assert ended.code == 5
    assert f"no sidecar runs in {tmp_path}" in ended.err
    (tmp_path / "endpoint").write_text(f"{sidecar.target}\n")
    assert run("subjects", "show", "a", "--state-dir", tmp_path).code == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bogus"], "No such command"),
        (["list", "--limit", "0"], "--limit"),
        (["list", "--status", "done"], "must be one of draft"),
        (["list", "-o", "xml"], "xml"),
        (["power"], "--baseline"),
        (["power", "k", "--mde", "0.1"], "not both"),
        (["power", "--baseline", "1", "--mde", "1", "--kind", "colour"], "--kind"),
        (["promote"], "give KEY"),
        (["promote", "k", "--subject", "a"], "give KEY"),
        (["promote", "k", "--version", "2"], "--version belongs"),
        (["promote", "--subject", "a"], "needs --version"),
        (["promote", "k", "--force"], "needs --reason"),
        (["complete", "k", "--variant", "b"], "--ship"),
        (["complete", "k", "--ship", "--force"], "needs --reason"),
        (["start", "nothing.yaml"], "cannot be read"),
        (["serve", "--workers", "0"], "--workers"),
        (["serve", "--listen", "0.0.0.0:7117"], "loopback"),
    ],
)
def test_usage(run: Run, sidecar: Canned, arguments: list[str], words: str) -> None:
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert sidecar.asked == []
