"""Experiments come back as they were stored; revisions and constraints hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from sortition.errors import AlreadyExists, Conflict, DataLoss, FailedPrecondition, InvalidArgument, NotFound
from sortition.model import ExperimentStatus, SubjectRef
from sortition.store import AllocationRecord, Database, ExperimentRecord, experiments, schema, subjects
from store_samples import AGENT, NOW, later, make_record, make_spec, store

PROMPT = SubjectRef(kind="prompt", id="greeting")
FIRST = AllocationRecord(1, ((3333, 0), (10_000, 1)))
SECOND = AllocationRecord(2, ((3333, 0), (5000, 1), (10_000, 0)))


def save(db: Database, record: ExperimentRecord) -> ExperimentRecord:
    with db.write() as tx:
        return experiments.save(tx, record)


def get(db: Database, key: str = "search", organization: str = "default") -> ExperimentRecord | None:
    with db.read() as tx:
        return experiments.get(tx, organization, key)


def test_an_experiment_comes_back_as_it_was_stored(db: Database) -> None:
    record = replace(
        make_record(),
        status=ExperimentStatus.COMPLETED,
        revision=7,
        started_at=later(1),
        ended_at=later(2),
        archived_at=later(3),
        winner="combined",
        shipped_version=4,
        allocations=(FIRST, SECOND),
    )
    store(db, record)
    assert get(db) == record
    assert get(db, "other") is None
    assert get(db, organization="acme") is None


def test_a_key_is_taken_once_in_an_organization(db: Database) -> None:
    store(db, make_record())
    with pytest.raises(AlreadyExists, match="experiment search exists already"), db.write() as tx:
        experiments.insert(tx, replace(make_record(), id="another"))
    store(db, make_record(organization="acme"))
    assert get(db, organization="acme") is not None


def test_an_experiment_needs_its_subject(db: Database) -> None:
    with pytest.raises(NotFound, match="agent/search-agent"), db.write() as tx:
        experiments.insert(tx, make_record())
    assert get(db) is None


def test_saving_stores_everything_and_counts_the_revision(db: Database) -> None:
    record = store(db, make_record())
    changed = replace(
        record, status=ExperimentStatus.RUNNING, started_at=later(5), winner="combined", shipped_version=2
    )
    after = save(db, changed)
    assert after == replace(changed, revision=2)
    assert get(db) == after


def test_saving_on_an_old_revision_is_a_conflict(db: Database) -> None:
    record = store(db, make_record())
    after = save(db, record)
    with pytest.raises(Conflict, match="based on revision 1, stored is 2"):
        save(db, replace(record, status=ExperimentStatus.CANCELLED))
    assert get(db) == after


def test_saving_what_was_never_stored_is_not_found(db: Database) -> None:
    store(db, make_record())
    with pytest.raises(NotFound, match="other"):
        save(db, make_record("other"))


def test_a_draft_can_change_its_variants_and_subject(db: Database) -> None:
    record = store(db, make_record())
    store(db, make_record("holder", subject=PROMPT))
    spec = make_spec(subject=PROMPT)
    spec = spec.model_copy(update={"variants": (*spec.variants[:1], spec.variants[1].model_copy(update={"name": "b"}))})
    save(db, replace(record, spec=spec))
    stored = get(db)
    assert stored is not None
    assert stored.spec == spec
    with db.read() as tx:
        found, _ = experiments.listing(tx, subject_kind="prompt", limit=10, after=None)
        assert {one.spec.key for one in found} == {"search", "holder"}
        names = tx.execute(
            select(
                schema.variants.c.variant,
                schema.variants.c.name,
                schema.variants.c.basis_points,
                schema.variants.c.control,
            )
            .where(schema.variants.c.experiment_id == record.id)
            .order_by(schema.variants.c.variant)
        ).all()
    assert [tuple(row) for row in names] == [(0, "sequential", 3333, True), (1, "b", 6667, False)]


@pytest.mark.parametrize("by", ["insert", "save"])
def test_the_database_itself_refuses_a_second_running_experiment(db: Database, by: str) -> None:
    store(db, make_record("one", status=ExperimentStatus.RUNNING))
    second = make_record("two", status=ExperimentStatus.RUNNING)
    if by == "insert":
        with pytest.raises(FailedPrecondition, match="another experiment is running on subject agent/search-agent"):
            store(db, second)
        assert get(db, "two") is None
    else:
        store(db, replace(second, status=ExperimentStatus.PAUSED))
        with pytest.raises(FailedPrecondition, match="another experiment is running on subject agent/search-agent"):
            save(db, second)
        assert get(db, "two") == replace(second, status=ExperimentStatus.PAUSED)


def test_other_subjects_organizations_and_layers_may_run_at_the_same_time(db: Database) -> None:
    running = ExperimentStatus.RUNNING
    store(db, make_record("one", status=running))
    store(db, make_record("two", status=running, subject=PROMPT))
    store(db, make_record("three", status=running, organization="acme"))
    layered = store(db, make_record("four"))
    with db.write() as tx:
        tx.execute(update(schema.experiments).where(schema.experiments.c.id == layered.id).values(layer="other"))
        experiments.save(tx, replace(layered, status=running))
    with db.read() as tx:
        assert len(experiments.listing(tx, statuses=[running], limit=10, after=None)[0]) == 4


def test_listing_filters(db: Database) -> None:
    store(db, make_record("a", created_at=later(1)))
    store(db, make_record("b", created_at=later(2), status=ExperimentStatus.RUNNING))
    store(db, replace(make_record("c", created_at=later(3), status=ExperimentStatus.COMPLETED), archived_at=later(9)))
    store(db, make_record("d", created_at=later(4), organization="acme"))
    store(db, make_record("e", created_at=later(5), subject=PROMPT))

    def keys(**filters: object) -> str:
        with db.read() as tx:
            found, after = experiments.listing(tx, limit=10, after=None, **filters)  # type: ignore[arg-type]
        assert after == ""
        return "".join(record.spec.key for record in found)

    assert keys() == "edba"
    assert keys(include_archived=True) == "edcba"
    assert keys(organization="default") == "eba"
    assert keys(subject_kind="agent") == "dba"
    assert keys(subject_kind="agent", subject_id="greeting") == ""
    assert keys(subject_id="greeting") == "e"
    assert keys(statuses=[ExperimentStatus.RUNNING]) == "b"
    assert keys(statuses=[ExperimentStatus.RUNNING, ExperimentStatus.COMPLETED], include_archived=True) == "cb"


def test_active_experiments_run_before_they_pause(db: Database) -> None:
    paused, running = ExperimentStatus.PAUSED, ExperimentStatus.RUNNING
    store(db, replace(make_record("later-paused", status=paused), started_at=later(9), allocations=(FIRST,)))
    store(db, replace(make_record("paused", status=paused), started_at=later(1)))
    store(db, replace(make_record("running", status=running), started_at=later(5)))
    store(db, make_record("draft"))
    store(db, make_record("elsewhere", status=running, organization="acme"))
    with db.read() as tx:
        found = experiments.active(tx, "default", AGENT)
        assert [record.spec.key for record in found] == ["running", "paused", "later-paused"]
        assert found[2].allocations == (FIRST,)
        assert experiments.active(tx, "default", PROMPT) == []


def test_unarchived_experiments_come_with_all_their_allocations(db: Database) -> None:
    expected = []
    for index in range(600):
        allocations = (FIRST, SECOND) if index % 2 else ()
        expected.append(replace(make_record(f"e{index}", created_at=later(index)), allocations=allocations))
    with db.write() as tx:
        subjects.insert(tx, "default", AGENT, "", NOW)
        for record in expected:
            experiments.insert(tx, record)
        experiments.insert(tx, replace(make_record("gone"), archived_at=NOW))
    with db.read() as tx:
        assert experiments.unarchived(tx) == expected


def test_allocations_are_added_once_each(db: Database) -> None:
    record = store(db, replace(make_record(), allocations=(FIRST,)))
    with db.write() as tx:
        experiments.add_allocation(tx, record.id, SECOND)
    assert get(db) == replace(record, allocations=(FIRST, SECOND))
    with pytest.raises(Conflict, match="generation 2"), db.write() as tx:
        experiments.add_allocation(tx, record.id, SECOND)
    with pytest.raises(Conflict, match="nowhere is gone"), db.write() as tx:
        experiments.add_allocation(tx, "nowhere", FIRST)


@pytest.mark.parametrize(("column", "value"), [("spec", '{"key": "search"}'), ("spec", "{"), ("status", "asleep")])
def test_a_damaged_experiment_is_data_loss(db: Database, column: str, value: str) -> None:
    store(db, make_record())
    with db.write() as tx:
        tx.execute(update(schema.experiments).values({column: value}))
    with pytest.raises(DataLoss, match="damaged"):
        get(db)


def test_a_list_refuses_the_token_of_another(db: Database) -> None:
    with db.read() as tx, pytest.raises(InvalidArgument, match="page_token"):
        experiments.listing(tx, limit=1, after="WzFd")
