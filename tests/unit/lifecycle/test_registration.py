"""Registration: what is declared is frozen at the start with a hash, and every change behind its back is found."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from sortition.errors import FailedPrecondition, StoreUnavailable
from sortition.lifecycle import experiments as acts
from sortition.lifecycle.actor import Actor
from sortition.lifecycle.change import Change, Changes
from sortition.lifecycle.registration import ALGORITHM, record_deviation
from sortition.model import ExperimentStatus
from sortition.store import experiments as experiment_rows
from sortition.store.records import RegistrationRecord
from unit.lifecycle.world import START, World

KEY = "search-strategy"

FULL: dict[str, Any] = {
    "hypothesis": "All at once beats one by one.",
    "unit": "user",
    "metrics": [
        {"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"},
        {
            **{"name": "latency", "kind": "duration", "unit": "ms", "goal": "minimize", "role": "guardrail"},
            **{"margin": 0.02, "cap_max": 60_000, "quantiles": [0.5, 0.95]},
        },
    ],
    "variants": [
        {"name": "old", "weight": 33.33, "control": True, "config": {"strategy": "one"}},
        {"name": "new", "weight": "66.67", "config": {"strategy": "ä", "limits": {"workers": 2.0, "x": 1e-7}}},
    ],
    "decision": {"policy": "group_sequential", "looks": [200, 400], "min_samples": 100, "risk": "high"},
}


def registered(world: World, **replaced: Any) -> RegistrationRecord:
    found = world.standing(ExperimentStatus.RUNNING, **replaced).registration
    assert found is not None
    return found


def by_hand(value: object) -> str:
    """Writes canonical JSON as its description says, without the code that the project writes it with."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, list):
        return "[" + ",".join(by_hand(item) for item in value) + "]"
    assert isinstance(value, dict)
    return "{" + ",".join(f"{json.dumps(key)}:{by_hand(value[key])}" for key in sorted(value)) + "}"


def sha256(value: object) -> str:
    return hashlib.sha256(by_hand(value).encode("utf-8")).hexdigest()


def test_the_hash_is_what_anybody_computes_by_hand(world: World) -> None:
    world.subjects.create("default", world.ref, {"model": "small"}, world.ann)
    found = registered(world, **FULL)
    expected = {
        "format": "sortition-registration/1",
        "experiment": {"id": "default-1", "run": 1},
        "registered": {"at": "2026-03-01T12:00:00+00:00", "by": "ann"},
        "subject": {"version": 1, "config_sha256": hashlib.sha256(b'{"model":"small"}').hexdigest()},
        "declared": {
            "key": KEY,
            "organization": "default",
            "subject": {"kind": "agent", "id": "search-agent"},
            "hypothesis": "All at once beats one by one.",
            "unit": "user",
            "metrics": [
                {
                    **{"name": "found", "kind": "binary", "unit": "", "goal": "maximize", "role": "primary"},
                    **{"quantiles": [], "margin": None, "min": None, "max": None, "cap_min": None, "cap_max": None},
                    **{"covariate": "", "prior": None},
                },
                {
                    **{"name": "latency", "kind": "duration", "unit": "ms", "goal": "minimize", "role": "guardrail"},
                    **{"quantiles": [0.5, 0.95], "margin": 0.02, "min": None, "max": None, "cap_min": None},
                    **{"cap_max": 60000, "covariate": "", "prior": None},
                },
            ],
            "variants": [
                {"name": "old", "weight": "33.33", "control": True, "config_sha256": sha256({"strategy": "one"})},
                {
                    **{"name": "new", "weight": "66.67", "control": False},
                    "config_sha256": sha256({"strategy": "ä", "limits": {"workers": 2, "x": 1e-7}}),
                },
            ],
            "decision": {
                **{"min_samples": 100, "max_samples": None, "confidence": 0.95, "mde": 0.05, "power": 0.8},
                **{"max_days": 14, "policy": "group_sequential", "risk": "high", "looks": [200, 400]},
                **{"spending": "obrien_fleming", "spending_power": 3, "correction": "holm"},
                **{"auto_promote": False, "auto_rollback": False, "expire": False},
                **{"improvement_threshold": 0, "min_effect_size": 0, "max_regression": 0.1},
            },
            "external_assignment": False,
            "dimensions": [],
        },
        "derived": {
            "alpha": 0.01,
            "horizon": 400,
            "stopping_rule": "2 planned looks, at 200 and 400 users, share level 0.01 by O'Brien-Fleming spending;"
            " looks between them decide nothing. A treatment wins when it improves found by at least 5 % and"
            " significantly, no guardrail is broken and the split is as declared. It is time to stop after 14 days.",
        },
    }
    said = json.loads(found.document)
    # What other parts of a specification add is in the document as well.
    expected["declared"] = {**said["declared"], **expected["declared"]}  # type: ignore[dict-item]
    assert said == expected
    assert found.document == by_hand(expected)
    assert found.hash == sha256(expected)
    assert (found.algorithm, found.actor, found.reason, found.at) == (ALGORITHM, "ann", "because", START)


