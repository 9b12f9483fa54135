"""The kill switch: one sidecar pauses what it sees do harm, without the database, and tells of it later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sortition.core import Engine
from sortition.lifecycle import Automatic, KillSwitch
from sortition.lifecycle.replay import replay
from sortition.model import ExperimentStatus
from sortition.rpc.v1 import assignment_pb2
from sortition.state.snapshot import load_local
from sortition.store import decisions
from unit.lifecycle.world import World

KEY = "search-strategy"
WORSE = {"old": 0.9, "new": 0.3}
EVEN = {"old": 0.5, "new": 0.5}
PAUSED = assignment_pb2.REASON_PAUSED


def begin(world: World, **policy: Any) -> None:
    world.keeper.refresh()
    world.standing(ExperimentStatus.RUNNING, decision={"min_samples": 100, "auto_rollback": True, **policy})


def make(world: World, tmp_path: Path, engine: Engine | None = None) -> KillSwitch:
    return KillSwitch(
        engine or world.engine,
        snapshot=tmp_path / "snapshot.pb",
        kept=tmp_path / "held",
        now=lambda: world.now,
    )


def attach(world: World, switch: KillSwitch) -> None:
    automatic = Automatic(world.db, flush=world._flush, changed=world._changed, now=lambda: world.now)
    switch.attach(world.db, automatic, lambda: "test")


def answers(engine: Engine) -> set[tuple[str | None, int, bool]]:
    found = [engine.assign_unit(KEY, f"later-{number}") for number in range(60)]
    return {(one.variant, one.reason, one.exposed) for one in found}


def status(world: World) -> ExperimentStatus:
    return world.experiments.get("default", KEY).status


def test_harm_in_the_open_batch_alone_pauses_it_here(world: World, tmp_path: Path) -> None:
    begin(world)
    switch = make(world, tmp_path)
    switch.look()
    world.run(WORSE)
    switch.look()
    assert answers(world.engine) == {("old", PAUSED, False)}
    assert list(switch.held) == [KEY]
    assert status(world) is ExperimentStatus.RUNNING, "the database knows nothing yet"


@pytest.mark.parametrize(("rates", "policy"), [(EVEN, {}), (WORSE, {"auto_rollback": False})])
def test_without_harm_or_without_leave_it_goes_on(
    world: World, tmp_path: Path, rates: dict[str, float], policy: dict[str, bool]
) -> None:
    begin(world, **policy)
    switch = make(world, tmp_path)
    world.run(rates)
    switch.look()
    assert {variant for variant, *_ in answers(world.engine)} == {"old", "new"}


def test_it_survives_the_process(world: World, tmp_path: Path) -> None:
    begin(world)
    world.run(WORSE)
    make(world, tmp_path).look()
    again = Engine(unit_key=world.db.installation_key)
    make(world, tmp_path, again)
    assert load_local(again, tmp_path / "snapshot.pb")
    assert answers(again) == {("old", PAUSED, False)}


def test_it_is_reported_once_and_kept_until_everybody_answers_so(world: World, tmp_path: Path) -> None:
    begin(world)
    switch = make(world, tmp_path)
    world.run(WORSE)
    switch.look()
    attach(world, switch)
    switch.report()
    assert status(world) is ExperimentStatus.PAUSED
    assert list(switch.held) == [KEY], "the snapshot may still say otherwise"
    switch.look()
    assert not switch.held
    assert answers(world.engine) == {("old", PAUSED, False)}
    before = world.dump()
    switch.report()
    assert world.dump() == before
    (head,) = world.experiments.decisions("default", KEY)
    assert (head.kind, head.winner) == ("hold", "")
    with world.db.read() as tx:
        decision = decisions.get(tx, head.id)
    assert decision is not None
    assert not replay(decision).differences
    assert world.log()[-1] == ("sortition", "experiment.auto_hold", f"experiment/{KEY}")


def test_a_report_that_was_cut_off_behind_its_commit_changes_nothing_again(world: World, tmp_path: Path) -> None:
    begin(world)
    first = make(world, tmp_path)
    world.run(WORSE)
    first.look()
    unreported = (tmp_path / "held").read_bytes()
    attach(world, first)
    first.report()
    before = world.dump()
    (tmp_path / "held").write_bytes(unreported)
    second = make(world, tmp_path)
    attach(world, second)
    second.report()
    second.look()
    assert world.dump() == before
    assert not second.held


def test_what_others_saw_counts_and_nothing_counts_twice(world: World, tmp_path: Path) -> None:
    begin(world)
    switch = make(world, tmp_path)
    switch.look()
    attach(world, switch)
    record = world.experiments.get("default", KEY)

    def known() -> list[int]:
        data = switch.book.data(record, world.engine.pending([record.id]))
        return [sum(cell.n for cell in data.cells.values()), int(data.units.sum())]

    world.run_from(EVEN, 0, 30)
    assert known() == [30, 0]
    batch = world.engine.seal()
    assert batch is not None
    world.run_from(EVEN, 30, 40)
    assert known() == [40, 0]
    world._writer.apply(batch)
    switch.report()
    assert known() == [40, 30], "the batch is in the database, and the engine still has it"
    switch.book.committed(batch)
    assert known() == [40, 30]
    world.engine.commit(batch.number)
    assert known() == [40, 30]
    open_batch = world.engine.seal()
    assert open_batch is not None
    world._writer.apply(open_batch)
    switch.book.committed(open_batch)
    world.engine.commit(open_batch.number)
    assert known() == [40, 30], "the database was not read since, and the batch is in no engine any more"


def test_a_person_who_ends_it_ends_the_pause(world: World, tmp_path: Path) -> None:
    begin(world)
    switch = make(world, tmp_path)
    world.run(WORSE)
    switch.look()
    world.experiments.cancel("default", KEY, world.ann)
    attach(world, switch)
    switch.report()
    switch.look()
    assert not switch.held
    assert status(world) is ExperimentStatus.CANCELLED
    assert {head.kind for head in world.experiments.decisions("default", KEY)} == {"hold"}


def test_a_damaged_file_is_said_and_what_it_held_is_found_again(world: World, tmp_path: Path) -> None:
    begin(world)
    world.run(WORSE)
    (tmp_path / "held").write_text("{")
    switch = make(world, tmp_path)
    assert not switch.held
    switch.look()
    assert list(switch.held) == [KEY]
