"""Pages follow each other without gaps, whatever happens between them; tokens are checked."""

from __future__ import annotations

import base64
import json

import pytest

from sortition.errors import InvalidArgument
from sortition.model import SubjectRef
from sortition.store import Database, audit, experiments, subjects
from store_samples import NOW, later, make_record, store


def token(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_pages_hold_every_row_once_even_when_the_sort_key_is_shared(db: Database) -> None:
    for index in range(7):
        store(db, make_record(f"e{index}", created_at=NOW if index < 5 else later(index)))
    seen: list[str] = []
    after = ""
    with db.read() as tx:
        for _ in range(10):
            page, after = experiments.listing(tx, limit=3, after=after)
            seen += [record.spec.key for record in page]
            if not after:
                break
    assert seen == ["e6", "e5", "e4", "e3", "e2", "e1", "e0"]


def test_a_full_last_page_has_no_token(db: Database) -> None:
    for index in range(2):
        store(db, make_record(f"e{index}", created_at=later(index)))
    with db.read() as tx:
        page, after = experiments.listing(tx, limit=2, after=None)
    assert [record.spec.key for record in page] == ["e1", "e0"]
    assert after == ""


def test_what_is_inserted_between_two_pages_moves_nothing(db: Database) -> None:
    for index in range(4):
        store(db, make_record(f"e{index}", created_at=later(index)))
    with db.read() as tx:
        first, after = experiments.listing(tx, limit=2, after=None)
    store(db, make_record("newer", created_at=later(100)))
    with db.read() as tx:
        second, _ = experiments.listing(tx, limit=2, after=after)
    assert [record.spec.key for record in first + second] == ["e3", "e2", "e1", "e0"]


def test_ascending_pages_over_three_columns(db: Database) -> None:
    names = [("b", "x", "o1"), ("a", "x", "o2"), ("a", "x", "o1"), ("a", "y", "o1")]
    with db.write() as tx:
        for kind, id, organization in names:
            subjects.insert(tx, organization, SubjectRef(kind=kind, id=id), "", NOW)
    seen, after = [], ""
    with db.read() as tx:
        for _ in names:
            (one,), after = subjects.listing(tx, limit=1, after=after)
            seen.append((one.ref.kind, one.ref.id, one.organization))
    assert seen == [("a", "x", "o1"), ("a", "x", "o2"), ("a", "y", "o1"), ("b", "x", "o1")]
    assert after == ""


@pytest.mark.parametrize(
    "bad",
    [
        "garbage!",
        "AAAA",
        "é",
        token([]),
        token({}),
        token(["2026-03-01T00:00:00+00:00"]),
        token(["2026-03-01T00:00:00", "id"]),
        token([1, "id"]),
        token(["2026-03-01T00:00:00+00:00", 7]),
        token(["2026-03-01T00:00:00+00:00", "\ud800"]),
        token(["never", "id"]),
        base64.urlsafe_b64encode(b"[" * 1500).decode(),
        "A" * 100_000,
    ],
)
def test_a_bad_token_is_refused_by_name(db: Database, bad: str) -> None:
    with db.read() as tx, pytest.raises(InvalidArgument) as refused:
        experiments.listing(tx, limit=10, after=bad)
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


@pytest.mark.parametrize("bad", [token([2**63]), token([-(2**70)]), token([True]), token([1.5]), token(["1"])])
def test_a_number_that_no_row_can_have_is_refused(db: Database, bad: str) -> None:
    with db.read() as tx, pytest.raises(InvalidArgument, match="page_token"):
        audit.listing(tx, limit=10, after=bad)