def test_a_registration_is_made_at_the_first_start_and_kept(world: World) -> None:
    assert world.create().registration is None
    first = world.experiments.start("default", KEY, world.ann).registration
    world.pass_time(hours=1)
    world.experiments.pause("default", KEY, world.ann)
    assert world.experiments.resume("default", KEY, world.ann).registration == first
    world.experiments.pause("default", KEY, world.ann)
    assert world.experiments.start("default", KEY, world.ann).registration == first
    assert world.experiments.complete("default", KEY, world.ann).experiment.registration == first
    assert world.experiments.registered("default", KEY).differences == ()


def test_what_an_older_version_started_is_not_registered_afterwards(world: World) -> None:
    world.standing(ExperimentStatus.PAUSED)
    tamper(world, "DELETE FROM registrations")
    assert world.experiments.resume("default", KEY, world.ann).registration is None
    assert "nothing is registered" in world.experiments.registered("default", KEY).differences[0]


@pytest.mark.parametrize("failing", ["register", "step", "commit"])
def test_a_start_that_is_cut_off_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    world.create()
    stored = world.dump()

    def cut(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    if failing == "register":
        monkeypatch.setattr(experiment_rows, "add_allocation", cut)
    elif failing == "step":
        monkeypatch.setattr(acts, "step", cut)
    else:
        begin = Changes.begin

        @contextmanager
        def until_commit(self: Changes, actor: Actor) -> Iterator[Change]:
            with begin(self, actor) as change:
                yield change
                cut()

        monkeypatch.setattr(Changes, "begin", until_commit)
    with pytest.raises(StoreUnavailable):
        world.experiments.start("default", KEY, world.ann)
    monkeypatch.undo()
    assert world.dump() == stored
    found = world.experiments.start("default", KEY, world.ann)
    assert found.registration is not None
    assert world.experiments.registered("default", KEY).differences == ()


CHANGES: list[tuple[dict[str, Any], dict[str, tuple[str, str]]]] = [
    ({"hypothesis": "No."}, {"hypothesis": ('"All at once beats one by one."', '"No."')}),
    (
        {"decision": {**FULL["decision"], "mde": 0.01, "looks": [200, 400, 600]}},
        {"decision.mde": ("0.05", "0.01"), "decision.looks[2]": ("nothing", "600")},
    ),
    (
        {"metrics": [FULL["metrics"][0], {**FULL["metrics"][1], "margin": 0.5, "cap_max": None}]},
        {"metrics[1].margin": ("0.02", "0.5"), "metrics[1].cap_max": ("60000", "null")},
    ),
    (
        {"variants": [FULL["variants"][0], {**FULL["variants"][1], "config": {}}]},
        {"variants[1].config": (sha256(FULL["variants"][1]["config"]), sha256({}))},
    ),
]


@pytest.mark.parametrize(("replaced", "expected"), CHANGES)
@pytest.mark.parametrize("status", [ExperimentStatus.RUNNING, ExperimentStatus.PAUSED, ExperimentStatus.COMPLETED])
def test_a_change_after_the_start_is_refused_and_every_field_is_named(
    world: World, replaced: dict[str, Any], expected: dict[str, tuple[str, str]], status: ExperimentStatus
) -> None:
    before = world.standing(status, **FULL)
    stored = world.dump()
    with pytest.raises(FailedPrecondition, match=f"sortition rerun {KEY}") as refused:
        world.experiments.update(world.spec(**{**FULL, **replaced}), before.revision, world.ann)
    said = {found.field: found.description for found in refused.value.violations}
    assert set(said) == set(expected)
    for field, (old, new) in expected.items():
        assert f"is registered as {old}" in said[field].replace('"' + old + '"', old)
        assert new in said[field]
    assert world.dump() == stored


def tamper(world: World, statement: str, **values: object) -> None:
    with world.db.write() as tx:
        assert tx.execute(text(statement), values).rowcount


def with_word(change_of: str) -> Callable[[World], None]:
    old, _, new = change_of.partition("=>")

    def change(world: World) -> None:
        with world.db.read() as tx:
            before: str = tx.execute(text("SELECT document FROM registrations")).scalar_one()
        tamper(world, "UPDATE registrations SET document = :new", new=before.replace(old, new))

    return change


def everything_but_the_audit_log(world: World) -> None:
    """Changes what was declared, the document and its hash, all fitting each other."""
    with world.db.read() as tx:
        spec: str = tx.execute(text("SELECT spec FROM experiments")).scalar_one()
        document: str = tx.execute(text("SELECT document FROM registrations")).scalar_one()
    document = document.replace('"mde":0.05', '"mde":0.01').replace("at least 5 %", "at least 1 %")
    tamper(world, "UPDATE experiments SET spec = :spec", spec=spec.replace('"mde":0.05', '"mde":0.01'))
    hash = hashlib.sha256(document.encode()).hexdigest()
    tamper(world, "UPDATE registrations SET document = :new, hash = :hash", new=document, hash=hash)


def spec_with(old: str, new: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        for column in ("spec", "declared"):
            with world.db.read() as tx:
                before: str | None = tx.execute(text(f"SELECT {column} FROM experiments")).scalar_one()
            if before is not None:
                assert old in before
                tamper(world, f"UPDATE experiments SET {column} = :new", new=before.replace(old, new))

    return change


TAMPERING: list[tuple[Callable[[World], None], str]] = [
    (spec_with('"mde":0.05', '"mde":0.01'), r"declared.decision.mde: is registered as 0.05, and stored is 0.01"),
    (spec_with('"goal":"maximize"', '"goal":"minimize"'), r"declared.metrics\[0\].goal"),
    (spec_with('"strategy":"all"', '"strategy":"any"'), r"declared.variants\[1\].config"),
    (spec_with('"hypothesis":""', '"hypothesis":"I knew it"'), r"declared.hypothesis"),
    (with_word('"mde":0.05=>"mde":0.01'), r"hash: is [0-9a-f]{64}, and the document gives [0-9a-f]{64}"),
    (with_word('{"declared"=>{ "declared"'), r"document: is not the canonical JSON"),
    (with_word('{"declared"=>"declared"'), r"document: is damaged"),
    (lambda world: tamper(world, "UPDATE registrations SET hash = 'f00'"), r"audit log: no start .* registered f00"),
    (lambda world: tamper(world, "UPDATE registrations SET actor = 'bob'"), r"registered.by"),
    (lambda world: tamper(world, "UPDATE registrations SET algorithm = 'md5'"), r"algorithm: is 'md5'"),
    (lambda world: tamper(world, "UPDATE experiments SET started_at = created_at"), r"started_at"),
    (lambda world: tamper(world, "UPDATE allocations SET ranges = '[[1,0],[10000,1]]'"), r"allocation: the first"),
    (lambda world: tamper(world, "DELETE FROM audit"), r"audit log: no start"),
    (everything_but_the_audit_log, r"audit log: no start"),
]


@pytest.mark.parametrize(("change", "expected"), TAMPERING)
def test_whatever_is_changed_behind_its_back_is_found(
    world: World, change: Callable[[World], None], expected: str
) -> None:
    world.create()
    world.pass_time(minutes=1)
    world.experiments.start("default", KEY, world.ann)
    assert world.experiments.registered("default", KEY).differences == ()
    change(world)
    found = world.experiments.registered("default", KEY).differences
    assert any(re.search(expected, line) for line in found), found


def test_a_field_that_a_later_version_adds_changes_nothing(world: World) -> None:
    """As if the document were of a version without planned looks."""
    world.standing(ExperimentStatus.RUNNING)
    with world.db.read() as tx:
        document = json.loads(tx.execute(text("SELECT document FROM registrations")).scalar_one())
    for field in ("looks", "spending", "spending_power"):
        del document["declared"]["decision"][field]
    new, hash = by_hand(document), sha256(document)
    tamper(world, "UPDATE registrations SET document = :new, hash = :hash", new=new, hash=hash)
    tamper(
        world, "UPDATE audit SET details = :it WHERE action = 'experiment.start'", it=by_hand({"registration": hash})
    )
    assert world.experiments.registered("default", KEY).differences == ()


def test_deviations_are_kept_in_their_order(world: World) -> None:
    record = world.standing(ExperimentStatus.RUNNING)
    changes = Changes(world.db, changed=lambda: None, now=lambda: world.now)
    for share in (10, 20):
        world.pass_time(hours=1)
        with changes.begin(world.ann) as change:
            record_deviation(change, record, "reweight", {"new": share})
    found = world.experiments.status("default", KEY).deviations
    assert [(one.kind, one.actor, one.reason, one.details) for one in found] == [
        ("reweight", "ann", "because", {"new": 10}),
        ("reweight", "ann", "because", {"new": 20}),
    ]
    assert found[1].at == world.now
    assert world.experiments.registered("default", KEY).differences == ()


def test_a_subject_that_is_changed_under_an_experiment_is_a_deviation(world: World) -> None:
    world.subjects.create("default", world.ref, {"model": "small"}, world.ann)
    world.standing(ExperimentStatus.RUNNING)
    world.subjects.add_version("default", world.ref, {"model": "large"}, world.ann)
    assert world.experiments.registered("default", KEY).deviations == ()
    world.subjects.promote("default", world.ref, 2, world.ann, force=True)
    world.subjects.rollback("default", world.ref, world.ann)
    found = world.experiments.registered("default", KEY).deviations
    assert [(one.kind, one.details) for one in found] == [
        ("subject.promote", {"from": 1, "to": 2}),
        ("subject.rollback", {"from": 2, "to": 1}),
    ]
    # What the experiment itself ships is none.
    world.experiments.complete("default", KEY, world.ann, ship=True, variant="new", force=True)
    assert world.experiments.registered("default", KEY).deviations == found
