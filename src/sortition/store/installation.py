"""The number that grows with every change of what is answered: the version of the snapshot."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, update

from sortition.store.schema import installation

__all__ = ["CHANNEL", "NOTIFIES", "notify", "revision", "touch"]

CHANNEL = "sortition_changed"
"""Where each change is told: its number, in decimal digits."""

NOTIFIES = "sortition_notifies"
"""The execution option of connections over which changes are told."""


def revision(tx: Connection) -> int:
    """Returns the number of changes so far."""
    return int(tx.execute(select(installation.c.revision)).scalar_one())


def touch(tx: Connection) -> int:
    """Counts a change and returns its number; call it in the transaction that makes the change.

    Until that transaction ends, others that count a change wait, so that numbers appear in the order of their changes.
    Where the database can, it tells whoever listens, once the change is committed.
    """
    tx.execute(update(installation).values(revision=installation.c.revision + 1))
    number = revision(tx)
    if tx.get_execution_options().get(NOTIFIES):
        notify(tx, number)
    return number


def notify(tx: Connection, number: int, channel: str = CHANNEL) -> None:
    """Tells whoever listens to PostgreSQL that there was a change, once the transaction is committed."""
    tx.execute(select(func.pg_notify(channel, str(number))))
