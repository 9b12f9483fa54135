"""Lists and views, letter by letter."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from sortition import render
from sortition.render.status import progress_bar
from sortition.rpc.v1 import admin_pb2, analysis_pb2
from unit.render.search import STARTED, STATUS, make_experiment, make_result, text


def config(**values: str | int) -> Struct:
    struct = Struct()
    struct.update(values)
    return struct


def make_subject() -> admin_pb2.Subject:
    return admin_pb2.Subject(
        organization="default",
        ref={"kind": "agent", "id": "search-agent"},
        description="Searches.",
        current=make_version(2),
        created_at=STARTED,
    )


def make_version(number: int) -> admin_pb2.SubjectVersion:
    return admin_pb2.SubjectVersion(
        number=number, config=config(strategy="pooled", workers=2), config_hash="0123456789abcdef", created_at=STARTED,
        origin="shipped", experiment="search-strategy", note="variant pooled",
    )  # fmt: skip


def test_exported_names_are_functions() -> None:
    assert all(callable(getattr(render, name)) for name in render.__all__)


def test_status_view() -> None:
    report = analysis_pb2.ExperimentReport(
        experiment=make_experiment(), analysis=make_result(), progress=0.529, running_seconds=7805,
        todo=["12 more sessions"],
    )  # fmt: skip
    assert text(render.status_view(report)).splitlines()[-2:] == ["█████░░░░░  52 %", "• 12 more sessions"]


def test_progress_is_complete_only_when_it_is() -> None:
    assert progress_bar(0) == "░░░░░░░░░░   0 %"
    assert progress_bar(0.9999) == "█████████░  99 %"
    assert progress_bar(1) == "██████████ 100 %"
    assert progress_bar(7) == "██████████ 100 %"
    assert progress_bar(-1) == "░░░░░░░░░░   0 %"


def test_experiment_table() -> None:
    shipped = make_experiment()
    shipped.status, shipped.winner, shipped.shipped_version = STATUS.EXPERIMENT_STATUS_COMPLETED, "pooled", 2
    shipped.archived_at.CopyFrom(STARTED)
    lines = text(render.experiment_table([make_experiment(), shipped]), 160).splitlines()
    assert lines[0].split("  ")[0] == "experiment"
    assert lines[1] == (
        "search-strategy  agent/search-agent  running                     3  total_time ↓    2023-11-14 22:13 UTC  –"
    )
    assert lines[2].endswith(
        "completed, archived         3  total_time ↓    2023-11-14 22:13 UTC  pooled, shipped as version 2"
    )


def test_experiment_view() -> None:
    assert text(render.experiment_view(make_experiment())).splitlines() == [
        "search-strategy   running   agent/search-agent   by session",
        "One pass beats many.",
        "variant       weight  config",
        'sequential ◆    33 %  {"strategy": "sequential"}',
        'combined        33 %  {"strategy": "combined"}',
        'pooled          34 %  {"strategy": "pooled", "workers": 2}',
        "metric        kind      unit  role",
        "total_time ↓  duration  s     primary",
        "found_all ↑   binary          guardrail",
    ]


def test_subjects_and_versions() -> None:
    assert text(render.subject_table([make_subject()])).splitlines()[1] == (
        'agent/search-agent        2  {"strategy": "pooled", "workers": 2}  Searches.'
    )
    assert text(render.subject_view(make_subject())).splitlines() == [
        "agent/search-agent   version 2   shipped by search-strategy",
        "Searches.",
        "variant pooled",
        "{",
        '  "strategy": "pooled",',
        '  "workers": 2',
        "}",
    ]
    lines = text(render.version_table([make_version(2), make_version(1)], current=2), 160).splitlines()
    assert lines[1].startswith("    → 2  2023-11-14 22:13 UTC  shipped by search-strategy  0123456789ab  {")
    assert lines[2].startswith("      1  ")


def test_audit_table() -> None:
    event = admin_pb2.AuditEvent(
        id=7, at=STARTED, actor="ada", action="experiment.start", object="experiment/search-strategy", reason="to see"
    )
    assert text(render.audit_table([event])).splitlines() == [
        "when                  who  what              to what                     why",
        "2023-11-14 22:13 UTC  ada  experiment.start  experiment/search-strategy  to see",
    ]


def test_power() -> None:
    plan = analysis_pb2.PowerResult(units_per_variant=25_580, units_total=51_160)
    assert text(render.power_table(plan)) == "25,580 units per variant, 51,160 in total"
    running = analysis_pb2.PowerResult(
        units_per_variant=100, units_total=200, achieved_power=0.641, units_missing=52, days=1.5, reason="a guess"
    )
    assert text(render.power_table(running)).splitlines() == [
        "100 units per variant, 200 in total",
        "power so far 64.1 %, 52 units still to come",
        "about 1.5 days",
        "a guess",
    ]
    unknown = analysis_pb2.PowerResult(reason="the control has no outcomes yet")
    assert text(render.power_table(unknown)) == "the control has no outcomes yet", "none is not how many are needed"
