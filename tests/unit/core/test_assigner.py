"""Assigning without a frame of Python in between, by whichever engine is there."""

from __future__ import annotations

import gc
import weakref

import pytest

from engines import experiment, snapshot
from sortition.core import Assigner, Assignment, Engine
from sortition.errors import InvalidArgument, NotFound, NotReady

UNITS = [f"unit-{number}" for number in range(50)]


def nobody(experiment: str, unit: str, expose: bool) -> Assignment:
    raise NotReady(f"{experiment} {unit} {expose}")


def forwarding() -> Engine:
    engine = Engine.forwarding()
    engine.load_snapshot(snapshot(1, experiment()))
    return engine


def test_it_answers_as_its_engine_does() -> None:
    engine, assigner = forwarding(), Assigner("default", nobody, exposes=True)
    assigner.aim(engine)
    for unit in UNITS:
        made, same = assigner.assign_unit("search", unit), engine.assign_unit("search", unit)
        assert isinstance(made, Assignment)
        for name in ("experiment", "variant", "config", "config_hash", "reason", "bucket", "exposed"):
            assert getattr(made, name) == getattr(same, name)
    assert engine.counters()["exposures"] == len(UNITS)


def test_what_does_not_depend_on_the_unit_is_made_once() -> None:
    engine = forwarding()
    made = [engine.assign_unit("search", unit) for unit in UNITS]
    variants = {answer.variant for answer in made}
    assert len(variants) == 2
    assert len({id(answer.variant) for answer in made}) == len({id(answer.config) for answer in made}) == 2


def test_a_new_snapshot_is_answered_anew() -> None:
    engine = forwarding()
    before = engine.assign_unit("search", "u")
    changed = experiment()
    for variant in changed.variants:
        variant.config = b'{"changed": true}'
    engine.load_snapshot(snapshot(2, changed))
    after = engine.assign_unit("search", "u")
    assert (after.variant, after.config) == (before.variant, b'{"changed": true}')
    assert before.config != after.config


def test_without_an_engine_somebody_else_answers() -> None:
    assigner = Assigner("default", nobody, exposes=True)
    kept = assigner.assign_unit
    with pytest.raises(NotReady, match="search u True"):
        kept("search", "u")
    assigner.aim(forwarding())
    assert kept("search", "u").exposed
    assigner.aim(None)
    with pytest.raises(NotReady, match="search u False"):
        kept("search", "u", expose=False)


@pytest.mark.parametrize(("exposes", "expose"), [(False, True), (True, False), (False, False)])
def test_nobody_is_exposed_unless_both_say_so(exposes: bool, expose: bool) -> None:
    engine, assigner = forwarding(), Assigner("default", nobody, exposes=exposes)
    assigner.aim(engine)
    assert not assigner.assign_unit("search", "u", expose=expose).exposed
    assert engine.counters()["exposures"] == 0


def test_the_organization_is_its_own() -> None:
    assigner = Assigner("elsewhere", nobody, exposes=True)
    assigner.aim(forwarding())
    with pytest.raises(NotFound, match="elsewhere"):
        assigner.assign_unit("search", "u")


def test_what_is_wrong_is_raised() -> None:
    assigner = Assigner("default", nobody, exposes=True)
    assigner.aim(forwarding())
    for unit in ("", "\ud800", "u" * 600):
        with pytest.raises(InvalidArgument):
            assigner.assign_unit("search", unit)
    with pytest.raises(TypeError):
        assigner.assign_unit("search", "u", True)  # type: ignore[misc]


def test_it_does_not_keep_its_owner() -> None:
    class Owner:
        def __init__(self) -> None:
            self.assigner = Assigner("default", self.answer, exposes=True)

        def answer(self, experiment: str, unit: str, expose: bool) -> Assignment:
            raise NotImplementedError

    owner = weakref.ref(Owner())
    gc.collect()
    assert owner() is None
