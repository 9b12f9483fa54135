"""Insertions that meet a row with the same key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy import Table, case, true
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["Insertion", "insert_or_count", "insert_or_ignore", "insert_or_mark", "insert_or_replace"]

Insertion: TypeAlias = "sqlite.Insert | postgresql.Insert"


def insert_or_count(kind: str, table: Table, *, add: Sequence[str], lowest: str, highest: str) -> Insertion:
    """Returns an insertion into `table` that adds to a row with the same primary key.

    Args:
        kind: "sqlite" or "postgresql".
        table: The table.
        add: The columns whose values are added up.
        lowest: The column of which the smaller value stays.
        highest: The column of which the larger one does.
    """
    statement = _insert(kind, table)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={
            **{name: table.c[name] + new[name] for name in add},
            lowest: case((new[lowest] < table.c[lowest], new[lowest]), else_=table.c[lowest]),
            highest: case((new[highest] > table.c[highest], new[highest]), else_=table.c[highest]),
        },
    )


def insert_or_ignore(kind: str, table: Table, key: Sequence[str] | None = None) -> Insertion:
    """Returns an insertion into `table` that keeps a row with the same key.

    Args:
        kind: "sqlite" or "postgresql"; both write it ON CONFLICT.
        table: The table.
        key: The columns of the unique key; the primary one when None.
    """
    columns = [table.c[name] for name in key] if key else list(table.primary_key)
    return _insert(kind, table).on_conflict_do_nothing(index_elements=columns)


def insert_or_mark(kind: str, table: Table, mark: str, *, differing: str) -> Insertion:
    """Returns an insertion into `table` that keeps a row with the same primary key, and may mark it.

    Args:
        kind: "sqlite" or "postgresql".
        table: The table.
        mark: A column that becomes true in a row that is there already and differs.
        differing: The column in which it differs.
    """
    statement = _insert(kind, table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={mark: true()},
        where=table.c[differing] != statement.excluded[differing],
    )


def insert_or_replace(kind: str, table: Table) -> Insertion:
    """Returns an insertion into `table` that replaces all other columns of a row with the same primary key."""
    statement = _insert(kind, table)
    key = list(table.primary_key)
    rest = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=key, set_=rest)


def _insert(kind: str, table: Table) -> Insertion:
    return postgresql.insert(table) if kind == "postgresql" else sqlite.insert(table)
