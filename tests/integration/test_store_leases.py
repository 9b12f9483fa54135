"""Leases on both kinds of database: one holder, and nothing under an old token."""

from __future__ import annotations

import pytest

from sortition.errors import Conflict
from sortition.store import Database, leases
from sortition.store.leases import Lease

NAME = "automatic"


def test_it_goes_from_hand_to_hand(db: Database) -> None:
    with db.write() as tx:
        assert leases.read(tx, NAME) == Lease()
        first = leases.take(tx, NAME, "ann", Lease())
        assert first == Lease("ann", 1, 1)
    with db.write() as tx:
        assert leases.take(tx, NAME, "bob", Lease()) is None, "what he saw is over"
        assert first is not None
        renewed = leases.renew(tx, NAME, first)
        assert renewed == Lease("ann", 1, 2)
        assert leases.renew(tx, NAME, first) is None
    with db.write() as tx:
        assert renewed is not None
        second = leases.take(tx, NAME, "bob", renewed)
        assert second == Lease("bob", 2, 3)
        assert leases.renew(tx, NAME, renewed) is None
        with pytest.raises(Conflict, match="taken by another sidecar"):
            leases.check(tx, NAME, renewed)
        assert second is not None
        leases.check(tx, NAME, second)
        leases.release(tx, NAME, renewed)
        assert leases.read(tx, NAME) == second, "who lost it cannot give it back"
        leases.release(tx, NAME, second)
        assert leases.read(tx, NAME).holder == ""
        with pytest.raises(Conflict):
            leases.check(tx, NAME, second)


def test_a_lease_that_nobody_took_allows_nothing(db: Database) -> None:
    with pytest.raises(Conflict), db.write() as tx:
        leases.check(tx, NAME, Lease("ann", 1, 1))
    with db.read() as tx:
        assert leases.read(tx, NAME) == Lease()
