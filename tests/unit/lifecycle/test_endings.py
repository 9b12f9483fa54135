"""How experiments end, by every way there is; told by what was stored then, whatever is recorded later."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from sortition.errors import DataLoss
from sortition.lifecycle import Automatic, Ending, EndingKind, Report
from sortition.model import ExperimentStatus, SubjectRef
from unit.lifecycle.world import World

KEY = "search-strategy"
BETTER, WORSE, EVEN = {"old": 0.3, "new": 0.9}, {"old": 0.9, "new": 0.3}, {"old": 0.5, "new": 0.5}
ALL = {"auto_promote": True, "auto_rollback": True, "expire": True}
OVER = (ExperimentStatus.COMPLETED, ExperimentStatus.CANCELLED)


def begin(world: World, rates: dict[str, float], **policy: Any) -> None:
    world.subjects.create("default", world.ref, {"strategy": "one"}, world.ann)
    world.standing(ExperimentStatus.RUNNING, decision={"min_samples": 100, **policy})
    world.run(rates)


def act(world: World) -> None:
    Automatic(world.db, flush=world._flush, changed=world._changed, now=lambda: world.now).run()


def ended(world: World) -> Report:
    reports, token = world.experiments.statuses(statuses=OVER, limit=10)
    assert (len(reports), token) == (1, "")
    assert world.experiments.status("default", KEY).ending == reports[0].ending
    assert world.experiments.full_report("default", KEY).report.ending == reports[0].ending
    return reports[0]


def ending(world: World) -> Ending:
    found = ended(world).ending
    assert found is not None
    return found


def test_shipped_by_hand_taken_back_and_shipped_again(world: World) -> None:
    begin(world, BETTER)
    done = world.experiments.complete("default", KEY, world.ann, ship=True)
    shipped = Ending(EndingKind.SHIPPED, variant="new", decision_id=done.decision_id)
    assert ending(world) == shipped
    world.subjects.rollback("default", world.ref, world.ann)
    found = ending(world)
    assert (found.kind, found.taken_back, found.variant, found.automatic) == (
        EndingKind.ROLLED_BACK,
        True,
        "new",
        False,
    )
    world.subjects.promote("default", world.ref, 2, world.ann)
    assert ending(world) == shipped


def test_a_later_promotion_that_is_rolled_back_takes_nothing_back(world: World) -> None:
    begin(world, BETTER)
    world.experiments.complete("default", KEY, world.ann, ship=True)
    world.subjects.add_version("default", world.ref, {"other": 1}, world.ann, promote=True)
    world.subjects.rollback("default", world.ref, world.ann)
    assert ending(world).kind is EndingKind.SHIPPED
    # The rollback led to the shipped version again; it did not ship it again.
    world.subjects.rollback("default", world.ref, world.ann)
    assert ending(world).kind is EndingKind.ROLLED_BACK


def test_forced(world: World) -> None:
    begin(world, EVEN)
    world.experiments.complete("default", KEY, world.ann, ship=True, variant="new", force=True)
    found = ending(world)
    assert (found.kind, found.variant, found.forced) == (EndingKind.SHIPPED, "new", True)


def test_the_control_is_no_gain(world: World) -> None:
    begin(world, EVEN)
    world.experiments.complete("default", KEY, world.ann, ship=True, variant="old", force=True)
    assert ending(world).kind is EndingKind.NOT_SHIPPED


def test_nothing_shipped(world: World) -> None:
    begin(world, BETTER)
    world.experiments.complete("default", KEY, world.ann)
    assert (ending(world).kind, ending(world).variant) == (EndingKind.NOT_SHIPPED, "")


def test_promoted_by_itself(world: World) -> None:
    begin(world, BETTER, **ALL)
    act(world)
    found = ending(world)
    assert (found.kind, found.automatic, found.variant) == (EndingKind.SHIPPED, True, "new")
    assert found.reasons[0].startswith("Ship new")


def test_rolled_back_by_itself(world: World) -> None:
    begin(world, WORSE, **ALL)
    act(world)
    found = ending(world)
    assert (found.kind, found.automatic, found.taken_back) == (EndingKind.ROLLED_BACK, True, False)
    assert "limit 10 %" in found.reasons[0]


def test_expired_by_itself(world: World) -> None:
    begin(world, EVEN, max_days=3, **ALL)
    world.pass_time(days=4)
    act(world)
    assert (ending(world).kind, ending(world).automatic) == (EndingKind.EXPIRED, True)


def test_cancelled(world: World) -> None:
    begin(world, EVEN)
    world.experiments.cancel("default", KEY, world.ann)
    assert ending(world) == Ending(EndingKind.CANCELLED)


def test_what_runs_has_not_ended(world: World) -> None:
    begin(world, EVEN)
    reports, _ = world.experiments.statuses(limit=10)
    assert [each.ending for each in reports] == [None]


def test_a_final_result_is_not_computed_again(world: World) -> None:
    begin(world, BETTER)
    done = world.experiments.complete("default", KEY, world.ann, ship=True)
    before = done.analysis
    assert ended(world).analysis == before
    with world.db.write() as tx:
        tx.exec_driver_sql("DELETE FROM cells")
    assert ended(world).analysis == before


def test_a_decision_that_is_gone_is_told(world: World) -> None:
    begin(world, BETTER)
    world.experiments.complete("default", KEY, world.ann)
    with world.db.write() as tx:
        tx.exec_driver_sql("DELETE FROM decisions")
    with pytest.raises(DataLoss, match="its decision is gone"):
        world.experiments.statuses(statuses=OVER, limit=10)
    with pytest.raises(DataLoss, match="its decision is gone"):
        world.experiments.summarize()


def test_a_page_takes_as_few_queries_as_one_experiment(world: World) -> None:
    def complete(number: int) -> None:
        key, ref = f"e{number}", SubjectRef(kind="agent", id=f"a{number}")
        world.standing(ExperimentStatus.RUNNING, key=key, subject=ref)
        world.run(BETTER, 120, key)
        world.experiments.complete("default", key, world.ann, ship=True)

    def queries() -> int:
        seen: list[str] = []
        with world.db.read() as tx:
            engine = tx.engine

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        try:
            world.experiments.statuses(statuses=OVER, limit=100)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        assert not [each for each in seen if "inputs" in each], "what weighs most is not read"
        return len([each for each in seen if each.startswith("SELECT")])

    complete(0)
    first = queries()
    for number in range(1, 6):
        complete(number)
    assert queries() == first
