"""The harness sees what it claims to see: each way to be wrong is found, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from faults.mutants import MUTANTS, PATCHES, found_by, program
from faults.planted import BUGS
from faults.shim import Action, Kind, Shim
from faults.truth import Exposed, Observed, Truth
from sortition.core import Cell, exposure_hash
from sortition.store import BatchWriter, Database, sqlite_url
from store_samples import Delta, Seen, make_batch

EXPERIMENT = "id-default-search"
DAY = 20_513


def observed(unit: str, value: int, day: int | None = DAY) -> Observed:
    return Observed(EXPERIMENT, 0, 0, day, unit, value)


def cell(values: Sequence[tuple[str, int]]) -> Cell:
    made = Cell()
    for unit, value in values:
        made.add(EXPERIMENT, unit, value)
    return made


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(sqlite_url(tmp_path / "db"))


def written(database: Database, values: Sequence[tuple[str, int]], exposed: Sequence[str] = ("a",)) -> Database:
    seen = [Seen(exposure_hash(database.installation_key, EXPERIMENT, unit)) for unit in exposed]
    BatchWriter(database, "w").apply(make_batch(1, [Delta(cell(values), EXPERIMENT, day=DAY)], seen))
    return database


def the_truth(day: int | None = DAY) -> Truth:
    truth = Truth()
    truth.acknowledge([observed("a", 5, day), observed("b", 7, day)], [Exposed(EXPERIMENT, 0, "a")])
    return truth


@pytest.mark.parametrize("day", [DAY, None])
def test_the_truth_is_found_right(database: Database, day: int | None) -> None:
    verdict = the_truth(day).compare(written(database, [("b", 7), ("a", 5)]))
    assert verdict.right, str(verdict)
    assert (verdict.observations, verdict.exposures, verdict.cells) == (2, 1, 1)


@pytest.mark.parametrize(
    ("values", "exposed", "lost", "doubled"),
    [
        ([("a", 5)], ["a"], 1, 0),
        ([("a", 5), ("b", 7), ("b", 7)], ["a"], 0, 1),
        # As many as there should be, but not the same ones.
        ([("a", 5), ("a", 5)], ["a"], 0, 0),
        ([("a", 6), ("b", 6)], ["a"], 0, 0),
        ([("b", 5), ("a", 7)], ["a"], 0, 0),
        ([("a", 5), ("b", 7)], [], 1, 0),
        ([("a", 5), ("b", 7)], ["a", "b"], 0, 1),
        ([("a", 5), ("b", 7)], ["b"], 1, 1),
    ],
)
def test_every_difference_is_found(
    database: Database, values: list[tuple[str, int]], exposed: list[str], lost: int, doubled: int
) -> None:
    verdict = the_truth().compare(written(database, values, exposed))
    assert not verdict.right
    assert verdict.wrong
    assert (verdict.lost, verdict.doubled) == (lost, doubled)


def test_another_day_is_found_where_the_day_is_known(database: Database) -> None:
    stored = written(database, [("a", 5), ("b", 7)])
    other = the_truth(DAY + 1).compare(stored)
    assert (other.lost, other.doubled, other.right) == (2, 2, False)


def shimmed(shim: Shim, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**shim.environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


WRITER = """
import os, sys
file = os.open({path!r}, os.O_CREAT | os.O_WRONLY)
for _ in range(5):
    try:
        print(os.write(file, b"12345678"), flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
try:
    os.fsync(file)
except OSError as error:
    print(error.strerror, flush=True)
"""


# Prints the day that the engine counts an outcome on, and the day that Python sees.
ENGINE = """
import time
from engines import KEY, experiment, loaded_engine
engine = loaded_engine()
engine.assign_unit("search", "unit")
batch = engine.seal()
print(batch.exposures[0].day, int(time.time() // 86_400))
"""


@pytest.mark.parametrize(
    ("action", "kinds", "said", "left", "code"),
    [
        (Action.NOTHING, Kind.ANY, "8 8 8 8 8", 40, 0),
        (Action.KILL_BEFORE, Kind.WRITE, "8 8", 16, -9),
        (Action.KILL_AFTER, Kind.WRITE, "8 8", 24, -9),
        (Action.KILL_HALFWAY, Kind.WRITE, "8 8", 18, -9),
        (Action.NO_SPACE_HALFWAY, Kind.WRITE, "8 8 2 8 8", 34, 0),
        (Action.IO_ERROR, Kind.WRITE, "8 8 Input/output error 8 8", 32, 0),
        (Action.NO_SPACE, Kind.WRITE, "8 8 No space left on device 8 8", 32, 0),
        # The third operation of these kinds is the sync.
        (Action.IO_ERROR, Kind.SYNC | Kind.CREATE | Kind.RENAME, "8 8 8 8 8", 40, 0),
    ],
)
def test_the_shim_strikes_where_it_is_told_to(
    tmp_path: Path, action: Action, kinds: Kind, said: str, left: int, code: int
) -> None:
    shim = Shim(tmp_path / "control")
    target = tmp_path / "struck"
    shim.plan(action, "/struck", kinds, first=3, last=3, portion=0.25)
    done = shimmed(shim, WRITER.format(path=str(target)))
    assert (done.stdout.replace("\n", " ").strip(), done.returncode) == (said, code), done.stderr
    assert target.stat().st_size == left


def test_the_shim_leaves_other_files_alone(tmp_path: Path) -> None:
    shim = Shim(tmp_path / "control")
    shim.plan(Action.IO_ERROR, "/struck")
    done = shimmed(shim, WRITER.format(path=str(tmp_path / "spared")))
    assert done.stdout.split() == ["8"] * 5
    assert shim.seen == 0


def test_the_shim_moves_the_clock(tmp_path: Path) -> None:
    shim = Shim(tmp_path / "control")
    days = [shimmed(shim, ENGINE).stdout.split()]
    for ahead_days in (3, -2):
        shim.set_clock(ahead_days * 86_400.0)
        days.append(shimmed(shim, ENGINE).stdout.split())
    true, later, earlier = (int(day[0]) for day in days)
    # Midnight may pass meanwhile.
    assert later - true in (3, 4)
    assert earlier - true in (-2, -1)
    # Nobody else notices.
    assert max(int(day[1]) for day in days) - min(int(day[1]) for day in days) <= 1


# The others need more time or another build: `make mutants` plants every one.
@pytest.mark.parametrize("name", ["exposures-dropped", "cells-replaced", "no-last-flush"])
def test_a_planted_bug_is_found(name: str) -> None:
    with program(name) as planted:
        found, result = found_by(MUTANTS[name], planted)
    assert found, result


def test_every_planted_bug_is_there_and_looked_for() -> None:
    patches = {path.stem for path in PATCHES.glob("*.patch")}
    assert len(patches) >= 10
    assert BUGS.keys() | patches == MUTANTS.keys()
    assert not BUGS.keys() & patches
