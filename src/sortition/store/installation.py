"""The number that grows with every change of what is answered: the version of the snapshot."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from sortition.store.schema import installation

__all__ = ["revision", "touch"]


def revision(tx: Connection) -> int:
    """Returns the number of changes so far."""
    return int(tx.execute(select(installation.c.revision)).scalar_one())


def touch(tx: Connection) -> int:
    """Counts a change and returns its number; call it in the transaction that makes the change.

    Until that transaction ends, others that count a change wait, so that numbers appear in the order of their changes.
    """
    tx.execute(update(installation).values(revision=installation.c.revision + 1))
    return revision(tx)
