"""Batches: numbered, retried, the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Run
from sortition import errors
from sortition.cli.imports import sending
from sortition.rpc.v1 import analysis_pb2, experiment_pb2, recording_pb2
from unit.cli.sidecar import Canned

RECORD = "Recording/RecordBatch"
COMMAND = ("--experiment", "k", "--unit", "u", "--variant", "v", "--metric", "y")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text("u,v,y\n" + "".join(f"u{n},{'ab'[n % 2]},{n}\n" for n in range(25)))
    return path


@pytest.fixture
def target(sidecar: Canned, monkeypatch: pytest.MonkeyPatch) -> Canned:
    """A sidecar with a running experiment; batches are small."""
    experiment = experiment_pb2.Experiment(
        id="1",
        status="EXPERIMENT_STATUS_RUNNING",
        spec=experiment_pb2.ExperimentSpec(
            key="k",
            organization="acme",
            external_assignment=True,
            metrics=[experiment_pb2.Metric(name="y", kind="METRIC_KIND_CONTINUOUS")],
            variants=[experiment_pb2.Variant(name="a", control=True), experiment_pb2.Variant(name="b")],
        ),
    )
    sidecar.answers("Admin/GetExperiment", experiment)
    sidecar.answers("Analysis/Analyze", analysis_pb2.AnalysisResult(experiment="k", primary_metric="y"))
    sidecar.answers(RECORD, recording_pb2.RecordResponse(accepted=10))
    monkeypatch.setattr(sending, "_BATCH_ROWS", 10)
    return sidecar


def batches(sidecar: Canned) -> list[recording_pb2.RecordBatchRequest]:
    return [each for each in sidecar.asked if isinstance(each, recording_pb2.RecordBatchRequest)]


def test_batches_are_numbered_and_name_the_file(run: Run, target: Canned, file: Path) -> None:
    assert run("import", file, *COMMAND).code == 0
    sent = batches(target)
    assert [len(each.outcomes) for each in sent] == [10, 10, 5]
    assert [(each.delivery.seq, each.delivery.oldest_pending) for each in sent] == [(1, 1), (2, 2), (3, 3)]
    assert len({each.delivery.client for each in sent}) == 1
    assert len(sent[0].delivery.client) == 16
    first = sent[0].outcomes[1]
    assert (first.experiment, first.organization, first.unit, first.variant) == ("k", "acme", "u1", "b")
    assert [(each.metric, each.number) for each in first.observations] == [("y", 1.0)]
    assert not first.observations[0].HasField("denominator")


def test_the_same_import_has_the_same_batches_and_another_has_others(run: Run, target: Canned, file: Path) -> None:
    def client(*options: str) -> bytes:
        del target.asked[:]
        assert run("import", file, *COMMAND, *options).code == 0
        found: bytes = batches(target)[0].delivery.client
        return found

    first = client()
    assert client() == first
    assert client("--skip-bad") != first
    file.write_text(file.read_text().replace("u1,b,1\n", "u1,b,2\n"))
    assert client() != first


def test_a_batch_is_split_by_its_size_too(
    run: Run, target: Canned, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_BATCH_BYTES", 100)
    assert run("import", file, *COMMAND).code == 0
    assert max(each.ByteSize() for each in batches(target)) < 250
    assert sum(len(each.outcomes) for each in batches(target)) == 25


@pytest.mark.parametrize("error", [errors.StoreUnavailable("away"), errors.ResourceExhausted("pending_exposures")])
def test_what_passes_is_tried_again_as_the_same_call(
    run: Run, target: Canned, file: Path, error: errors.SortitionError
) -> None:
    answer = recording_pb2.RecordResponse(accepted=10)
    target.answers(RECORD, answer, error, error, answer)
    ended = run("import", file, *COMMAND, "-o", "json")
    assert ended.code == 0
    sent = batches(target)
    assert [each.delivery.seq for each in sent] == [1, 2, 2, 2, 3]
    assert sent[1] == sent[2] == sent[3]
    assert ended.document["observations"] == 30


def test_a_refused_batch_names_the_lines(run: Run, target: Canned, file: Path) -> None:
    refusal = errors.InvalidArgument.of([("outcomes[3].observations[0].number", "is cursed")])
    target.answers(RECORD, recording_pb2.RecordResponse(accepted=10), refusal)
    ended = run("import", file, *COMMAND)
    assert ended.code == 2
    # The second batch begins in line 12.
    assert ended.err.splitlines() == [
        "error: the sidecar refused rows; 10 rows before line 12 are imported",
        "  line 15.observations[0].number: is cursed",
    ]


def test_what_does_not_pass_says_how_to_go_on(
    run: Run, target: Canned, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_PATIENCE_S", 0)
    target.answers(RECORD, recording_pb2.RecordResponse(accepted=10), errors.StoreUnavailable("away"))
    ended = run("import", file, *COMMAND)
    assert ended.code == 5
    assert ended.err == (
        "error: away; 10 rows before line 12 are imported, and the same command with --append, and without --create,"
        " goes on from there\n"
    )


def test_duplicates_are_told(run: Run, target: Canned, file: Path) -> None:
    target.answers(RECORD, recording_pb2.RecordResponse(duplicate=True))
    ended = run("import", file, *COMMAND, "-o", "json")
    assert (ended.document["observations"], ended.document["duplicates"]) == (0, 25)


def test_nothing_is_sent_where_it_cannot_count(run: Run, target: Canned, file: Path) -> None:
    experiment = experiment_pb2.Experiment(id="1", status="EXPERIMENT_STATUS_RUNNING")
    target.answers("Admin/GetExperiment", experiment)
    assert run("import", file, *COMMAND).code == 4
    experiment.spec.external_assignment = True
    ended = run("import", file, *COMMAND)
    assert ended.code == 2
    assert "--metric: 'y' is no metric of k" in ended.err
    experiment.spec.metrics.add(name="y", kind="METRIC_KIND_CONTINUOUS")
    experiment.status = experiment_pb2.Experiment(status="EXPERIMENT_STATUS_PAUSED").status
    assert run("import", file, *COMMAND).code == 4
    experiment.status = experiment_pb2.Experiment(status="EXPERIMENT_STATUS_RUNNING").status
    target.answers("Analysis/Analyze", analysis_pb2.AnalysisResult(units=5))
    ended = run("import", file, *COMMAND)
    assert ended.code == 4
    assert "already holds outcomes of 5 units" in ended.err
    assert batches(target) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "y=binary"], "give --create as well"),
        (["--create"], "--control: is required"),
        (["--create", "--control", "c"], "must be one of a, b"),
        (["--create", "--control", "a", "--kind", "z=binary"], "'z' is no metric"),
        (["--create", "--control", "a", "--kind", "y=numeric"], "must be one of binary"),
        (["--delimiter", "ab"], "must be one character"),
        (["--map", "x"], "NAME=VALUE"),
    ],
)
def test_usage(run: Run, target: Canned, file: Path, options: list[str], words: str) -> None:
    ended = run("import", file, *COMMAND, *options)
    assert ended.code == 2
    assert words in ended.err
    assert batches(target) == []
