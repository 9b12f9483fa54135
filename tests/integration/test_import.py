"""Published trials, replayed through a sidecar: what the aggregates say is what the raw rows say."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from commands import Run, run_command
from sidecars import running

DATA = Path(__file__).parents[1] / "data"
NSW = (
    "import", DATA / "nsw_mixtape.csv", "--experiment", "nsw", "--unit", "id", "--variant", "treat",
    "--metric", "re78", "--map", "0=control", "--map", "1=treated",
)  # fmt: skip
HIV = (
    "import", DATA / "thornton_hiv.csv", "--experiment", "hiv", "--unit", "id", "--variant", "any",
    "--metric", "got=learned", "--map", "0=none", "--map", "1=incentive",
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    with running(tmp_path / "state", log_level="error") as service:
        monkeypatch.setenv("SORTITION_TARGET", service.address)
        yield run_command(capfd)


def column(file: str, value: str, arm: str, name: str) -> list[float]:
    with (DATA / file).open(newline="") as opened:
        return [float(row[value]) for row in csv.DictReader(opened) if row[arm] == name]


def by_name(analysis: Any, name: str) -> Any:
    return next(each for each in analysis["metrics"] if each["variant"] == name)


def test_national_supported_work(run: Run) -> None:
    imported = run(*NSW, "--create", "--control", "control", "-o", "json")
    assert imported.code == 0, imported.err
    document = imported.document
    assert (document["rows"], document["observations"], document["duplicates"]) == (445, 445, 0)
    result = run("analyze", "nsw", "-o", "json").document
    treated, control = (column("nsw_mixtape.csv", "re78", "treat", arm) for arm in "10")
    assert [(each["name"], each["units"]) for each in result["variants"]] == [("control", "260"), ("treated", "185")]
    (compared,) = result["comparisons"]
    # Published: Dehejia and Wahba (1999), table 2.
    assert compared["difference"] == pytest.approx(1794.34, abs=1e-2)
    expected = stats.ttest_ind(treated, control, equal_var=False)
    assert compared["method"] == "welch_t"
    assert compared["p_value"] == pytest.approx(expected.pvalue, abs=1e-9)
    interval = expected.confidence_interval(0.95)
    assert compared["interval"]["lower"] == pytest.approx(interval.low, rel=1e-9)
    assert compared["interval"]["upper"] == pytest.approx(interval.high, rel=1e-9)


def test_thornton(run: Run) -> None:
    assert run(*HIV, "--create", "--control", "none").code == 0
    result = run("analyze", "hiv", "-o", "json").document
    assert [(each["name"], each["units"]) for each in result["variants"]] == [("none", "623"), ("incentive", "2211")]
    assert by_name(result, "incentive")["mean"] == pytest.approx(0.789236, abs=5e-7)
    assert by_name(result, "none")["mean"] == pytest.approx(0.338684, abs=5e-7)
    listed = run("list", "-o", "json").document["experiments"][0]["spec"]
    assert listed["metrics"][0]["kind"] == "METRIC_KIND_BINARY"


def test_an_experiment_of_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nsw.yaml"
    path.write_text(
        "experiment: nsw\nsubject: {kind: program, id: nsw}\nunit: person\nexternal_assignment: true\n"
        "metrics: {re78: {kind: continuous, unit: USD, goal: maximize, role: primary}}\n"
        "variants: {control: {weight: 50, control: true}, treated: {weight: 50}}\n"
        "decision: {min_samples: 400}\n"
    )
    assert run(*NSW).code == 3
    assert run("create", path).code == 0
    assert run(*NSW).code == 4
    assert run("start", "nsw").code == 0
    ended = run(*NSW)
    assert ended.code == 0
    assert "+1,794 USD" in ended.out


def test_a_second_run_is_refused_and_never_counts_twice(run: Run) -> None:
    assert run(*NSW, "--create", "--control", "control").code == 0
    before = run("analyze", "nsw", "-o", "json").document
    assert run(*NSW, "--create", "--control", "control").code == 6
    assert run(*NSW).code == 4
    again = run(*NSW, "--append", "-o", "json")
    assert again.code == 0
    assert (again.document["observations"], again.document["duplicates"]) == (0, 445)
    after = run("analyze", "nsw", "-o", "json").document
    assert after["metrics"] == before["metrics"]
    assert after["units"] == before["units"] == "445"


def test_one_bad_row_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text((DATA / "nsw_mixtape.csv").read_text().replace("9930.0458984375", "plenty"))
    command = (NSW[0], path, *NSW[2:])
    ended = run(*command, "--create", "--control", "control")
    assert ended.code == 2
    assert "  line 2: re78 is not a finite number: 'plenty'" in ended.err.splitlines()
    assert run("list", "-o", "json").document["experiments"] == []
    skipped = run(*command, "--create", "--control", "control", "--skip-bad", "-o", "json")
    assert (skipped.document["observations"], skipped.document["skipped_rows"]) == (444, 1)


def test_an_interrupted_import_goes_on_where_it_stopped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from sortition.cli.imports import sending

    real, sent = sending._outcome, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent > 150:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_BATCH_ROWS", 100)
        patch.setattr(sending, "_outcome", interrupted)
        ended = run(*NSW, "--create", "--control", "control")
    assert ended.code == 130
    assert "with --append, and without --create, goes on" in ended.err
    monkeypatch.setattr(sending, "_BATCH_ROWS", 100)
    again = run(*NSW, "--append", "-o", "json")
    assert again.code == 0
    assert (again.document["observations"], again.document["duplicates"]) == (345, 100)
