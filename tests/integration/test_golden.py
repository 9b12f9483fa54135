"""What released versions left behind is opened by this one, and every figure in it is what it was."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden_states import VERSIONS, expected, unpack
from sidecars import SUBJECT, TIMEOUT_S, connected, running
from sortition.core import Cell
from sortition.lifecycle import Experiments, Subjects
from sortition.model import SubjectRef
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2
from sortition.store import Database, audit, cells, experiments, sqlite_url

AGENT = SubjectRef(kind="agent", id="search-agent")


def test_there_are_golden_states() -> None:
    assert "0.1.0" in VERSIONS


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A copy of a released version's state directory, and what is in it."""
    return unpack(request.param, tmp_path / "state"), expected(request.param)


def total(cell: Cell) -> float:
    """Returns the sum of a cell's observations, exact where they are whole."""
    return float(np.frombuffer(cell.buckets, dtype="<f8").reshape(128, -1)[:, 1].sum())


def test_its_database_has_every_figure(golden: tuple[Path, dict[str, Any]]) -> None:
    state, known = golden
    db = Database.open(sqlite_url(state / "sortition.db"), create=False)
    assert db.installation_key == (state / "installation.key").read_bytes()
    for key, about in known["experiments"].items():
        with db.read() as tx:
            record = experiments.get(tx, "default", key)
            assert record is not None
            data = cells.experiment_data(tx, record)
        names = [variant.name for variant in record.spec.variants]
        assert (record.id, str(record.status), record.winner) == (about["id"], about["status"], about["winner"])
        assert dict(zip(names, data.units.tolist(), strict=True)) == about["units"]
    with db.read() as tx:
        record = experiments.get(tx, "default", "prompts")
        assert record is not None
        data = cells.experiment_data(tx, record)
    variants = [variant.name for variant in record.spec.variants]
    metrics = [metric.name for metric in record.spec.metrics]
    found = {
        (variants[variant], metrics[metric], day): (cell.n, total(cell))
        for (variant, metric, day), cell in data.daily.items()
    }
    assert found == {
        (cell["variant"], cell["metric"], cell["day"]): (cell["n"], cell["sum"]) for cell in known["cells"]
    }
    db.close()


def test_its_subject_and_its_audit_log_are_whole(golden: tuple[Path, dict[str, Any]]) -> None:
    state, known = golden
    db = Database.open(sqlite_url(state / "sortition.db"), create=False)
    subjects = Subjects(db, changed=lambda: None, now=lambda: datetime.now(timezone.utc))
    versions, _ = subjects.versions("default", AGENT, limit=100)
    assert {version.number: version.config for version in versions} == dict(enumerate(known["versions"], start=1))
    current = subjects.get("default", AGENT).current
    assert current is not None
    assert current.number == known["current"]
    with db.read() as tx:
        events, _ = audit.listing(tx, limit=100, after=None)
    assert [[event.action, event.object] for event in reversed(events)] == known["acts"]
    db.close()


def test_its_analysis_is_what_the_outcomes_say(golden: tuple[Path, dict[str, Any]]) -> None:
    state, known = golden
    db = Database.open(sqlite_url(state / "sortition.db"), create=False)
    now = datetime(2026, 3, 2, 12, tzinfo=timezone.utc) + timedelta(hours=1)
    lifecycle = Experiments(db, flush=lambda: None, changed=lambda: None, now=lambda: now)
    analysis = lifecycle.analyze("default", "prompts")
    assert {variant.name: variant.units for variant in analysis.variants} == known["experiments"]["prompts"]["units"]
    of = {(each.metric, each.variant): each for each in analysis.metrics}
    for metric in ("passed", "tokens", "time"):
        for variant in ("old", "new"):
            days = [cell for cell in known["cells"] if (cell["metric"], cell["variant"]) == (metric, variant)]
            n, sum_of = (sum(cell[part] for cell in days) for part in ("n", "sum"))
            assert of[metric, variant].n == n
            assert of[metric, variant].mean == pytest.approx(sum_of / n, rel=1e-12)
    assert analysis.winner == known["experiments"]["prompts"]["winner"]
    db.close()


def test_a_sidecar_goes_on_with_it(golden: tuple[Path, dict[str, Any]]) -> None:
    state, known = golden
    with running(state) as service, connected(service.address) as stubs:
        for key, about in known["experiments"].items():
            answer = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=key), timeout=TIMEOUT_S)
            assert {variant.name: variant.units for variant in answer.variants} == about["units"]
        # What was in the log alone when that sidecar was killed.
        for key, units in known.get("left", {}).items():
            answer = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=key), timeout=TIMEOUT_S)
            assert {variant.name: variant.units for variant in answer.variants} == units
            assert {(each.variant, each.metric): each.n for each in answer.metrics} == {
                (variant, metric): n for variant, n in units.items() for metric in ("passed", "tokens", "time")
            }
        assigned = stubs.assignment.Assign(assignment_pb2.AssignRequest(subject=SUBJECT, unit="u"), timeout=TIMEOUT_S)
        assert b'"short"' in assigned.config
        resumed = stubs.admin.ResumeExperiment(
            admin_pb2.ChangeExperimentRequest(key="ranking", actor=admin_pb2.Actor(name="ada", reason="to see")),
            timeout=TIMEOUT_S,
        )
        assert resumed.id == known["experiments"]["ranking"]["id"]
