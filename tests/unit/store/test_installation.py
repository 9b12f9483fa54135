"""The number of changes."""

from __future__ import annotations

import pytest

from sortition.store import Database, installation


def test_every_change_has_the_next_number(db: Database) -> None:
    with db.read() as tx:
        before = installation.revision(tx)
    with db.write() as tx:
        assert installation.touch(tx) == before + 1
        assert installation.touch(tx) == before + 2
    with db.read() as tx:
        assert installation.revision(tx) == before + 2


def test_a_change_that_did_not_happen_has_none(db: Database) -> None:
    with db.read() as tx:
        before = installation.revision(tx)

    def touch_and_fail() -> None:
        with db.write() as tx:
            installation.touch(tx)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        touch_and_fail()
    with db.read() as tx:
        assert installation.revision(tx) == before
