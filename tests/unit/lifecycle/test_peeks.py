"""Peeks: whenever results are shown while an experiment runs, that is counted; planned looks are none."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from sortition.errors import StoreUnavailable
from sortition.lifecycle import Automatic
from sortition.lifecycle.peeks import Peeks
from sortition.model import ExperimentStatus
from sortition.store import Database
from sortition.store import peeks as rows
from sortition.store.records import ExperimentRecord, PeekRecord
from unit.lifecycle.world import START, World

KEY = "search-strategy"
EVEN = {"old": 0.5, "new": 0.5}
FIXED: dict[str, Any] = {"policy": "fixed_horizon", "min_samples": 100}
PLANNED: dict[str, Any] = {"policy": "group_sequential", "min_samples": 100, "looks": [100, 300]}


def counted(world: World) -> tuple[int, int]:
    found = world.experiments.registered("default", KEY).peeks
    return found.count, found.early


def stored(world: World) -> list[Any]:
    with world.db.read() as tx:
        return list(tx.execute(text("SELECT policy, day, count, early FROM peeks ORDER BY day")).all())


def test_every_way_to_see_results_is_counted_once(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    experiments = world.experiments
    experiments.analyze("default", KEY)
    assert counted(world) == (1, 0)
    experiments.status("default", KEY)
    experiments.statuses(limit=10)
    experiments.series("default", KEY)
    assert counted(world) == (4, 0)
    assert experiments.full_report("default", KEY).report.peeks == PeekRecord(
        5, 0, frozenset([(START.date() - START.date().replace(1970, 1, 1)).days]), START, START
    )
    # Nothing of this shows results.
    experiments.get("default", KEY)
    experiments.listing(limit=10)
    experiments.power("default", KEY)
    experiments.decisions("default", KEY)
    assert counted(world) == (5, 0)


@pytest.mark.parametrize(
    "status", [ExperimentStatus.DRAFT, ExperimentStatus.COMPLETED, ExperimentStatus.CANCELLED], ids=str
)
def test_what_does_not_run_cannot_be_peeked_at(world: World, status: ExperimentStatus) -> None:
    world.standing(status)
    world.experiments.analyze("default", KEY)
    world.experiments.full_report("default", KEY)
    assert counted(world) == (0, 0)


def test_what_comes_before_the_horizon_shows_interim_figures(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING, decision=FIXED)
    world.run_from(EVEN, 0, 60)
    world.experiments.analyze("default", KEY)
    world.experiments.series("default", KEY)
    assert counted(world) == (2, 2)
    world.run_from(EVEN, 60, 120)
    # The look that decides.
    assert not world.experiments.analyze("default", KEY).provisional
    assert counted(world) == (2, 2)
    world.experiments.status("default", KEY)
    assert counted(world) == (3, 2)


def test_planned_looks_are_no_peeks_and_those_between_them_are(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING, decision=PLANNED)
    last = 0
    for units, expected in ((50, (1, 1)), (110, (1, 1)), (200, (2, 2)), (310, (2, 2))):
        world.run_from(EVEN, last, units)
        last = units
        world.experiments.analyze("default", KEY)
        assert counted(world) == expected, units


def test_automatic_mode_does_not_peek(world: World) -> None:
    record = world.standing(ExperimentStatus.RUNNING, decision={**FIXED, "auto_promote": True})
    world.run_from(EVEN, 0, 60)
    Automatic(world.db, flush=world._flush, changed=world._changed, now=lambda: world.now).step(record)
    assert counted(world) == (0, 0)


def test_a_day_is_one_row_however_often_somebody_looks(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    for _ in range(3):
        for _ in range(4):
            world.experiments.analyze("default", KEY)
            world.pass_time(hours=1)
        world.experiments.peeks.write()
        world.pass_time(hours=20)
    assert [tuple(row)[0::2] for row in stored(world)] == [("sequential", 4)] * 3
    found = world.experiments.registered("default", KEY).peeks
    assert (found.count, len(found.days), found.first_at) == (12, 3, START)
    assert found.last_at == START + timedelta(hours=51)


def test_sidecars_add_up(world: World) -> None:
    record = world.standing(ExperimentStatus.RUNNING)
    count = 20

    def sidecar(number: int) -> None:
        db = Database.open(world.url)
        peeks = Peeks(db, now=lambda: START + timedelta(minutes=number))
        for _ in range(count):
            peeks.count(record, early=number % 2 == 0)
            peeks.write()
        db.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(sidecar, range(4)))
    assert stored(world) == [("sequential", 20513, 4 * count, 2 * count)]
    found = world.experiments.registered("default", KEY).peeks
    assert (found.first_at, found.last_at) == (START, START + timedelta(minutes=3))


def test_each_peek_shows_once_whatever_is_written_meanwhile(world: World) -> None:
    record = world.standing(ExperimentStatus.RUNNING)
    peeks, over = Peeks(world.db, now=lambda: START), threading.Event()

    def write() -> None:
        while not over.is_set():
            peeks.write()

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        shown = []
        for _ in range(200):
            peeks.count(record, early=False)
            shown += [peeks.of(record).count for _ in range(3)]
        over.set()
        writing.result(10)
    assert shown == [number for number in range(1, 201) for _ in range(3)]


def test_what_cannot_be_written_is_kept_and_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.standing(ExperimentStatus.RUNNING)
    world.experiments.analyze("default", KEY)

    def away(*_: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "add", away)
        with pytest.raises(StoreUnavailable):
            world.experiments.peeks.write()
    assert (stored(world), counted(world)) == ([], (1, 0))
    world.experiments.analyze("default", KEY)
    world.experiments.peeks.write()
    assert [row[2] for row in stored(world)] == [2]
    assert counted(world) == (2, 0)


def test_counting_waits_for_no_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a write hangs, others look and are counted, and nothing is counted twice or lost."""
    record = world.standing(ExperimentStatus.RUNNING)
    peeks, add = world.experiments.peeks, rows.add
    seen: list[int] = []

    def meanwhile(tx: Any, kind: str, found: Any) -> None:
        peeks.count(record, early=False)
        seen.append(total(world, record))
        add(tx, kind, found)

    peeks.count(record, early=False)
    monkeypatch.setattr(rows, "add", meanwhile)
    peeks.write()
    monkeypatch.undo()
    assert seen == [2]
    assert total(world, record) == 2
    peeks.write()
    assert [row[2] for row in stored(world)] == [2]


def total(world: World, record: ExperimentRecord) -> int:
    return world.experiments.peeks.of(record).count


def test_what_waits_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortition.lifecycle.peeks._MAX_WAITING", 2)
    world.standing(ExperimentStatus.RUNNING)
    for _ in range(4):
        world.experiments.analyze("default", KEY)
        world.pass_time(days=1)
    world.experiments.analyze("default", KEY)
    assert counted(world) == (2, 0)
