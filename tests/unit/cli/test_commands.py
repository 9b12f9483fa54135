"""What a command asks for, and how it writes the answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import json_format

from commands import Run
from sortition.errors import AlreadyExists, FailedPrecondition, NotFound, Unavailable
from sortition.model.file import dump_experiment, parse_experiment
from sortition.model.wire import spec_to_proto
from sortition.rpc.v1 import admin_pb2, analysis_pb2, experiment_pb2
from unit.cli.sidecar import Canned
from unit.render.search import make_experiment, make_result

EXPERIMENT = """\
experiment: search-strategy
subject: {kind: agent, id: search-agent}
metrics:
  total_time: {kind: duration, goal: minimize, role: primary}
variants:
  slow: {weight: 50, control: true}
  fast: {weight: 50, config: {workers: 2}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "search.yaml"
    path.write_text(EXPERIMENT)
    return path


def stored(status: str) -> experiment_pb2.Experiment:
    return experiment_pb2.Experiment(id="1", spec=spec_to_proto(parse_experiment(EXPERIMENT)), status=status)


@pytest.mark.parametrize(
    ("command", "method"),
    [
        ("start", "StartExperiment"),
        ("pause", "PauseExperiment"),
        ("resume", "ResumeExperiment"),
        ("cancel", "CancelExperiment"),
        ("archive", "ArchiveExperiment"),
    ],
)
def test_changes_say_who_and_why(run: Run, sidecar: Canned, command: str, method: str) -> None:
    sidecar.answers(f"Admin/{method}", stored("EXPERIMENT_STATUS_RUNNING"))
    # A start looks first whether the subject is in a file.
    sidecar.answers("Admin/GetExperiment", stored("EXPERIMENT_STATUS_DRAFT"))
    ended = run(command, "k", "--actor", "ada", "--reason", "to see", "--organization", "acme", "-o", "json")
    assert ended.code == 0
    changes = [each for each in sidecar.asked if isinstance(each, admin_pb2.ChangeExperimentRequest)]
    assert changes == [
        admin_pb2.ChangeExperimentRequest(key="k", organization="acme", actor={"name": "ada", "reason": "to see"})
    ]
    assert ended.document["status"] == "EXPERIMENT_STATUS_RUNNING"


def test_the_user_is_the_actor(run: Run, sidecar: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    sidecar.answers("Admin/PauseExperiment", stored("EXPERIMENT_STATUS_PAUSED"))
    run("pause", "k")
    assert sidecar.asked[0].actor.name == "grace"


def test_json_is_one_document_in_the_order_and_names_of_the_contract(run: Run, sidecar: Canned) -> None:
    experiment = make_experiment()
    sidecar.answers("Admin/GetExperiment", experiment)
    sidecar.answers("Analysis/Analyze", make_result())
    ended = run("analyze", "search-strategy", "-o", "json")
    assert ended.err == ""
    document = ended.document
    assert json_format.ParseDict(document, analysis_pb2.AnalysisResult()) == make_result()
    # Messages that are absent have no place; everything else has, whatever its value.
    fields = analysis_pb2.AnalysisResult.DESCRIPTOR.fields
    there = [field.name for field in fields if not field.has_presence or make_result().HasField(field.name)]
    assert list(document) == there
    assert list(document["variants"][0]) == ["name", "control", "weight", "units", "share"]
    # A zero is there, a figure that cannot be known is not.
    assert document["metrics"][4]["se"] == 0.0
    assert "sd" not in document["metrics"][0]
    sidecar.answers("Admin/ListExperiments", admin_pb2.ListExperimentsResponse(experiments=[experiment]))
    listed = run("list", "-o", "json").document["experiments"][0]
    assert json.dumps(listed["spec"]["variants"][2]["config"]) == '{"strategy": "pooled", "workers": 2}'


def test_tables_go_to_stdout_as_wide_as_they_are(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Admin/GetExperiment", make_experiment())
    sidecar.answers("Analysis/Analyze", make_result())
    ended = run("analyze", "search-strategy")
    assert ended.code == 0
    assert "−57.8 %     −1.11 s  [−1.20, −1.02]  > 99.9 %       ← winner" in ended.out
    assert "\x1b" not in ended.out


def test_a_metric_over_time(run: Run, sidecar: Canned) -> None:
    point = analysis_pb2.SeriesPoint(day="2026-01-30", variant="combined", mean=0.81, new_units=41)
    found = analysis_pb2.Series(metric="found_all", points=[point])
    sidecar.answers("Analysis/GetSeries", found)
    sidecar.answers("Admin/GetExperiment", make_experiment())
    ended = run("series", "search-strategy", "--metric", "found_all")
    assert ended.code == 0
    assert ended.out.startswith("search-strategy   found_all ↑\n")
    assert sidecar.asked[0] == analysis_pb2.GetSeriesRequest(key="search-strategy", metric="found_all")
    document = run("series", "search-strategy", "-o", "json").document
    assert json_format.ParseDict(document, analysis_pb2.Series()) == found


def test_pages_are_collected_up_to_the_limit(run: Run, sidecar: Canned) -> None:
    page = admin_pb2.ListExperimentsResponse(experiments=[make_experiment()] * 2, next_page_token="more")
    last = admin_pb2.ListExperimentsResponse(experiments=[make_experiment()])
    sidecar.answers("Admin/ListExperiments", page, page, last)
    ended = run("list", "--limit", "10", "--status", "running", "--subject", "agent/a", "--archived", "-o", "json")
    assert len(ended.document["experiments"]) == 5
    assert ended.document["next_page_token"] == ""
    assert [each.page_size for each in sidecar.asked] == [10, 8, 6]
    assert [each.page_token for each in sidecar.asked] == ["", "more", "more"]
    assert sidecar.asked[0].statuses == [2]
    assert sidecar.asked[0].include_archived
    assert sidecar.asked[0].subject.id == "a"
    sidecar.answers("Admin/ListExperiments", page)
    ended = run("list", "--limit", "2")
    assert ended.err == "there are more: --limit, or --page-token more\n"


def test_create_checks_only_when_asked(run: Run, sidecar: Canned, file: Path) -> None:
    sidecar.answers("Admin/CreateExperiment", stored("EXPERIMENT_STATUS_DRAFT"))
    sidecar.answers("Analysis/Power", analysis_pb2.PowerResult(units_per_variant=10, units_total=20))
    assert run("create", file, "--check").code == 0
    assert run("create", file).code == 0
    asked = [each for each in sidecar.asked if isinstance(each, admin_pb2.CreateExperimentRequest)]
    assert [each.validate_only for each in asked] == [True, False]
    assert asked[0].spec == spec_to_proto(parse_experiment(EXPERIMENT))


def test_create_says_how_many_units_are_needed(run: Run, sidecar: Canned, file: Path) -> None:
    draft = stored("EXPERIMENT_STATUS_DRAFT")
    sidecar.answers("Admin/CreateExperiment", draft)
    sidecar.answers(
        "Analysis/Power",
        analysis_pb2.PowerResult(
            units_per_variant=10, units_total=20, baseline="old in before", policy="DECISION_POLICY_SEQUENTIAL"
        ),
    )
    shown = run("create", file).out
    assert "sequential: at most 10 units per variant, 20 in total" in shown
    assert "baseline: old in before" in shown
    assert sidecar.asked[-1].spec == draft.spec
    # The draft is stored; that nothing can be said about its size is no failure.
    sidecar.answers("Analysis/Power", Unavailable("the database is away"))
    ended = run("create", file)
    assert (ended.code, "the database is away" in ended.out) == (0, True)


def test_a_replay_that_differs_ends_with_1(run: Run, sidecar: Canned) -> None:
    decision = analysis_pb2.StoredDecision(id="d1", kind="reached", winner="new", analysis=make_result())
    same = analysis_pb2.ReplayResponse(decision=decision, experiment="search-strategy", identical=True)
    other = analysis_pb2.ReplayResponse(decision=decision, differences=["comparisons[0].p_value: 0.1 is now 0.2"])
    sidecar.answers("Analysis/Replay", same, other, other)
    ended = run("replay", "d1")
    assert (ended.code, "identical to the last bit" in ended.out) == (0, True)
    assert sidecar.asked[0].decision_id == "d1"
    ended = run("replay", "d1")
    assert ended.code == 1
    assert "NOT the same" in ended.out
    assert "comparisons[0].p_value: 0.1 is now 0.2" in ended.out
    ended = run("replay", "d1", "-o", "json")
    assert (ended.code, ended.document["identical"]) == (1, False)


def test_decisions_are_listed(run: Run, sidecar: Canned) -> None:
    decision = analysis_pb2.StoredDecision(id="d1", kind="reached", winner="new", should_ship=True)
    sidecar.answers("Analysis/ListDecisions", analysis_pb2.ListDecisionsResponse(decisions=[decision]))
    row = run("decisions", "search-strategy").out
    assert [word in row for word in ("d1", "reached", "new", "yes")] == [True] * 4
    assert sidecar.asked[0].key == "search-strategy"


def test_start_of_a_file_creates_and_starts(run: Run, sidecar: Canned, file: Path) -> None:
    sidecar.answers("Admin/CreateExperiment", stored("EXPERIMENT_STATUS_DRAFT"))
    sidecar.answers("Admin/StartExperiment", stored("EXPERIMENT_STATUS_RUNNING"))
    assert run("start", file).code == 0
    assert [type(each).__name__ for each in sidecar.asked] == ["CreateExperimentRequest", "ChangeExperimentRequest"]
    assert sidecar.asked[1].key == "search-strategy"


def test_start_of_the_same_draft_starts_it(run: Run, sidecar: Canned, file: Path) -> None:
    sidecar.answers("Admin/CreateExperiment", AlreadyExists("taken"))
    sidecar.answers("Admin/GetExperiment", stored("EXPERIMENT_STATUS_DRAFT"))
    sidecar.answers("Admin/StartExperiment", stored("EXPERIMENT_STATUS_RUNNING"))
    assert run("start", file).code == 0


def test_start_of_another_experiment_with_that_key_is_refused(run: Run, sidecar: Canned, file: Path) -> None:
    sidecar.answers("Admin/CreateExperiment", AlreadyExists("taken"))
    sidecar.answers("Admin/GetExperiment", stored("EXPERIMENT_STATUS_RUNNING"))
    assert run("start", file).code == 6
    sidecar.answers("Admin/GetExperiment", stored("EXPERIMENT_STATUS_DRAFT"))
    file.write_text(EXPERIMENT.replace("workers: 2", "workers: 3"))
    assert run("start", file).code == 6


def test_a_draft_that_cannot_start_is_named(run: Run, sidecar: Canned, file: Path) -> None:
    sidecar.answers("Admin/CreateExperiment", stored("EXPERIMENT_STATUS_DRAFT"))
    sidecar.answers("Admin/StartExperiment", FailedPrecondition("another runs"))
    ended = run("start", file)
    assert ended.code == 4
    assert ended.err.splitlines() == [
        "search-strategy is stored as a draft; start it with `sortition start search-strategy`",
        "error: another runs",
    ]


def test_the_organization_of_option_and_file_must_agree(run: Run, sidecar: Canned, file: Path) -> None:
    sidecar.answers("Admin/CreateExperiment", stored("EXPERIMENT_STATUS_DRAFT"))
    assert run("create", file, "--organization", "acme").code == 0
    assert sidecar.asked[0].spec.organization == "acme"
    file.write_text(EXPERIMENT + "organization: other\n")
    assert run("create", file, "--organization", "acme").code == 2


def test_a_key_that_looks_like_nothing_known_hints_at_files(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Admin/GetExperiment", NotFound("no experiment x"))
    sidecar.answers("Admin/StartExperiment", NotFound("no experiment x"))
    assert run("start", "x").err == "error: no experiment x; is x meant to be a file?\n"


def completed() -> admin_pb2.CompleteExperimentResponse:
    answer = admin_pb2.CompleteExperimentResponse(experiment=make_experiment(), analysis=make_result(), decision_id="d")
    answer.experiment.status = experiment_pb2.Experiment(status="EXPERIMENT_STATUS_COMPLETED").status
    answer.subject.ref.kind, answer.subject.ref.id, answer.subject.current.number = "agent", "search-agent", 2
    return answer


def test_promote_completes_and_ships(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Admin/CompleteExperiment", completed())
    sidecar.answers("Admin/GetExperiment", stored("EXPERIMENT_STATUS_RUNNING"))
    sidecar.answers("Admin/GetSubject", completed().subject)
    ended = run("promote", "k", "--variant", "pooled", "--force", "--reason", "gut feeling")
    assert ended.code == 0
    asked = sidecar.asked[-1]
    assert (asked.key, asked.ship, asked.variant, asked.force) == ("k", True, "pooled", True)
    assert "shipped:\nagent/search-agent   version 2" in "\n".join(line.rstrip() for line in ended.out.splitlines())
    run("complete", "k")
    assert not sidecar.asked[-1].ship


def test_subjects(run: Run, sidecar: Canned, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"workers": 2, "deep": {"list": [1, null, "x"]}}')
    subject = admin_pb2.Subject(ref={"kind": "prompt", "id": "greeting"}, current={"number": 3})
    version = admin_pb2.SubjectVersion(number=3, origin="added")
    sidecar.answers("Admin/CreateSubject", subject)
    sidecar.answers("Admin/GetSubject", subject)
    sidecar.answers("Admin/CreateSubjectVersion", version)
    sidecar.answers("Admin/ListSubjectVersions", admin_pb2.ListSubjectVersionsResponse(versions=[version]))
    sidecar.answers("Admin/ListSubjects", admin_pb2.ListSubjectsResponse(subjects=[subject]))
    sidecar.answers("Admin/PromoteSubjectVersion", subject)
    sidecar.answers("Admin/RollbackSubject", subject)
    assert run("subjects", "create", "prompt/greeting", "--config", config, "--description", "d").code == 0
    created = sidecar.asked[-1]
    assert (created.ref.kind, created.ref.id, created.description) == ("prompt", "greeting", "d")
    assert json_format.MessageToDict(created.config) == {"workers": 2, "deep": {"list": [1, None, "x"]}}
    assert run("subjects", "add-version", "prompt/greeting", "--config", config, "--note", "n", "--promote").code == 0
    assert (sidecar.asked[-1].note, sidecar.asked[-1].promote) == ("n", True)
    assert "→ 3" in run("subjects", "versions", "prompt/greeting").out
    assert "prompt/greeting" in run("subjects", "list", "--kind", "prompt").out
    assert run("promote", "--subject", "prompt/greeting", "--version", "2").code == 0
    assert sidecar.asked[-1].number == 2
    # Without a kind it is an agent.
    assert run("rollback", "greeting").code == 0
    assert (sidecar.asked[-1].ref.kind, sidecar.asked[-1].ref.id) == ("agent", "greeting")


def test_power_of_a_plan(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Analysis/Power", analysis_pb2.PowerResult(units_per_variant=10, units_total=20))
    ended = run("power", "--baseline", "0.2", "--mde", "0.1", "--variants", "3", "--units-per-day", "50")
    assert ended.out.strip() == "10 units per variant, 20 in total"
    plan = sidecar.asked[0].plan
    assert (plan.kind, plan.baseline, plan.mde, plan.variants) == (1, 0.2, 0.1, 3)
    run("power", "k")
    assert sidecar.asked[1].key == "k"


def test_audit(run: Run, sidecar: Canned) -> None:
    event = admin_pb2.AuditEvent(id=1, actor="ada", action="experiment.start", object="experiment/k")
    sidecar.answers("Admin/ListAuditEvents", admin_pb2.ListAuditEventsResponse(events=[event]))
    ended = run("audit", "--object", "experiment/k", "--action", "experiment.start", "-o", "json")
    assert ended.document["events"][0]["actor"] == "ada"
    assert (sidecar.asked[-1].object, sidecar.asked[-1].action) == ("experiment/k", "experiment.start")


def test_schema_and_version_need_no_sidecar(run: Run, sidecar: Canned) -> None:
    assert run("schema").document["required"] == ["experiment", "subject", "metrics", "variants"]
    assert run("version").out.startswith("sortition ")
    assert sidecar.asked == []


def test_help_imports_nothing_heavy() -> None:
    # How long it takes is measured in benches/; what would make it slow is named here.
    code = (
        "import sys, sortition.cli.app\n"
        "heavy = {'rich', 'grpc', 'google.protobuf', 'pydantic', 'numpy', 'scipy', 'sqlalchemy', 'ruamel',\n"
        "         'structlog', 'tenacity', 'sortition._core', 'sortition.model', 'sortition.render'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == ""


def test_a_written_experiment_can_be_started(run: Run, sidecar: Canned, tmp_path: Path) -> None:
    path = tmp_path / "written.yaml"
    path.write_text(dump_experiment(parse_experiment(EXPERIMENT)))
    sidecar.answers("Admin/CreateExperiment", stored("EXPERIMENT_STATUS_DRAFT"))
    assert run("create", path).code == 0
    assert sidecar.asked[0].spec == spec_to_proto(parse_experiment(EXPERIMENT))
