"""The round trip is exact here, and whatever is lost, doubled or bent on the way is found."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from engines import experiment, loaded_engine
from sortition.check import State, recording
from sortition.check.finding import Failed, run
from sortition.core import Cell
from sortition.rpc.v1 import recording_pb2
from sortition.rpc.v1.snapshot_pb2 import EXPERIMENT_STATUS_COMPLETED
from sortition.store import cells
from sortition.store.records import ExperimentData, ExperimentRecord


def states() -> dict[str, tuple[State, str]]:
    return {one.name: (one.state, one.detail) for one in run(recording.probes())}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_UNITS", 400)


def test_this_machine_records_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = states()
    assert {name: state for name, (state, _) in found.items()} == {
        "round trip": State.OK,
        "sums": State.OK,
        "analysis": State.OK,
    }, found
    assert "800 values of 400 units are stored, each once" in found["round trip"][1]
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def bent(change: Callable[[Cell], Cell]) -> Callable[..., ExperimentData]:
    real = cells.experiment_data

    def experiment_data(tx: Connection, record: ExperimentRecord) -> ExperimentData:
        data = real(tx, record)
        return replace(data, cells={**data.cells, (1, 0): change(data.cells[1, 0])})

    return experiment_data


def nudged(cell: Cell) -> Cell:
    parts = cell.parts()
    return Cell.from_parts(parts[0], parts[1] * (1 + 1e-11), *parts[2:])


def doubled(cell: Cell) -> Cell:
    return cell.merge(cell)


def without_some_groups(cell: Cell) -> Cell:
    parts = cell.parts()
    emptied = 16 * 16
    return Cell.from_parts(*parts[:8], bytes(emptied) + parts[8][emptied:], parts[9])


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (nudged, "sums", "score of new: the mean is"),
        (doubled, "round trip", "800 values were acknowledged, "),
        (without_some_groups, "sums", "the sums over groups of units are not those"),
    ],
)
def test_what_is_bent_in_the_store_is_found(
    change: Callable[[Cell], Cell], name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "experiment_data", bent(change))
    state, detail = states()[name]
    assert state is State.FAILED
    assert said in detail


def test_a_duplicate_that_counts_is_found() -> None:
    engine = loaded_engine()
    request = recording_pb2.RecordRequest(outcome=recording_pb2.Outcome(experiment="search", unit="a"))
    request.outcome.observations.add(metric="score", number=1.0)
    request.outcome.observations.add(metric="success", flag=True)
    recording._record(engine, request)
    # Without a delivery every arrival counts, as it would for a sidecar without a memory.
    with pytest.raises(Failed, match="a call that came again was counted again"):
        recording._record(engine, request, again=True)


def test_a_call_that_does_not_count_is_found() -> None:
    engine = loaded_engine(experiment(status=EXPERIMENT_STATUS_COMPLETED))
    request = recording_pb2.RecordRequest(outcome=recording_pb2.Outcome(experiment="search", unit="a"))
    request.outcome.observations.add(metric="score", number=1.0)
    with pytest.raises(Failed, match="a call was not counted"):
        recording._record(engine, request)
