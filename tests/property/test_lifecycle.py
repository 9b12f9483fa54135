"""Whatever is done in whatever order, the lifecycle does what a small model says, and the way back is exact."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sortition.errors import (
    AlreadyExists,
    FailedPrecondition,
    IllegalTransition,
    NotFound,
    ShipRefused,
    SortitionError,
)
from sortition.lifecycle import Actor
from sortition.model import ExperimentStatus, SubjectRef, canonical_json
from sortition.store import Database, sqlite_url
from unit.lifecycle.world import World

KEYS = st.sampled_from(["a", "b", "c"])
REFS = st.sampled_from([SubjectRef(kind="agent", id="x"), SubjectRef(kind="prompt", id="x")])
LEAVES = st.sampled_from([0, 1, 2.5, "ü", None, True, [1, 2]])
CONFIGS = st.dictionaries(
    st.sampled_from("pqr"), LEAVES | st.dictionaries(st.sampled_from("st"), LEAVES, max_size=2), max_size=3
)
ACTS = {
    "start": {"draft": "running", "paused": "running"},
    "pause": {"running": "paused"},
    "resume": {"paused": "running"},
    "complete": {"running": "completed", "paused": "completed"},
    "cancel": {"draft": "cancelled", "running": "cancelled", "paused": "cancelled"},
    "archive": {"completed": "archived", "cancelled": "archived"},
}
LIVE = ("running", "paused")
ORGANIZATIONS = count()


@dataclass
class Experiment:
    """What the model knows of an experiment; "archived" is a status of its own here."""

    ref: SubjectRef
    config: dict[str, Any]
    id: str
    status: str = "draft"


@dataclass
class Subject:
    """What the model knows of a subject: its versions as text, the current one, and the way back."""

    versions: list[str]
    current: int = 1
    before: list[int] = field(default_factory=list)

    def go(self, number: int) -> None:
        self.before.append(self.current)
        self.current = number

    @property
    def text(self) -> str:
        return self.versions[self.current - 1]


def text_of(config: Any) -> str:
    return json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def laid_over(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return {key: laid_over(base.get(key), change[key]) if key in change else base[key] for key in {*base, *change}}


class Lifecycle(RuleBasedStateMachine):
    """Does to the lifecycle and to the model the same."""

    def __init__(self, db: Database, directory: Path) -> None:
        super().__init__()
        self.world = World(db, directory)
        # Of its own, so that one database serves every example.
        self.world.organization = f"org-{next(ORGANIZATIONS)}"
        self.org = self.world.organization
        self.experiments: dict[str, Experiment] = {}
        self.subjects: dict[SubjectRef, Subject] = {}
        self.rows: Counter[str] = Counter()

    @initialize()
    def begin(self) -> None:
        self.world.keeper.refresh()

    def attempt(self, expected: type[SortitionError] | None, act: Callable[[], Any]) -> bool:
        """Performs `act`; returns whether the model goes along. What is refused leaves no trace."""
        before = self.world.version()
        if expected is None:
            act()
            assert self.world.version() == before + 1
            return True
        with pytest.raises(expected) as caught:
            act()
        assert type(caught.value) is expected
        assert self.world.version() == before
        return False

    def busy(self, ref: SubjectRef, statuses: tuple[str, ...], besides: str = "") -> bool:
        return any(one.ref == ref and one.status in statuses for key, one in self.experiments.items() if key != besides)

    @rule(key=KEYS, ref=REFS, config=CONFIGS)
    def create(self, key: str, ref: SubjectRef, config: dict[str, Any]) -> None:
        arms = [{"name": "old", "weight": 40, "control": True}, {"name": "new", "weight": 60, "config": config}]
        expected = AlreadyExists if key in self.experiments else None
        made = []
        if self.attempt(expected, lambda: made.append(self.world.create(key=key, subject=ref, variants=arms))):
            self.experiments[key] = Experiment(ref, config, made[0].id)
            self.rows["experiment.create"] += 1
            if ref not in self.subjects:
                self.rows["subject.create"] += 1
                self.subjects[ref] = Subject(["{}"])

    @rule(key=KEYS, act=st.sampled_from(sorted(ACTS)))
    def step(self, key: str, act: str) -> None:
        experiment = self.experiments.get(key)
        expected: type[SortitionError] | None = None
        if experiment is None:
            expected = NotFound
        elif experiment.status not in ACTS[act]:
            expected = IllegalTransition
        elif act in ("start", "resume") and self.busy(experiment.ref, ("running",)):
            expected = FailedPrecondition
        if self.attempt(expected, lambda: getattr(self.world.experiments, act)(self.org, key, self.world.ann)):
            assert experiment is not None
            experiment.status = ACTS[act][experiment.status]
            self.rows[f"experiment.{act}"] += 1

    @rule(key=KEYS, force=st.booleans())
    def ship(self, key: str, force: bool) -> None:
        experiment = self.experiments.get(key)
        expected: type[SortitionError] | None = None
        if experiment is None:
            expected = NotFound
        elif experiment.status not in ACTS["complete"]:
            expected = IllegalTransition
        elif not force:
            # Nothing was recorded, so that the analysis cannot allow it.
            expected = ShipRefused
        if self.attempt(
            expected,
            lambda: self.world.experiments.complete(
                self.org, key, self.world.ann, ship=True, variant="new", force=force
            ),
        ):
            assert experiment is not None
            experiment.status = "completed"
            self.rows.update(["experiment.complete", "subject.promote"])
            subject = self.subjects[experiment.ref]
            subject.versions.append(text_of(laid_over(json.loads(subject.text), experiment.config)))
            subject.go(len(subject.versions))

    @rule(ref=REFS, config=CONFIGS, promote=st.booleans())
    def add_version(self, ref: SubjectRef, config: dict[str, Any], promote: bool) -> None:
        subject = self.subjects.get(ref)
        expected: type[SortitionError] | None = None
        if subject is None:
            expected = NotFound
        elif promote and self.busy(ref, LIVE):
            expected = FailedPrecondition
        if self.attempt(
            expected,
            lambda: self.world.subjects.add_version(self.org, ref, config, self.world.ann, promote=promote),
        ):
            assert subject is not None
            subject.versions.append(text_of(config))
            self.rows["subject.add_version"] += 1
            if promote:
                self.rows["subject.promote"] += 1
                subject.go(len(subject.versions))

    @rule(ref=REFS, number=st.integers(1, 4), force=st.booleans())
    def promote(self, ref: SubjectRef, number: int, force: bool) -> None:
        subject = self.subjects.get(ref)
        expected: type[SortitionError] | None = None
        if subject is None or number > len(subject.versions):
            expected = NotFound
        elif number == subject.current or (not force and self.busy(ref, LIVE)):
            expected = FailedPrecondition
        if self.attempt(
            expected,
            lambda: self.world.subjects.promote(self.org, ref, number, Actor("ann", "because"), force=force),
        ):
            assert subject is not None
            subject.go(number)
            self.rows["subject.promote"] += 1

    @rule(ref=REFS)
    def rollback(self, ref: SubjectRef) -> None:
        subject = self.subjects.get(ref)
        expected: type[SortitionError] | None = None
        if subject is None:
            expected = NotFound
        elif not subject.before:
            expected = FailedPrecondition
        if self.attempt(expected, lambda: self.world.subjects.rollback(self.org, ref, self.world.ann)):
            assert subject is not None
            subject.current = subject.before.pop()
            self.rows["subject.rollback"] += 1

    @invariant()
    def experiments_stand_where_the_model_says(self) -> None:
        for key, experiment in self.experiments.items():
            record = self.world.experiments.get(self.org, key)
            assert record.id == experiment.id
            assert (record.archived_at is not None) == (experiment.status == "archived")
            assert str(record.status) == experiment.status or record.archived_at is not None
            started = record.started_at is not None
            assert started == bool(record.allocations)
            assert started or record.status in (ExperimentStatus.DRAFT, ExperimentStatus.CANCELLED)
        for ref in self.subjects:
            active = self.world.experiments.active(self.org, ref)
            assert (active is not None) == self.busy(ref, LIVE)
            assert active is None or (str(active.status) == "running") == self.busy(ref, ("running",))

    @invariant()
    def subjects_have_exactly_the_bytes_that_the_model_has(self) -> None:
        for ref, subject in self.subjects.items():
            current = self.world.subjects.get(self.org, ref).current
            assert current is not None
            assert current.number == subject.current
            assert canonical_json(current.config) == subject.text.encode()
            assert current.config_hash == hashlib.sha256(subject.text.encode()).hexdigest()

    @invariant()
    def the_hot_path_answers_from_this_state(self) -> None:
        assert self.world.engine.snapshot_version == self.world.version()
        for key, experiment in self.experiments.items():
            if experiment.status in LIVE:
                config = json.loads(self.subjects[experiment.ref].text)
                given = self.world.engine.assign_unit(key, "u", self.org, expose=False, now_ms=self.world.now_ms)
                assert given.variant is not None
                expected = laid_over(config, experiment.config) if given.variant == "new" else config
                assert given.config == text_of(expected).encode()
                assert experiment.status == "running" or given.variant == "old"

    @invariant()
    def every_act_is_on_record(self) -> None:
        events, token = self.world.audit.listing(organization=self.org, limit=1000)
        assert token == ""
        assert Counter(event.action for event in events) == self.rows
        assert {(event.actor, event.reason) for event in events} <= {("ann", "because")}


def test_the_lifecycle_agrees_with_a_model(tmp_path: Path) -> None:
    db = Database.open(sqlite_url(tmp_path / "sortition.db"))

    class Here(Lifecycle):
        def __init__(self) -> None:
            super().__init__(db, tmp_path)

    run_state_machine_as_test(Here, settings=settings(max_examples=25, stateful_step_count=30, deadline=None))
    db.close()
