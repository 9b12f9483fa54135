"""Subjects: numbered immutable versions, promotion, and the exact way back."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from sortition.errors import AlreadyExists, DataLoss, FailedPrecondition, InvalidArgument, NotFound
from sortition.model import JsonObject, SubjectRef, config_hash
from sortition.store import Database, SubjectRecord, schema, subjects
from store_samples import AGENT, NOW, later


def make(db: Database, versions: int = 0, ref: SubjectRef = AGENT) -> SubjectRecord:
    with db.write() as tx:
        subject = subjects.insert(tx, "default", ref, "Finds things.", NOW)
        for number in range(1, versions + 1):
            subjects.add_version(tx, subject, {"n": number}, origin="added", created_at=later(number))
    return subject


def promote(db: Database, subject: SubjectRecord, number: int) -> SubjectRecord:
    with db.write() as tx:
        return subjects.promote(tx, subject, number, NOW)


def rollback(db: Database, subject: SubjectRecord) -> int:
    with db.write() as tx:
        after = subjects.rollback(tx, subject, NOW)
    assert after.current is not None
    assert after.current.config == {"n": after.current.number}
    return after.current.number


def test_a_subject_comes_back_as_it_was_stored(db: Database) -> None:
    made = make(db)
    with db.read() as tx:
        assert subjects.get(tx, "default", AGENT) == made
        assert subjects.get(tx, "other", AGENT) is None
    assert made.current is None
    assert (made.description, made.created_at) == ("Finds things.", NOW)


def test_a_name_is_taken_once_in_an_organization(db: Database) -> None:
    make(db)
    with db.write() as tx, pytest.raises(AlreadyExists, match="agent/search-agent exists already"):
        subjects.insert(tx, "default", AGENT, "", NOW)
    with db.write() as tx:
        other = subjects.insert(tx, "acme", AGENT, "", NOW)
        assert other.organization == "acme"


def test_versions_are_numbered_and_hashed(db: Database) -> None:
    subject = make(db)
    config: JsonObject = {"z": [1.0, None, {"é": "\u0000"}], "a": 0.1}
    with db.write() as tx:
        first = subjects.add_version(tx, subject, config, origin="created", created_at=NOW)
        second = subjects.add_version(
            tx, subject, {}, origin="shipped", experiment="search", note="won", created_at=later(1)
        )
    assert (first.number, second.number) == (1, 2)
    assert first.config_hash == config_hash(config)
    with db.read() as tx:
        assert subjects.version(tx, subject, 1) == first
        assert subjects.version(tx, subject, 2) == second
        assert subjects.version(tx, subject, 3) is None
        listed, after = subjects.versions(tx, subject, 10, None)
        assert (listed, after) == ([second, first], "")
        stored = subjects.get(tx, "default", AGENT)
    assert stored is not None
    assert stored.current is None, "a version is not current before it is promoted"
    assert second.experiment == "search"
    assert second.note == "won"


def test_numbers_do_not_mix_between_subjects(db: Database) -> None:
    one, other = make(db, 3), make(db, 1, SubjectRef(kind="prompt", id="greeting"))
    with db.read() as tx:
        assert [v.number for v in subjects.versions(tx, one, 10, None)[0]] == [3, 2, 1]
        assert [v.number for v in subjects.versions(tx, other, 10, None)[0]] == [1]


def test_a_configuration_that_is_not_json_is_refused(db: Database) -> None:
    subject = make(db)
    with pytest.raises(InvalidArgument, match=r"config: .*not a JSON number"), db.write() as tx:
        subjects.add_version(tx, subject, {"x": float("nan")}, origin="added", created_at=NOW)
    with db.read() as tx:
        assert subjects.versions(tx, subject, 10, None) == ([], "")


def test_promoting_points_at_a_version(db: Database) -> None:
    subject = make(db, 2)
    after = promote(db, subject, 2)
    with db.read() as tx:
        assert subjects.get(tx, "default", AGENT) == after
        assert after.current == subjects.version(tx, subject, 2)
        assert subjects.all_current(tx) == [after]


def test_an_unknown_version_is_not_promoted(db: Database) -> None:
    subject = promote(db, make(db, 2), 1)
    with pytest.raises(NotFound, match="no version 3"):
        promote(db, subject, 3)
    with db.read() as tx:
        assert subjects.get(tx, "default", AGENT) == subject


def test_a_rollback_can_be_repeated_back_to_the_first(db: Database) -> None:
    subject = make(db, 4)
    for number in (1, 2, 4, 3):
        promote(db, subject, number)
    assert [rollback(db, subject) for _ in range(3)] == [4, 2, 1]
    with pytest.raises(FailedPrecondition, match="version 1 is the first"):
        rollback(db, subject)


def test_after_a_rollback_the_way_goes_on_from_there(db: Database) -> None:
    subject = make(db, 3)
    for number in (1, 2):
        promote(db, subject, number)
    assert rollback(db, subject) == 1
    promote(db, subject, 3)
    assert rollback(db, subject) == 1, "version 2 was taken back and is not on the way"
    with pytest.raises(FailedPrecondition):
        rollback(db, subject)


def test_promoting_what_is_current_leaves_the_way_back_alone(db: Database) -> None:
    subject = make(db, 2)
    for number in (1, 2, 2):
        promote(db, subject, number)
    assert rollback(db, subject) == 1


def test_a_subject_without_a_version_has_nothing_to_roll_back(db: Database) -> None:
    subject = make(db)
    with pytest.raises(FailedPrecondition, match="never had a current version"):
        rollback(db, subject)


def test_every_step_is_on_record(db: Database) -> None:
    subject = make(db, 2)
    for number in (1, 2):
        promote(db, subject, number)
    rollback(db, subject)
    columns = schema.promotions.c
    with db.read() as tx:
        rows = tx.execute(
            schema.promotions.select()
            .with_only_columns(columns.seq, columns.from_number, columns.to_number, columns.undoes, columns.undone_by)
            .order_by(columns.seq)
        ).all()
    assert [tuple(row) for row in rows] == [(1, None, 1, None, None), (2, 1, 2, None, 3), (3, 2, 1, 2, None)]


@given(st.lists(st.one_of(st.integers(1, 4), st.none()), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_promotions_and_rollbacks_behave_like_a_stack(db: Database, steps: list[int | None]) -> None:
    with db.read() as tx:
        seen = len(subjects.all_current(tx))
    subject = make(db, 4, SubjectRef(kind="agent", id=f"a{seen}"))
    way: list[int] = []
    for step in steps:
        if step is not None:
            promote(db, subject, step)
            if not way or way[-1] != step:
                way.append(step)
        elif len(way) < 2:
            with pytest.raises(FailedPrecondition):
                rollback(db, subject)
        else:
            way.pop()
            assert rollback(db, subject) == way[-1]
    with db.read() as tx:
        stored = subjects.get(tx, "default", subject.ref)
    assert stored is not None
    assert (stored.current.number if stored.current else None) == (way[-1] if way else None)


def test_a_stale_record_does_not_mislead(db: Database) -> None:
    stale = make(db, 3)
    promote(db, stale, 1)
    promote(db, stale, 2)
    assert stale.current is None
    assert rollback(db, stale) == 1


def test_listing_filters(db: Database) -> None:
    prompt = SubjectRef(kind="prompt", id="greeting")
    make(db)
    make(db, 0, prompt)
    with db.write() as tx:
        subjects.insert(tx, "acme", prompt, "", NOW)
    with db.read() as tx:
        everything, _ = subjects.listing(tx, limit=10, after=None)
        assert [(s.organization, s.ref) for s in everything] == [
            ("default", AGENT),
            ("acme", prompt),
            ("default", prompt),
        ]
        prompts, _ = subjects.listing(tx, organization="default", kind="prompt", limit=10, after=None)
        assert [s.ref for s in prompts] == [prompt]


def test_a_damaged_configuration_is_data_loss(db: Database) -> None:
    subject = promote(db, make(db, 1), 1)
    with db.write() as tx:
        tx.execute(update(schema.subject_versions).values(config='{"n":'))
    with db.read() as tx, pytest.raises(DataLoss, match="damaged"):
        subjects.get(tx, "default", subject.ref)
