"""Leases: of what only one sidecar may do at a time, who does it.

No clock is compared with another. A holder renews its lease by moving the beat; whoever else wants the lease watches
the beat, and takes the lease when it has stood still for as long as a lease holds, by its own clock. Each taking has
the next token, and what is done under an older one is refused in the very transaction that would do it: so a holder
that slept through the loss of its lease does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from sortition.errors import Conflict
from sortition.store.schema import leases
from sortition.store.upsert import insert_or_ignore

__all__ = ["Lease", "check", "read", "release", "renew", "take"]


@dataclass(frozen=True)
class Lease:
    """A lease as it is stored.

    Attributes:
        holder: Who has it; empty for nobody.
        token: How often it was taken.
        beat: How often it was renewed.
    """

    holder: str = ""
    token: int = 0
    beat: int = 0


def read(tx: Connection, name: str) -> Lease:
    """Returns a lease; one that nobody ever took is nobody's."""
    row = tx.execute(select(leases.c.holder, leases.c.token, leases.c.beat).where(leases.c.name == name)).first()
    return Lease() if row is None else Lease(row.holder, row.token, row.beat)


def take(tx: Connection, name: str, holder: str, seen: Lease) -> Lease | None:
    """Takes a lease that is as it was `seen`; None when it is not any more.

    Args:
        tx: The transaction to write in.
        name: The lease's name.
        holder: Who takes it; up to 64 characters.
        seen: The lease as it was last read.
    """
    row = {"name": name, "holder": "", "token": 0, "beat": 0}
    tx.execute(insert_or_ignore(tx.dialect.name, leases), [row])
    return _change(tx, name, seen, Lease(holder, seen.token + 1, seen.beat + 1))


def renew(tx: Connection, name: str, held: Lease) -> Lease | None:
    """Renews a lease that is held; None when it was taken meanwhile."""
    return _change(tx, name, held, Lease(held.holder, held.token, held.beat + 1))


def release(tx: Connection, name: str, held: Lease) -> None:
    """Gives a lease back, so that nobody has to wait for it; nothing when it was taken meanwhile."""
    _change(tx, name, held, Lease("", held.token, held.beat + 1))


def check(tx: Connection, name: str, held: Lease) -> None:
    """Checks, in an act's transaction, that its lease was not taken; nobody takes it before the transaction ends.

    Raises:
        Conflict: It was.
    """
    # Changes nothing, but locks the row.
    mine = (leases.c.name == name) & (leases.c.token == held.token) & (leases.c.holder == held.holder)
    if tx.execute(update(leases).where(mine).values(token=leases.c.token)).rowcount == 0:
        raise Conflict(f"the lease {name!r} was taken by another sidecar; nothing was done")


def _change(tx: Connection, name: str, before: Lease, after: Lease) -> Lease | None:
    same = (leases.c.name == name) & (leases.c.token == before.token) & (leases.c.beat == before.beat)
    values = {"holder": after.holder, "token": after.token, "beat": after.beat}
    done = tx.execute(update(leases).where(same).values(values))
    return after if done.rowcount == 1 else None
