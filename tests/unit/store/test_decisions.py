"""Decisions keep what they were based on, bit by bit."""

from __future__ import annotations

from sortition.store import Database, DecisionRecord, decisions
from store_samples import later, make_record, store


def make(id: str, seconds: float, experiment_id: str = "id-default-search") -> DecisionRecord:
    return DecisionRecord(
        id=id,
        experiment_id=experiment_id,
        at=later(seconds),
        kind="complete",
        winner="combined",
        should_ship=True,
        result={"p": 0.1 + 0.2, "nothing": None, "mean": 2.0},
        inputs={"units": [104, 101]},
    )


def test_a_decision_comes_back_as_it_was_stored(db: Database) -> None:
    store(db, make_record())
    with db.write() as tx:
        decisions.insert(tx, make("d1", 1))
    with db.read() as tx:
        found = decisions.get(tx, "d1")
        assert decisions.get(tx, "d2") is None
    assert found == make("d1", 1)
    assert repr(found.result) == repr(make("d1", 1).result)


def test_the_latest_of_an_experiment(db: Database) -> None:
    store(db, make_record())
    store(db, make_record("other"))
    with db.write() as tx:
        for decision in (make("z", 1), make("a", 3), make("b", 2), make("late", 9, "id-default-other")):
            decisions.insert(tx, decision)
    with db.read() as tx:
        assert decisions.latest(tx, "id-default-search") == make("a", 3)
        assert decisions.latest(tx, "nowhere") is None
