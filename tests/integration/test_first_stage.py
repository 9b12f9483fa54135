"""The first stage of a start: agents are answered before the database is opened, and never as it would not answer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from lanes import to_lane
from secure import bearer, make_tokens
from sidecar_processes import process
from sidecars import (
    ACTOR,
    KEY,
    TIMEOUT_S,
    Stubs,
    assign,
    connected,
    locked,
    outcome,
    record,
    run_units,
    running,
    start_experiment,
)
from sortition import Client, locations
from sortition.errors import FailedPrecondition
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2
from sortition.service.first import First
from sortition.service.sidecar import Service
from sortition.settings import Settings, load
from sortition.state import StateDirectory
from sortition.state.holds import write_holds
from waiting import wait_until

UNITS = [f"unit-{number}" for number in range(50)]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state directory of a sidecar that ran and was stopped; its experiment runs."""
    path = tmp_path / "state"
    with running(path) as service, connected(service.address) as stubs:
        start_experiment(stubs)
    return path


def settings(state: Path, **flags: Any) -> Settings:
    return load({"state_dir": state, "listen": "127.0.0.1:0", "drain_s": 5, **flags})


@contextmanager
def begun(state: Path, **flags: Any) -> Iterator[First]:
    """The first stage alone."""
    first = First.open(settings(state, **flags))
    assert first is not None
    try:
        yield first
    finally:
        first.lane.stop(0)
        first.engine.close()
        first.state.close()


@contextmanager
def continued(first: First, state: Path, **flags: Any) -> Iterator[Service]:
    """The whole sidecar behind a first stage."""
    service = Service(settings(state, **flags), first=first)
    service.start()
    try:
        yield service
    finally:
        service.stop()


def variants(stubs: Stubs) -> dict[str, str]:
    return {unit: assign(stubs, unit).variant for unit in UNITS}


def counted(stubs: Stubs) -> tuple[int, int]:
    """Returns how many units were exposed, and how many values were recorded."""
    found = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY), timeout=TIMEOUT_S)
    return sum(each.units for each in found.variants), sum(each.n for each in found.metrics)


def test_it_answers_as_before_and_what_it_takes_is_counted_once(state: Path) -> None:
    with running(state) as service, connected(service.address) as stubs:
        before = variants(stubs)
    first = First.open(settings(state))
    assert first is not None
    assert locations.lane_file(state).read_text().strip() == first.lane.address
    assert not locations.endpoint_file(state).exists(), "there is no server yet"
    with to_lane(first.lane.address) as native:
        assert variants(native) == before
        record(native, *(outcome(unit, before[unit], 1.5) for unit in UNITS))
    with continued(first, state) as service, connected(service.address) as stubs:
        assert service.lane == first.lane.address, "connections stay"
        with to_lane(service.lane) as native:
            assert variants(native) == before == variants(stubs)
        assert counted(stubs) == (len(UNITS), 2 * len(UNITS))


def test_what_it_took_outlives_a_start_that_fails(state: Path, tmp_path: Path) -> None:
    first = First.open(settings(state))
    assert first is not None
    with to_lane(first.lane.address) as native:
        known = variants(native)
        record(native, *(outcome(unit, known[unit], 1.5) for unit in UNITS))
    rules = tmp_path / "rules.toml"
    rules.write_text("nonsense = 1\n")
    with pytest.raises(Exception, match="alert_rules"):
        Service(settings(state, alert_rules=rules), first=first).start()
    assert not locations.lane_file(state).exists()
    with running(state) as service, connected(service.address) as stubs:
        assert counted(stubs) == (len(UNITS), 2 * len(UNITS))


def test_a_database_that_is_away_keeps_nobody_waiting(state: Path) -> None:
    with locked(state / "sortition.db", wholly=True), begun(state) as first, to_lane(first.lane.address) as native:
        assert assign(native, "u").variant in ("slow", "fast")


def empty(state: Path) -> None:
    shutil.rmtree(state)


def without(name: str) -> Callable[[Path], None]:
    return lambda state: (state / name).unlink()


