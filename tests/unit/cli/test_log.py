"""``sortition log``: on logs that a real engine wrote, without a sidecar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Run
from engines import KEY, experiment, snapshot
from sortition.core import Engine
from sortition.rpc.v1 import recording_pb2

UNIT = "a unit that no log may name"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a log of three calls."""
    log = tmp_path / "log" / "0123456789abcdef"
    log.mkdir(parents=True)
    engine = Engine(unit_key=KEY, log_dir=log)
    engine.load_snapshot(snapshot(1, experiment()))
    for number in range(3):
        outcome = recording_pb2.Outcome(
            experiment="search", unit=UNIT, observations=[recording_pb2.Observation(metric="score", number=number)]
        )
        engine.record(recording_pb2.RecordRequest(outcome=outcome).SerializeToString())
    engine.close()
    return tmp_path


def segment(state: Path) -> Path:
    return next(path for path in sorted(state.glob("log/*/segment-*.log")) if path.stat().st_size > 100)


def damage(state: Path) -> bytes:
    """Changes one bit of the second call, and returns the segment as it is then."""
    path = segment(state)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    return bytes(content)


def test_inspect_shows_segments_and_no_unit(run: Run, state: Path) -> None:
    shown = run("log", "inspect", "--state-dir", state)
    assert shown.code == 0
    assert segment(state).name in shown.out
    assert "sound" in shown.out
    document = json.loads(run("log", "inspect", "--state-dir", state, "-o", "json").out)
    first = document["logs"][0]["segments"][0]
    assert (first["calls"], first["observations"], first["torn_bytes"]) == (3, 3, 0)
    assert UNIT.encode() not in segment(state).read_bytes()


def test_verify_tells_damage_by_its_exit_code(run: Run, state: Path) -> None:
    sound = run("log", "verify", "--state-dir", state)
    assert (sound.code, "sound" in sound.out) == (0, True)
    damage(state)
    damaged = run("log", "verify", "--state-dir", state)
    assert damaged.code == 1
    assert f"{segment(state).name}, byte" in damaged.err


def test_salvage_keeps_whole_records_and_a_copy(run: Run, state: Path) -> None:
    sound = segment(state).read_bytes()
    assert "nothing changed" in run("log", "salvage", "--state-dir", state).out
    assert segment(state).read_bytes() == sound
    damaged = damage(state)
    document = json.loads(run("log", "salvage", "--state-dir", state, "-o", "json").out)
    (saved,) = document["logs"]
    assert saved["lost_records"] == 1
    copies = [(segment(state).parent / name).read_bytes() for name in saved["copies"]]
    assert damaged in copies
    engine = Engine(unit_key=KEY, log_dir=segment(state).parent)
    engine.resume(0)
    batch = engine.seal()
    assert batch is not None
    assert sum(delta.cell.n for delta in batch.cells) == 2
    engine.close()


def test_salvage_refuses_a_log_in_use(run: Run, state: Path) -> None:
    engine = Engine(unit_key=KEY, log_dir=segment(state).parent)
    refused = run("log", "salvage", "--state-dir", state)
    assert refused.code == 4
    assert "in use" in refused.err
    engine.close()


def test_without_a_log_it_says_so(run: Run, tmp_path: Path) -> None:
    missing = run("log", "inspect", "--state-dir", tmp_path)
    assert missing.code == 3
    assert "no log in" in missing.err
