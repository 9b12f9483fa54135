"""The audit log keeps every act, newest first."""

from __future__ import annotations

from typing import Any

import pytest

from sortition.store import AuditEvent, Database, audit
from store_samples import NOW, later


def act(db: Database, **changes: Any) -> AuditEvent:
    values: dict[str, Any] = {
        "at": NOW,
        "actor": "ada",
        "action": "experiment.start",
        "organization": "default",
        "object": "experiment/search",
        "reason": "looks good – go",
        "details": {"revision": 2, "share": 0.1},
    }
    with db.write() as tx:
        return audit.append(tx, **(values | changes))


def test_events_come_back_newest_first(db: Database) -> None:
    events = [act(db, at=later(-index)) for index in range(3)]
    with db.read() as tx:
        assert audit.listing(tx, limit=10, after=None) == (events[::-1], "")
    assert events[0].id < events[1].id < events[2].id


def test_events_are_filtered_and_paged(db: Database) -> None:
    events = [
        act(db, object=f"experiment/{index % 2}", action="experiment.stop" if index == 4 else "experiment.start")
        for index in range(6)
    ]
    other = act(db, organization="acme")
    with db.read() as tx:
        assert audit.listing(tx, organization="acme", limit=9, after=None)[0] == [other]
        assert audit.listing(tx, action="experiment.stop", limit=9, after=None)[0] == [events[4]]
        first, after = audit.listing(tx, object="experiment/1", limit=2, after=None)
        assert first == [events[5], events[3]]
        assert audit.listing(tx, object="experiment/1", limit=2, after=after) == ([events[1]], "")


def test_an_event_goes_with_its_act(db: Database) -> None:
    def act_and_fail() -> None:
        with db.write() as tx:
            audit.append(tx, at=NOW, actor="", action="x", organization="default", object="y", reason="", details={})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act_and_fail()
    with db.read() as tx:
        assert audit.listing(tx, limit=9, after=None) == ([], "")