def damaged(name: str) -> Callable[[Path], None]:
    def change(state: Path) -> None:
        (state / name).write_bytes((state / name).read_bytes()[:-9] + b"otherwise")

    return change


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        (empty, {}),
        (without("snapshot"), {}),
        (without("installation.key"), {}),
        (without("database"), {}),
        (damaged("snapshot"), {}),
        (damaged("installation.key"), {}),
        (lambda state: None, {"lane": "off"}),
        (lambda state: None, {"database_url": "postgresql://127.0.0.1:1/other"}),
        (lambda state: None, {"lane": "127.0.0.1:1", "listen": "127.0.0.1:0"}),
    ],
    ids=["never-ran", "no-snapshot", "no-key", "no-address", "bad-snapshot", "other-key", "no-lane", "other", "denied"],
)
def test_without_what_it_needs_the_whole_start_comes_first(
    state: Path, change: Callable[[Path], None], flags: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    if flags.get("lane") == "127.0.0.1:1":
        request.getfixturevalue("nobody")
    change(state)
    assert First.open(settings(state, **flags)) is None
    assert not locations.lane_file(state).exists()
    # And it keeps nothing: another one can start.
    if state.exists():
        StateDirectory(state).close()


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no lane be opened, as where its port is taken."""

    def refuse(*_: object, **__: object) -> None:
        raise FailedPrecondition("in use")

    monkeypatch.setattr("sortition.service.lane.Lane", refuse)


def test_a_directory_in_use_is_left_alone(state: Path) -> None:
    with running(state) as service, connected(service.address) as stubs:
        assert First.open(settings(state)) is None
        assert locations.endpoint_file(state).read_text().strip() == service.address
        with to_lane(service.lane) as native:
            assert variants(native) == variants(stubs)


@pytest.mark.parametrize("changes", [0, 3], ids=["empty", "further"])
def test_another_database_at_the_same_place_is_believed(state: Path, tmp_path: Path, changes: int) -> None:
    with running(tmp_path / "other") as service, connected(service.address) as stubs:
        for number in range(changes):
            start_experiment(stubs, f"other-{number}", subject={"kind": "agent", "id": f"other-{number}"})
    first = First.open(settings(state))
    assert first is not None
    with to_lane(first.lane.address) as native:
        known = variants(native)
        record(native, *(outcome(unit, known[unit], 1.5) for unit in UNITS))
    (kept,) = (state / "log").iterdir()
    for name in ("sortition.db", "sortition.db-wal", "sortition.db-shm"):
        (state / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "other" / "sortition.db", state)
    with continued(first, state) as service, connected(service.address) as stubs, to_lane(service.lane) as native:
        for asked in (stubs, native):
            with pytest.raises(grpc.RpcError) as refused:
                assign(asked, "u")
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        start_experiment(stubs)
        wait_until(lambda: answers(native))
    # What was told meanwhile is about the other one's experiments, and stays in that one's log.
    assert len(list((state / "log").iterdir())) == 2
    assert any(each.stat().st_size for each in kept.iterdir())
    with begun(state) as first:
        assert first.engine.ready, "from now on it is this one"


def answers(stubs: Stubs, unit: str = "u") -> bool:
    try:
        return bool(assign(stubs, unit).variant)
    except grpc.RpcError:
        return False


def test_an_older_copy_of_the_database_is_believed(state: Path) -> None:
    database, copy = state / "sortition.db", state / "copy"
    shutil.copy(database, copy)
    with running(state) as service, connected(service.address) as stubs:
        request = admin_pb2.ChangeExperimentRequest(key=KEY, actor=ACTOR)
        stubs.admin.PauseExperiment(request, timeout=TIMEOUT_S)
    os.replace(copy, database)
    first = First.open(settings(state))
    assert first is not None
    with to_lane(first.lane.address) as native:
        assert {assign(native, unit).variant for unit in UNITS} == {"slow"}, "paused, as was kept"
    version = first.engine.snapshot_version
    with continued(first, state) as service, connected(service.address) as stubs, to_lane(service.lane) as native:
        info = stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest(), timeout=TIMEOUT_S)
        assert info.snapshot_version < version
        assert set(variants(native).values()) == {"slow", "fast"}


def test_what_this_sidecar_has_paused_is_paused_from_the_first_answer(state: Path) -> None:
    with running(state) as service, connected(service.address) as stubs:
        found = stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key=KEY), timeout=TIMEOUT_S)
    write_holds(state / "held", [{"experiment_id": found.id}])
    with begun(state) as first, to_lane(first.lane.address) as native:
        assert set(variants(native).values()) == {"slow"}
        answer = native.assignment.Assign(assignment_pb2.AssignRequest(experiment=KEY, unit="u"), timeout=TIMEOUT_S)
        assert not answer.exposed


def test_units_that_were_exposed_before_weights_changed_stay_from_the_first_answer(state: Path) -> None:
    with running(state, announce_s=0, flush_interval_s=0.05) as service, connected(service.address) as stubs:
        before = variants(stubs)
        request = admin_pb2.ReweightExperimentRequest(key=KEY, weights={"slow": "1", "fast": "99"}, actor=ACTOR)
        stubs.admin.ReweightExperiment(request, timeout=TIMEOUT_S)
        wait_until(lambda: [assign(stubs, f"new-{n}").variant for n in range(20)].count("fast") > 15, within_s=20)
    with begun(state) as first, to_lane(first.lane.address) as native:
        assert variants(native) == before
        assert [assign(native, f"later-{n}").variant for n in range(40)].count("fast") > 30


def test_tokens_are_asked_for_from_the_first_call(state: Path) -> None:
    tokens = make_tokens(state)
    with begun(state) as first, to_lane(first.lane.address) as native:
        request = assignment_pb2.AssignRequest(experiment=KEY, unit="u")
        with pytest.raises(grpc.RpcError) as refused:
            native.assignment.Assign(request, timeout=TIMEOUT_S)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        metadata = bearer(tokens.agent)
        assert native.assignment.Assign(request, timeout=TIMEOUT_S, metadata=metadata).variant


def test_a_client_takes_the_lane_before_there_is_a_server(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORTITION_STATE_DIR", str(state))
    monkeypatch.delenv("SORTITION_TARGET", raising=False)
    with begun(state):
        with Client(timeout_s=TIMEOUT_S, on_error="raise") as client:
            assert client.assign(experiment=KEY, unit="u").variant in ("slow", "fast")
        # Whoever names a sidecar means that one.
        with Client("127.0.0.1:1", timeout_s=1) as client:
            assert client.assign(experiment=KEY, unit="u").error is not None


def test_a_signal_during_the_start_drains_what_was_taken(state: Path) -> None:
    with process(state) as sidecar:
        lane = locations.lane_file(state)
        wait_until(lambda: lane.exists() and bool(lane.read_text().strip()), within_s=30)
        with to_lane(lane.read_text().strip()) as native:
            known = {unit: assign(native, unit).variant for unit in UNITS}
            record(native, *(outcome(unit, known[unit], 1.5) for unit in UNITS))
        sidecar.send(signal.SIGTERM)
        code, written = sidecar.end()
    assert (code, "stopped" in written) == (0, True), written
    with running(state) as service, connected(service.address) as stubs:
        assert counted(stubs) == (len(UNITS), 2 * len(UNITS))


def test_a_sidecar_that_is_killed_in_its_first_stage_has_lost_nothing(state: Path) -> None:
    units: dict[str, str] = {}
    lane = locations.lane_file(state)
    for number in range(3):
        with process(state) as sidecar:
            wait_until(lambda: not locations.endpoint_file(state).exists() and lane.exists(), within_s=30)
            with to_lane(lane.read_text().strip()) as native:
                wait_until(partial(answers, native, "unit-0-0"), within_s=30)
                fresh = {f"unit-{number}-{n}": "" for n in range(20)}
                units |= {unit: assign(native, unit).variant for unit in fresh}
                record(native, *(outcome(unit, units[unit], 1.5) for unit in fresh))
            sidecar.kill()
        lane.unlink(missing_ok=True)
    with running(state) as service, connected(service.address) as stubs:
        assert counted(stubs) == (len(units), 2 * len(units))
    assert len(units) == 60


# Each takes from a twentieth to a third of the time in which a sidecar has to answer.
SLOW = {"scipy", "numpy", "sqlalchemy", "alembic", "grpc", "structlog", "rich", "ruamel", "google.protobuf"}


def test_it_waits_for_nothing_slow(state: Path) -> None:
    code = (
        "import sys\n"
        "from sortition import cli, service\n"
        "from sortition.cli.serve import alone\n"
        "from sortition.service.first import First\n"
        "from sortition.settings import load\n"
        f"first = First.open(load({{'state_dir': {str(state)!r}, 'listen': '127.0.0.1:0'}}))\n"
        "print(first.engine.ready, *sys.modules)\n"
        "first.lane.stop(0); first.engine.close(); first.state.close()\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    ready, *modules = said.split()
    assert ready == "True"
    assert not set(modules) & SLOW


def test_a_first_start_and_the_next_ones_count_alike(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with process(state) as sidecar, connected(sidecar.address()) as stubs:
        start_experiment(stubs)
        run_units(stubs, 30)
        sidecar.send(signal.SIGTERM)
        assert sidecar.end()[0] == 0
    with process(state) as sidecar, connected(sidecar.address()) as stubs:
        # Exposed before: nobody twice.
        run_units(stubs, 30)
        assert counted(stubs) == (30, 120)
