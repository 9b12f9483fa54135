"""Writers' names in the database: taken, lost to another sidecar, and told apart.

A name belongs to whoever took it last: each taking has the next epoch, and what carries a smaller one is refused. With
each, the last batch before it is written down. So a sidecar that finds its name taken knows exactly which of its own
batches were applied, and goes on with the others under a name of its own.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from sortition.errors import Conflict
from sortition.state.identity import MARK, MAX_NAME, Identity, base_name
from sortition.store.schema import takeovers, writers
from sortition.store.upsert import insert_or_ignore

__all__ = ["Place", "go_apart", "take"]

# Of each name so many takings are remembered; a sidecar that was away for longer stays fenced off.
_REMEMBERED = 1000
_MARK_BYTES = 4


@dataclass(frozen=True)
class Place:
    """A writer's place in the database.

    Attributes:
        name: Its name, unique.
        slot: Names its rows.
        epoch: How often the name was taken, this time included.
        high_water: The last batch that was applied.
    """

    name: str
    slot: int
    epoch: int
    high_water: int


def take(tx: Connection, who: Identity) -> Place:
    """Takes a name; whoever had it before is fenced off.

    Where another sidecar had it in between, one with a state directory of its own, a fresh name is taken instead, and
    the one that is written under it now keeps its own.
    """
    # Changes nothing, but locks the row: nobody else takes the name before this is decided.
    tx.execute(update(writers).where(writers.c.name == who.name).values(epoch=writers.c.epoch))
    place = _row(tx, who.name)
    if place is not None and who.epoch and place.epoch > who.epoch:
        first = _first_after(tx, place.slot, who.epoch, other_than=who.owner)
        if first is not None:
            return _fresh(tx, who, high_water=first)
    return _take(tx, who.name, who.owner)


def go_apart(tx: Connection, place: Place, owner: str) -> Place:
    """Takes a fresh name for a sidecar that was fenced off.

    Args:
        tx: The transaction to write in.
        place: What was taken from it.
        owner: Its state directory.

    Returns:
        Its new place. Its high-water mark is the last of its own batches that was applied under the old name.

    Raises:
        Conflict: Its own state directory is in use by whoever took the name, which therefore may hold the same
            outcomes; or too much happened since, or the name was taken by an older version, which wrote nothing down.
    """
    # Whoever takes the name has committed by now, or could not have fenced anybody off.
    query = select(takeovers.c.high_water, takeovers.c.owner)
    next_one = tx.execute(query.where(takeovers.c.slot == place.slot, takeovers.c.epoch == place.epoch + 1)).first()
    if next_one is None:
        raise Conflict(
            f"another sidecar took the writer name {place.name}, and it is not known any more which batches were "
            "applied before that; this one writes nothing any more: stop it, and give each sidecar a name of its own"
        )
    if next_one.owner == owner:
        raise Conflict(
            f"another sidecar took the writer name {place.name}, and works with the state directory of this one; "
            "this one writes nothing any more: stop it, and never run two sidecars on one state directory"
        )
    return _fresh(tx, Identity(place.name, owner), high_water=next_one.high_water)


def _take(tx: Connection, name: str, owner: str, *, high_water: int = 0) -> Place:
    kind = tx.dialect.name
    tx.execute(insert_or_ignore(kind, writers, key=["name"]).values(name=name, epoch=0, high_water=high_water))
    tx.execute(update(writers).where(writers.c.name == name).values(epoch=writers.c.epoch + 1))
    place = _row(tx, name)
    assert place is not None
    at = {"slot": place.slot, "epoch": place.epoch}
    tx.execute(insert(takeovers).values(**at, high_water=place.high_water, owner=owner))
    old = place.epoch - _REMEMBERED
    if old > 0:
        tx.execute(delete(takeovers).where(takeovers.c.slot == place.slot, takeovers.c.epoch <= old))
    return place


def _fresh(tx: Connection, who: Identity, *, high_water: int) -> Place:
    mark = f"{MARK}{secrets.token_hex(_MARK_BYTES)}"
    stem = base_name(who.name)[: MAX_NAME - len(mark)]
    return _take(tx, stem + mark, who.owner, high_water=high_water)


def _row(tx: Connection, name: str) -> Place | None:
    columns = writers.c
    query = select(columns.name, columns.slot, columns.epoch, columns.high_water).where(columns.name == name)
    row = tx.execute(query).first()
    return None if row is None else Place(row.name, row.slot, row.epoch, row.high_water)


def _first_after(tx: Connection, slot: int, epoch: int, *, other_than: str) -> int | None:
    """Returns the mark at which somebody else first took a name after an epoch; None when nobody did."""
    columns = takeovers.c
    query = select(columns.high_water).where(columns.slot == slot, columns.epoch > epoch, columns.owner != other_than)
    found: int | None = tx.execute(query.order_by(columns.epoch).limit(1)).scalar()
    return found
